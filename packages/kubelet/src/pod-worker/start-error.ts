/** Why a container could not be started, as its waiting state shows it. Mirrors: pkg/kubelet/container/sync_result.go */
import { messageOf } from "@knarr/base"
import { grpcCodeName } from "@knarr/grpc"
import { RuntimeError } from "../runtime/container-runtime.ts"

/** `reason` is that of the container's waiting state: `CrashLoopBackOff`, `ErrImagePull`, `CreateContainerError`, … */
export class StartError extends Error {
  readonly reason: string
  /** When to try again; undefined: as after any failure. */
  readonly retryAfterMs: number | undefined

  constructor(reason: string, message: string, retryAfterMs?: number, options?: ErrorOptions) {
    super(message, options)
    this.name = "StartError"
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

/** The error of a call as gRPC's Go client prints it. */
export function callErrorText(thrown: unknown): string {
  if (!(thrown instanceof RuntimeError)) return messageOf(thrown)
  return `rpc error: code = ${grpcCodeName(thrown.code)} desc = ${thrown.message}`
}
