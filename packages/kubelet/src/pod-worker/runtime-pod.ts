/**
 * What the runtime holds of one pod: its sandboxes and containers, newest first.
 * Mirrors: pkg/kubelet/container/runtime.go (PodStatus), pkg/kubelet/kuberuntime/kuberuntime_container.go
 */
import type {
  Container as CriContainer,
  ContainerStatus,
  ContainerResources,
  ContainerUser,
  PodSandbox,
  PodSandboxStatus,
} from "../runtime/cri.gen.ts"
import { isRuntimeNotFound, type ContainerRuntime } from "../runtime/container-runtime.ts"
import {
  containerHashAnnotation,
  containerNameLabel,
  podNameLabel,
  podNamespaceLabel,
  podTerminationGracePeriodAnnotation,
  podUidLabel,
  restartCountAnnotation,
} from "./labels.ts"

export interface RuntimeSandbox {
  readonly id: string
  readonly attempt: number
  readonly ready: boolean
  readonly createdAtMs: number
  readonly onHostNetwork: boolean
  /** The first is the pod's main address. Empty on the host's network. */
  readonly ips: readonly string[]
}

export interface RuntimeContainer {
  readonly id: string
  readonly sandboxId: string
  readonly name: string
  readonly state: "created" | "running" | "exited" | "unknown"
  readonly hash: string
  readonly restartCount: number
  readonly createdAtMs: number
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly exitCode: number
  readonly reason: string
  /** The termination message, else the runtime's own. */
  readonly message: string
  readonly image: string
  readonly imageRef: string
  readonly resources: ContainerResources | undefined
  readonly user: ContainerUser | undefined
  readonly stopSignal: string
  /** Paths in the container whose mounts are read-only with all that is below them. */
  readonly recursiveReadOnly: readonly string[]
  readonly logPath: string
  /** The pod's grace period when the container was made; undefined when it had none. */
  readonly graceSeconds: number | undefined
}

export interface RuntimePod {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly sandboxes: readonly RuntimeSandbox[]
  readonly containers: readonly RuntimeContainer[]
}

/** A pod that the runtime has nothing of. */
function emptyRuntimePod(uid: string, name: string, namespace: string): RuntimePod {
  return { uid, name, namespace, sandboxes: [], containers: [] }
}

/** The newest container of that name. */
export function latestContainer(runtime: RuntimePod, name: string): RuntimeContainer | undefined {
  return runtime.containers.find((container) => container.name === name)
}

export function isAnyRunning(runtime: RuntimePod): boolean {
  return runtime.containers.some((container) => container.state === "running")
}

/** Reads the termination message of a container that has ended. */
export type ReadTerminationMessage = (status: ContainerStatus) => Promise<string>

/** Reads pods from the runtime. What cannot change any more is asked for once. */
export class RuntimePods {
  readonly #runtime: ContainerRuntime
  readonly #readMessage: ReadTerminationMessage
  /** Of running and ended containers, by id; a container's past does not change. */
  readonly #containers = new Map<string, RuntimeContainer>()
  readonly #sandboxes = new Map<string, RuntimeSandbox>()
  /** Container or sandbox id → pod uid, for events. */
  readonly #owners = new Map<string, string>()

  constructor(runtime: ContainerRuntime, readMessage: ReadTerminationMessage) {
    this.#runtime = runtime
    this.#readMessage = readMessage
  }

  /** The pod that a container or sandbox belongs to, when that has been seen. */
  ownerOf(id: string): string | undefined {
    return this.#owners.get(id)
  }

  /** Those that were running when they were last looked at. */
  running(): readonly RuntimeContainer[] {
    return [...this.#containers.values()].filter(({ state }) => state === "running")
  }

  /** To be called as soon as an id is known, so that no event of it is lost. */
  noteOwner(id: string, podUid: string): void {
    this.#owners.set(id, podUid)
  }

  /** A sandbox that has just been made. */
  async made(sandboxId: string, podUid: string, signal: AbortSignal): Promise<RuntimeSandbox> {
    this.#owners.set(sandboxId, podUid)
    const { status } = await this.#runtime.podSandboxStatus({ podSandboxId: sandboxId }, { signal })
    const sandbox = toSandbox(status!)
    this.#sandboxes.set(sandboxId, sandbox)
    return sandbox
  }

  /** Forgets what it knows of a container, for example after a change of its resources. */
  invalidate(id: string): void {
    this.#containers.delete(id)
    this.#sandboxes.delete(id)
  }

  /** UID, name and namespace of every pod that the runtime has something of. */
  async all(signal: AbortSignal): Promise<readonly RuntimePod[]> {
    const [{ items }, { containers }] = await Promise.all([
      this.#runtime.listPodSandbox({}, { signal }),
      this.#runtime.listContainers({}, { signal }),
    ])
    const pods = new Map<string, RuntimePod>()
    const seen = new Set<string>()
    for (const { id, labels } of [...items, ...containers]) {
      const uid = labels[podUidLabel]
      if (!uid) continue
      seen.add(id)
      this.#owners.set(id, uid)
      if (!pods.has(uid))
        pods.set(uid, emptyRuntimePod(uid, labels[podNameLabel] ?? "", labels[podNamespaceLabel] ?? ""))
    }
    for (const id of this.#owners.keys()) if (!seen.has(id)) this.#forget(id)
    return [...pods.values()]
  }

  async read(uid: string, name: string, namespace: string, signal: AbortSignal): Promise<RuntimePod> {
    const labelSelector = { [podUidLabel]: uid }
    const [{ items }, { containers }] = await Promise.all([
      this.#runtime.listPodSandbox({ filter: { labelSelector } }, { signal }),
      this.#runtime.listContainers({ filter: { labelSelector } }, { signal }),
    ])
    const [sandboxes, statuses] = await Promise.all([
      Promise.all(items.map((item) => this.#sandbox(item, uid, signal))),
      Promise.all(containers.map((item) => this.#container(item, uid, signal))),
    ])
    return {
      uid,
      name,
      namespace,
      sandboxes: newestFirst(sandboxes.filter((sandbox) => sandbox !== undefined)),
      containers: newestFirst(statuses.filter((container) => container !== undefined)),
    }
  }

  async #sandbox(item: PodSandbox, uid: string, signal: AbortSignal): Promise<RuntimeSandbox | undefined> {
    this.#owners.set(item.id, uid)
    const ready = item.state === "SANDBOX_READY"
    const known = this.#sandboxes.get(item.id)
    if (known && known.ready === ready) return known
    try {
      const { status } = await this.#runtime.podSandboxStatus({ podSandboxId: item.id }, { signal })
      const sandbox = toSandbox(status!)
      this.#sandboxes.set(item.id, sandbox)
      return sandbox
    } catch (thrown) {
      if (!isRuntimeNotFound(thrown)) throw thrown
      this.#forget(item.id)
      return undefined
    }
  }

  async #container(
    item: CriContainer,
    uid: string,
    signal: AbortSignal,
  ): Promise<RuntimeContainer | undefined> {
    this.#owners.set(item.id, uid)
    const known = this.#containers.get(item.id)
    if (known && known.state === stateOf(item.state)) return known
    try {
      const { status } = await this.#runtime.containerStatus({ containerId: item.id }, { signal })
      const ended = status!.state === "CONTAINER_EXITED"
      const message = ended ? await this.#readMessage(status!) : ""
      const container = toContainer(status!, item, message)
      if (container.state === "running" || ended) this.#containers.set(item.id, container)
      return container
    } catch (thrown) {
      if (!isRuntimeNotFound(thrown)) throw thrown
      this.#forget(item.id)
      return undefined
    }
  }

  #forget(id: string): void {
    this.#owners.delete(id)
    this.#containers.delete(id)
    this.#sandboxes.delete(id)
  }
}

function toSandbox(status: PodSandboxStatus): RuntimeSandbox {
  const { network } = status
  const ips = [network?.ip ?? "", ...(network?.additionalIps ?? []).map(({ ip }) => ip)]
  return {
    id: status.id,
    attempt: status.metadata?.attempt ?? 0,
    ready: status.state === "SANDBOX_READY",
    createdAtMs: status.createdAt / 1e6,
    onHostNetwork: status.linux?.namespaces?.options?.network === "NODE",
    ips: ips.filter((ip) => ip !== ""),
  }
}

function toContainer(status: ContainerStatus, item: CriContainer, message: string): RuntimeContainer {
  const { annotations, labels } = status
  const grace = annotations[podTerminationGracePeriodAnnotation]
  return {
    id: status.id,
    sandboxId: item.podSandboxId,
    name: labels[containerNameLabel] ?? status.metadata?.name ?? "",
    state: stateOf(status.state),
    hash: annotations[containerHashAnnotation] ?? "",
    restartCount: Number(annotations[restartCountAnnotation] ?? status.metadata?.attempt ?? 0),
    createdAtMs: status.createdAt / 1e6,
    startedAtMs: status.startedAt / 1e6,
    finishedAtMs: status.finishedAt / 1e6,
    exitCode: status.exitCode,
    reason: status.reason,
    message: message === "" ? status.message : message,
    image: status.image?.image ?? "",
    imageRef: status.imageRef,
    resources: status.resources,
    user: status.user,
    stopSignal: status.stopSignal,
    recursiveReadOnly: status.mounts
      .filter(({ recursiveReadOnly }) => recursiveReadOnly)
      .map(({ containerPath }) => containerPath),
    logPath: status.logPath,
    graceSeconds: grace === undefined ? undefined : Number(grace),
  }
}

function stateOf(state: CriContainer["state"]): RuntimeContainer["state"] {
  switch (state) {
    case "CONTAINER_CREATED":
      return "created"
    case "CONTAINER_RUNNING":
      return "running"
    case "CONTAINER_EXITED":
      return "exited"
    default:
      return "unknown"
  }
}

/** Of two made in the same moment the one with the higher attempt is the newer. */
function newestFirst<T extends { readonly createdAtMs: number }>(items: T[]): T[] {
  const rank = (item: T): number =>
    "restartCount" in item ? Number(item.restartCount) : "attempt" in item ? Number(item.attempt) : 0
  return items.sort((a, b) => b.createdAtMs - a.createdAtMs || rank(b) - rank(a))
}
