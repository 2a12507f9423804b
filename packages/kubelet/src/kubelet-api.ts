/**
 * What the kubelet's server answers, out of the other parts of the kubelet.
 * Mirrors: pkg/kubelet/kubelet_pods.go (validateContainerLogStatus), pkg/kubelet/kubelet_server.go
 */
import {
  subjectAccessReview,
  tokenReview,
  type ContainerStatus,
  type Pod,
  type SubjectAccessReview,
  type TokenReview,
} from "@knarr/api"
import type { Env } from "@knarr/base"
import type { Client } from "@knarr/client"
import type { StatusManager } from "./contract.ts"
import type { NodeStats } from "./node/stats.ts"
import { containerNamed } from "./pod-worker/container-paths.ts"
import { podNameLabel, podNamespaceLabel, podUidLabel } from "./pod-worker/labels.ts"
import type { NodePodWorkers } from "./pod-worker/pod-workers.ts"
import { latestContainer, type RuntimeContainer } from "./pod-worker/runtime-pod.ts"
import type { ContainerRuntime } from "./runtime/container-runtime.ts"
import type { KubeletAccess, KubeletUser } from "./server/authorization.ts"
import type { ContainerLogSource } from "./server/container-logs.ts"
import { HttpError } from "./server/http-error.ts"
import type { HealthCheck } from "./server/healthz.ts"
import type { KubeletServerDeps, PodReference } from "./server/kubelet-server.ts"

export interface KubeletApiOptions {
  readonly env: Env
  readonly client: Client
  readonly nodeName: string
  readonly runtime: ContainerRuntime
  readonly workers: NodePodWorkers
  readonly status: StatusManager
  readonly stats: NodeStats
  /** In the Prometheus text format. */
  readonly probeMetrics: () => string
  readonly healthChecks: readonly HealthCheck[]
  /** The effective configuration, as `/configz` shows it. */
  readonly config: Readonly<Record<string, unknown>>
  readonly nodeLogDir?: string
}

const allowedMs = 5 * 60_000
const deniedMs = 30_000
const tokenMs = 2 * 60_000
const maxCached = 10_000

export function createKubeletApi(options: KubeletApiOptions): KubeletServerDeps {
  const { env, client, nodeName, runtime, workers, status, stats } = options
  const access = new Answers<boolean>(env)
  const users = new Answers<KubeletUser | undefined>(env)

  const podList = (pods: readonly Readonly<Pod>[]): unknown => ({
    kind: "PodList",
    apiVersion: "v1",
    metadata: {},
    items: pods.map(({ metadata, spec, status }) => ({ metadata, spec, status })),
  })
  const currentPods = (): Readonly<Pod>[] =>
    workers.pods().map(({ pod }) => ({ ...pod, status: status.get(pod.metadata.uid) ?? pod.status }))

  const findPod = ({ namespace, name, uid }: PodReference, missing: string): Readonly<Pod> => {
    const found = workers
      .pods()
      .find(
        ({ pod }) =>
          pod.metadata.name === name &&
          pod.metadata.namespace === namespace &&
          (uid === undefined || pod.metadata.uid === uid),
      )
    if (!found) throw new HttpError(404, missing)
    return found.pod
  }

  return {
    ...{ env, runtime, healthChecks: options.healthChecks },
    ...(options.nodeLogDir === undefined ? {} : { nodeLogDir: options.nodeLogDir }),
    authenticateToken: (token, signal) =>
      users.get(
        token,
        () => tokenMs,
        () => reviewToken(client, token, signal),
      ),
    async authorize(wanted, signal) {
      for (const subresource of wanted.subresources) {
        const { user, verb, path } = wanted
        const key = JSON.stringify([user.name, user.groups, verb, subresource])
        const ask = (): Promise<boolean> => review({ ...wanted, path }, subresource, nodeName, client, signal)
        if (await access.get(key, (allowed) => (allowed ? allowedMs : deniedMs), ask)) return true
      }
      return false
    },
    pods: () => podList(currentPods()),
    async runningPods(signal) {
      const { items } = await runtime.listPodSandbox({}, { signal })
      const { containers } = await runtime.listContainers({}, { signal })
      const ready = items.filter(({ state }) => state === "SANDBOX_READY")
      return podList(
        ready.map(({ id, labels }) => ({
          metadata: {
            name: labels[podNameLabel],
            namespace: labels[podNamespaceLabel],
            uid: labels[podUidLabel],
          },
          spec: {
            containers: containers
              .filter(({ podSandboxId, state }) => podSandboxId === id && state === "CONTAINER_RUNNING")
              .map(({ metadata, image }) => ({
                name: metadata?.name ?? "",
                image: image?.image,
                resources: {},
              })),
          },
          status: {},
        })) as unknown as Pod[],
      )
    },
    async containerId(reference, container, signal) {
      const pod = findPod(reference, "pod does not exist")
      const found = latestContainer(await workers.runtimePod(pod, signal), container)
      if (found?.state !== "running") throw new HttpError(500, `container not found ("${container}")`)
      return found.id
    },
    async sandboxId(reference, signal) {
      const pod = findPod(reference, "pod does not exist")
      const sandbox = (await workers.runtimePod(pod, signal)).sandboxes.find(({ ready }) => ready)
      if (!sandbox)
        throw new HttpError(500, `pod not found ("${pod.metadata.name}_${pod.metadata.namespace}")`)
      return sandbox.id
    },
    async logSource(reference, name, previous, signal): Promise<ContainerLogSource> {
      const pod = findPod(reference, `pod "${reference.name}" does not exist`)
      if (!containerNamed(pod, name))
        throw new HttpError(404, `container "${name}" not found in pod "${reference.name}"`)
      const told = status.get(pod.metadata.uid) ?? pod.status
      const id = loggedContainer(
        pod,
        [
          ...(told.containerStatuses ?? []),
          ...(told.initContainerStatuses ?? []),
          ...(told.ephemeralContainerStatuses ?? []),
        ].find((one) => one.name === name),
        name,
        previous,
      )
      const found = (await workers.runtimePod(pod, signal)).containers.find((one) => one.id === id)
      if (!found)
        throw new HttpError(
          400,
          `unable to retrieve container logs for ${runtimeNameOf(told.containerStatuses)}${id}`,
        )
      return { path: found.logPath, ended: endOf(found, workers, signal) }
    },
    statsSummary: (onlyCpuAndMemory, signal) => stats.statsSummary(onlyCpuAndMemory, signal),
    resourceMetrics: (signal) => stats.resourceMetrics(signal),
    containerMetrics: (signal) => stats.containerMetrics(signal),
    probeMetrics: async () => options.probeMetrics(),
    metrics: async () => env.meter.text(),
    configz: () => ({ kubeletconfig: options.config }),
  }
}

/** Aborted once the container has ended. */
function endOf(container: RuntimeContainer, workers: NodePodWorkers, signal: AbortSignal): AbortSignal {
  const ended = new AbortController()
  if (container.state !== "running") {
    ended.abort()
    return ended.signal
  }
  const subscription = workers.onStopped(container.id, () => ended.abort())
  signal.addEventListener("abort", () => subscription[Symbol.dispose](), { once: true })
  return ended.signal
}

/** The id of the container whose log is meant. Throws 400 when there is none yet. */
function loggedContainer(
  pod: Readonly<Pod>,
  status: ContainerStatus | undefined,
  name: string,
  previous: boolean,
): string {
  const where = `container "${name}" in pod "${pod.metadata.name}"`
  if (!status) throw new HttpError(400, `${where} is not available`)
  const { state, lastState, containerID } = status
  const last = lastState?.terminated?.containerID
  let id: string | undefined
  if (previous) {
    if (!last) throw new HttpError(400, `previous terminated ${where} not found`)
    id = last
  } else if (state?.running) id = containerID
  else id = state?.terminated?.containerID ?? last
  if (id) return id.replace(/^[^:]+:\/\//, "")
  const reason = state?.waiting?.reason
  if (reason === "ErrImagePull")
    throw new HttpError(400, `${where} is waiting to start: image can't be pulled`)
  if (reason === "ImagePullBackOff")
    throw new HttpError(400, `${where} is waiting to start: trying and failing to pull image`)
  throw new HttpError(
    400,
    reason ? `${where} is waiting to start: ${reason}` : `${where} is waiting to start - no logs yet`,
  )
}

function runtimeNameOf(statuses: readonly ContainerStatus[] | undefined): string {
  return /^[^:]+:\/\//.exec(statuses?.find(({ containerID }) => containerID)?.containerID ?? "")?.[0] ?? ""
}

async function reviewToken(
  client: Client,
  token: string,
  signal: AbortSignal,
): Promise<KubeletUser | undefined> {
  const answer = await client.create<TokenReview>(tokenReview, { metadata: {}, spec: { token } }, { signal })
  const { authenticated, user } = answer.status ?? {}
  if (!authenticated || !user) return undefined
  return {
    name: user.username ?? "",
    groups: user.groups ?? [],
    ...(user.uid ? { uid: user.uid } : {}),
    ...(user.extra ? { extra: user.extra } : {}),
  }
}

async function review(
  { user, verb }: KubeletAccess,
  subresource: string,
  nodeName: string,
  client: Client,
  signal: AbortSignal,
): Promise<boolean> {
  const spec = {
    user: user.name,
    groups: [...user.groups],
    ...(user.uid ? { uid: user.uid } : {}),
    ...(user.extra ? { extra: user.extra as Record<string, string[]> } : {}),
    resourceAttributes: { verb, version: "v1", resource: "nodes", subresource, name: nodeName },
  }
  const answer = await client.create<SubjectAccessReview>(
    subjectAccessReview,
    { metadata: {}, spec },
    { signal },
  )
  return answer.status?.allowed === true
}

/** Remembers answers for a while. */
class Answers<T> {
  readonly #env: Env
  readonly #known = new Map<string, { readonly value: T; readonly untilMs: number }>()

  constructor(env: Env) {
    this.#env = env
  }

  async get(key: string, lifeMs: (value: T) => number, ask: () => Promise<T>): Promise<T> {
    const nowMs = this.#env.clock.monotonic()
    const known = this.#known.get(key)
    if (known && nowMs < known.untilMs) return known.value
    const value = await ask()
    this.#known.delete(key)
    if (this.#known.size >= maxCached) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(key, { value, untilMs: nowMs + lifeMs(value) })
    return value
  }
}
