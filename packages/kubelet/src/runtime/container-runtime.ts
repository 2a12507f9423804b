/**
 * What the kubelet needs of a container runtime: the calls of the CRI (RuntimeService and ImageService of
 * runtime.v1) and one stream of events, so that nothing has to poll.
 * Mirrors: staging/src/k8s.io/cri-api/pkg/apis/services.go
 */
import { grpcCodes, type MessageInit } from "@knarr/grpc"
import type { CriMessages, criMethods } from "./cri.gen.ts"

/** The calls of the CRI that the kubelet makes. */
export const runtimeCalls = [
  "version",
  "status",
  "runPodSandbox",
  "stopPodSandbox",
  "removePodSandbox",
  "podSandboxStatus",
  "listPodSandbox",
  "createContainer",
  "startContainer",
  "stopContainer",
  "removeContainer",
  "listContainers",
  "containerStatus",
  "updateContainerResources",
  "execSync",
  "exec",
  "attach",
  "portForward",
  "containerStats",
  "listContainerStats",
  "podSandboxStats",
  "listPodSandboxStats",
  "reopenContainerLog",
  "updateRuntimeConfig",
  "listImages",
  "imageStatus",
  "pullImage",
  "removeImage",
  "imageFsInfo",
] as const

export type RuntimeCall = (typeof runtimeCalls)[number]

type Methods = typeof criMethods

/** What a call takes; any field may be left out. */
export type RuntimeRequest<Call extends RuntimeCall> = MessageInit<CriMessages[Methods[Call][1]]>

/** What a call answers; only sub-messages can be absent. */
export type RuntimeResponse<Call extends RuntimeCall> = CriMessages[Methods[Call][2]]

export type RuntimeCalls = {
  /** Rejects with a {@link RuntimeError}, or with `signal.reason` when the signal is aborted first. */
  readonly [Call in RuntimeCall]: (
    request: RuntimeRequest<Call>,
    options: { readonly signal: AbortSignal },
  ) => Promise<RuntimeResponse<Call>>
}

/** A container has ended, or a sandbox: then it is the sandbox's id. */
export interface StoppedEvent {
  readonly type: "stopped"
  readonly containerId: string
  /** 128 + signal for a killed process. */
  readonly exitCode: number
  /** Wall time in milliseconds since the Unix epoch. */
  readonly atMs: number
}

/** Events may have been missed: list everything. The first event of every (re)connection. */
export interface ResyncEvent {
  readonly type: "resync"
  readonly atMs: number
}

export type RuntimeEvent = StoppedEvent | ResyncEvent

export interface ContainerRuntime extends RuntimeCalls {
  /**
   * What ends from now on, until `signal` is aborted or the runtime is closed. When it is told the lists and statuses
   * already tell the same. Survives restarts of the runtime, with a `resync` after each. What the kubelet makes
   * itself it need not be told of.
   */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>
  /** Lets go of the runtime; pods go on running. Idempotent. */
  close(): Promise<void>
}

/** The runtime refused or failed. `message` is the runtime's own text, which events and statuses show. */
export class RuntimeError extends Error {
  /** The gRPC status code, see `grpcCodes`. */
  readonly code: number
  readonly call: string

  constructor(call: string, code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "RuntimeError"
    this.call = call
    this.code = code
  }
}

/** Whether the runtime does not know the sandbox, container or image. */
export function isRuntimeNotFound(thrown: unknown): boolean {
  return thrown instanceof RuntimeError && thrown.code === grpcCodes.notFound
}
