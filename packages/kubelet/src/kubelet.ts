/**
 * The node agent, put together: what pods are wanted, the workers that make them so, and the node itself.
 * Mirrors: pkg/kubelet/kubelet.go (NewMainKubelet, Run)
 */
import { runtimeClass as runtimeClassKind, type Pod, type Taint } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import { messageOf, type Env, type Scope } from "@knarr/base"
import {
  createEventRecorder,
  createInformerFactory,
  type Client,
  type EventRecorder,
  type InformerFactory,
} from "@knarr/client"
import type { PodWorkers, StatusManager, VolumeManager } from "./contract.ts"
import { createEvictionManager, type EvictionManager } from "./eviction/eviction-manager.ts"
import { createPodFiles } from "./eviction/local-storage.ts"
import { parseThresholds, type ThresholdSettings } from "./eviction/thresholds.ts"
import { ImageCollector } from "./images/image-collector.ts"
import { ImageManager } from "./images/image-manager.ts"
import { createKubeletApi } from "./kubelet-api.ts"
import { rotateLogs } from "./log-rotation.ts"
import { sweepLogs } from "./log-sweep.ts"
import type { Machine } from "./machine.ts"
import { createNodeAgent, type NodeAgent } from "./node/node-agent.ts"
import { createImageFilesystem } from "./node/image-filesystem.ts"
import { createNodeStats } from "./node/stats.ts"
import { createObjectReader, type PodObjectReader } from "./objects/object-reader.ts"
import type { WatchedObjects } from "./objects/watched-objects.ts"
import { boundRuntime } from "./pod-worker/bounded-runtime.ts"
import { addPodMetrics } from "./pod-metrics.ts"
import { meterRuntime } from "./runtime/metered-runtime.ts"
import { prepareDynamicResources } from "./pod-worker/dynamic-resources.ts"
import { nodeFeatures } from "./pod-worker/node-features.ts"
import { NodePodWorkers } from "./pod-worker/pod-workers.ts"
import { statusNotKnownYet, type NodeSettings, type PodWorkerParts } from "./pod-worker/settings.ts"
import { createProbeManager, type NodeProbeManager } from "./probes/probe-manager.ts"
import type { ContainerRuntime } from "./runtime/container-runtime.ts"
import { pauseImage } from "./runtime/pause-image.ts"
import { taskCheck, type HealthCheck } from "./server/healthz.ts"
import { startKubeletServer, type KubeletServer, type KubeletTls } from "./server/kubelet-server.ts"
import { startPodSources, type PodSources } from "./sources/pod-sources.ts"
import { createStatusManager } from "./status/status-manager.ts"
import { createVolumeManager } from "./volumes/volume-manager.ts"

export interface KubeletOptions {
  readonly env: Env
  /** Everything runs in a child of it. */
  readonly scope: Scope
  /** Acts as `system:node:<nodeName>`. */
  readonly client: Client
  readonly nodeName: string
  /** For example `v1.37.2`. */
  readonly version: string
  readonly runtime: ContainerRuntime
  readonly machine: Machine
  /** Default: the machine's first address. */
  readonly nodeIPs?: readonly string[]
  /** Holds `pods/<uid>`; default `/var/lib/kubelet`. */
  readonly rootDir?: string
  /** Default `/var/log/pods`. */
  readonly podLogsDir?: string
  /** Links to the logs by name; default `/var/log/containers`; empty: none. */
  readonly containerLogsDir?: string
  readonly clusterDNS?: readonly string[]
  /** Default `cluster.local`. */
  readonly clusterDomain?: string
  /** The cgroup in which `kubepods` is made: empty (default), or a path like `/node1`. */
  readonly cgroupRoot?: string
  /** Enforce cpu limits; default true. */
  readonly cpuQuota?: boolean
  /** Pods without a seccomp profile get the runtime's; default false. */
  readonly seccompDefault?: boolean
  /** The folder of static pods; default: none. */
  readonly manifestDir?: string
  /** Default 110. */
  readonly maxPods?: number
  /** Heavy calls of the runtime at a time; default 8. */
  readonly maxRuntimeCalls?: number
  /** Image pulls at a time; default 5. */
  readonly maxParallelPulls?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /** Only for a node that is new. */
  readonly taints?: readonly Taint[]
  readonly providerID?: string
  /** Of a new node: its pod networks, where nobody gives it one. */
  readonly podCIDRs?: readonly string[]
  /** Default 10 s: how often the status is computed. */
  readonly statusPeriodMs?: number
  /** Default 40 s; renewed four times as often. */
  readonly leaseSeconds?: number
  /** What pods may not use. */
  readonly reserved?: Readonly<Record<string, string>>
  /** Where the kubelet's server listens; default 10250. */
  readonly port?: number
  /** Default: all addresses. */
  readonly address?: string
  /** Without it there is no server. */
  readonly tls?: KubeletTls
  /** Told at the server's `/healthz`; default: that none of the tasks of this process waits for its next start. */
  readonly healthChecks?: readonly HealthCheck[]
  /** The folder behind the server's `/logs/`; default: not served. */
  readonly nodeLogDir?: string
  /** Ends pods before memory, disk or processes run out; default: at upstream's thresholds. `false`: never. */
  readonly eviction?: false | EvictionSettings
  /** Called with the node's pod networks, now and when they change. */
  readonly onPodCIDRs?: (cidrs: readonly string[]) => void
  /** What the nodes of one process have in common. Default: a node has all of it for itself. */
  readonly shared?: SharedParts
}

/** What many nodes in one process share, so that none of them costs a watch. */
export interface SharedParts {
  /** Reads for all of them; what a kubelet selects by its node's name, too (`createNodeInformers`). */
  readonly informers: InformerFactory
  readonly objects: WatchedObjects
  readonly events: EventRecorder
  /** The tokens of pods that cannot use one. */
  readonly makeToken: (pod: Readonly<Pod>) => string
}

export interface EvictionSettings extends ThresholdSettings {
  /** How long a condition stays after the shortage is over; default 300. */
  readonly pressureTransitionSeconds?: number
  /** The longest grace period of a pod that a soft threshold ends; default 0. */
  readonly maxPodGracePeriodSeconds?: number
}

export interface Kubelet extends AsyncDisposable {
  readonly workers: PodWorkers
  readonly status: StatusManager
  readonly node: NodeAgent
  /** Undefined when there is none. */
  readonly server: KubeletServer | undefined
  /** Resolves when the API has been told that the node is ready. */
  ready(signal: AbortSignal): Promise<void>
  /** Lets go of the pods, which run on. Idempotent. */
  close(): Promise<void>
}

const networkPollMs = 200
const adoptRetryMs = 1000
const defaultPort = 10_250
const noPressure = { memory: false, disk: false, pid: false }

/** Starts everything; rejects when the runtime does not answer. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { env, client, nodeName, machine, shared } = options
  const scope = options.scope.child(`kubelet ${nodeName}`)
  try {
    const runtime = boundRuntime(
      meterRuntime(options.runtime, env),
      options.maxRuntimeCalls ?? 8,
      scope.signal,
    )
    const [{ runtimeName }, firstStatus] = await Promise.all([
      runtime.version({}, { signal: scope.signal }),
      // Static pods are admitted before anybody asks again.
      runtime.status({}, { signal: scope.signal }),
    ])
    const informers = shared?.informers ?? createInformerFactory({ client, scope, env })
    const events =
      shared?.events ?? createEventRecorder({ client, scope, env, component: "kubelet", host: nodeName })
    const objects = createObjectReader({
      ...{ env, scope, client, informers },
      node: { name: nodeName, uid: () => node.node()?.metadata.uid, events },
      ...(shared ? { watched: shared.objects, makeToken: shared.makeToken } : {}),
    })
    const limits: EvictionSettings = options.eviction || {}
    const thresholds = parseThresholds(limits)
    let eviction: EvictionManager | undefined
    const rootDir = options.rootDir ?? "/var/lib/kubelet"
    const volumes = createVolumeManager({
      ...{ env, scope, client, nodeName, reader: objects, host: machine.volumes, recorder: events },
      rootDir,
      allocatable: () => node.allocatable(),
      nodeLabels: () => node.node()?.metadata.labels ?? {},
      reportInUse: (uniqueName, signal) => node.reportedInUse(uniqueName, signal),
      onReleased: () => node.refresh(),
    })
    const node = createNodeAgent({
      ...{ env, scope, client, runtime, nodeName, host: machine.node, recorder: events },
      ...pick(options, ["nodeIPs", "maxPods", "labels", "annotations", "taints", "providerID", "reserved"]),
      ...pick(options, ["podCIDRs", "statusPeriodMs", "leaseSeconds"]),
      ...(shared ? { informers, spreadLeases: true } : {}),
      kubeletVersion: options.version,
      port: options.port ?? defaultPort,
      pressure: () => eviction?.pressure ?? noPressure,
      thresholds,
      volumesInUse: () => volumes.inUse(),
      ...(options.onPodCIDRs ? { onPodCIDRs: options.onPodCIDRs } : {}),
    })
    const settings: NodeSettings = {
      nodeName,
      nodeIPs: node.nodeIPs,
      rootDir,
      podLogsDir: options.podLogsDir ?? "/var/log/pods",
      containerLogsDir: options.containerLogsDir ?? "/var/log/containers",
      clusterDNS: options.clusterDNS ?? [],
      clusterDomain: options.clusterDomain ?? "cluster.local",
      cgroupRoot: options.cgroupRoot ?? "",
      cpuQuota: options.cpuQuota ?? true,
      memoryCapacity: machine.node.facts.memoryBytes,
      seccompDefault: options.seccompDefault ?? false,
      swapControl: machine.node.facts.swapControl,
    }
    const status = createStatusManager({ env, scope, client })
    const probes = createProbeManager({
      ...{ env, scope, runtime, network: machine.probes, recorder: events },
      onOutcome({ podUid, container, type, success }) {
        if (type === "readiness") status.setContainerReadiness(podUid, container, success)
        workers.wake(podUid)
      },
    })
    const network = watchNetwork(runtime, env, scope, () => {
      node.refresh()
      workers.wakeAll()
    })
    const parts: PodWorkerParts = {
      ...{
        env,
        runtime,
        runtimeName,
        host: machine.pods,
        objects,
        volumes,
        probes,
        status,
        events,
        settings,
      },
      images: new ImageManager({
        ...{ env, runtime, objects, events },
        ...pick(options, ["maxParallelPulls"]),
      }),
      node() {
        const known = node.node()
        if (!known) return undefined
        return {
          labels: known.metadata.labels ?? {},
          taints: known.spec?.taints ?? [],
          allocatable: node.allocatable(),
        }
      },
      features: () => nodeFeatures(machine.node.facts, node.runtimeStatus() ?? firstStatus),
      networkProblem: network,
      refusal: (pod) => eviction?.refusal(pod),
      runtimeHandler: (pod, signal) => handlerOf(pod, client, signal),
      prepareResources: (pod, signal) => prepareDynamicResources(pod, client, signal),
    }
    const workers = new NodePodWorkers({ parts, scope })
    await machine.volumes.shareMounts(settings.rootDir, scope.signal)
    await workers.prepareNode()
    scope.use(objects.onChange((change) => workers.objectChanged(change)))
    const imageFilesystem = createImageFilesystem(runtime, machine.node)
    const collector = new ImageCollector({
      ...{ env, scope, runtime, host: machine.node, spared: [pauseImage], filesystem: imageFilesystem },
      mounted: () =>
        workers
          .livePods()
          .flatMap(({ spec }) => (spec.volumes ?? []).flatMap(({ image }) => image?.reference ?? [])),
    })
    if (!machine.simulated)
      scope.run(
        "log rotation",
        (signal) => rotateLogs({ env, runtime, running: () => workers.runningContainers() }, signal),
        { restart: true },
      )
    if (options.eviction !== false)
      eviction = createEvictionManager({
        ...{ env, scope, runtime, nodeName, host: machine.node, recorder: events },
        thresholds,
        pods: () => workers.livePods(),
        evict: (podUid, how) => workers.evict(podUid, how),
        isReclaimed: (podUid) => !workers.isActive(podUid),
        onPressure: () => node.refresh(),
        imageFilesystem,
        reclaimDisk: [(signal) => workers.removeDeadContainers(signal), (signal) => collector.prune(signal)],
        ...(machine.simulated ? {} : createPodFiles(settings)),
        transitionMs: (limits.pressureTransitionSeconds ?? 300) * 1000,
        maxPodGraceSeconds: limits.maxPodGracePeriodSeconds ?? 0,
      })
    const server =
      options.tls &&
      (await listen(options, options.tls, runtime, settings, workers, status, probes, volumes, objects))
    if (server) scope.use(server)
    const sources = startPodSources({
      ...{ env, client, scope, informers, nodeName, workers },
      ...pick(options, ["manifestDir"]),
      node: () => node.node(),
      onMirror: (mirror) => status.mirrorSeen(mirror),
    })
    scope.run("runtime events", (signal) => workers.runEvents(signal), { restart: true })
    scope.run(
      "adoption",
      async (signal) => {
        await adopt(sources, workers, node, env, signal)
        const isKnown = (podUid: string): boolean => workers.isKnown(podUid)
        if (!machine.simulated) await sweepLogs({ env, ...settings, isKnown }, signal)
      },
      { restart: true },
    )
    return {
      workers,
      status,
      node,
      server,
      ready: (signal) => node.ready(signal),
      close: () => scope.close(),
      [Symbol.asyncDispose]: () => scope.close(),
    }
  } catch (thrown) {
    await scope.close()
    throw thrown
  }
}

/** The kubelet's server, with what its answers are made of. */
function listen(
  options: KubeletOptions,
  tls: KubeletTls,
  runtime: ContainerRuntime,
  settings: NodeSettings,
  workers: NodePodWorkers,
  status: StatusManager,
  probes: NodeProbeManager,
  volumes: VolumeManager,
  objects: PodObjectReader,
): Promise<KubeletServer> {
  const { env, scope, client, nodeName, version, machine, nodeLogDir, port = defaultPort, address } = options
  addPodMetrics({ meter: env.meter, scope, nodeName, version }, workers, status, objects)
  const api = createKubeletApi({
    ...{
      env,
      client,
      nodeName,
      runtime,
      workers,
      status,
      healthChecks: options.healthChecks ?? [taskCheck(() => scope.troubles())],
    },
    stats: createNodeStats({ env, runtime, host: machine.node, nodeName, volumes }),
    probeMetrics: () => probes.metrics(),
    config: {
      clusterDNS: settings.clusterDNS,
      clusterDomain: settings.clusterDomain,
      cgroupRoot: settings.cgroupRoot || "/",
      cpuCFSQuota: settings.cpuQuota,
      maxPods: options.maxPods ?? 110,
      port,
      ...(options.manifestDir ? { staticPodPath: options.manifestDir } : {}),
    },
    ...(nodeLogDir === undefined ? {} : { nodeLogDir }),
  })
  return startKubeletServer(api, { tls, port, ...(address === undefined ? {} : { address }) })
}

/** Nothing is ended before every source has told what it wants. */
async function adopt(
  sources: PodSources,
  workers: NodePodWorkers,
  node: NodeAgent,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  await sources.synced(signal)
  for (let done = false; !done;) {
    try {
      await workers.adopt(signal)
      done = true
    } catch (thrown) {
      signal.throwIfAborted()
      env.log.warn("Cannot look for pods that nobody wants, retrying", { err: messageOf(thrown) })
      await env.clock.sleep(adoptRetryMs, signal)
    }
  }
  await node.registered(signal)
  sources.mirrors.retry()
}

/** Why the runtime cannot give pods a network yet; asked until it can. */
function watchNetwork(
  runtime: ContainerRuntime,
  env: Env,
  scope: Scope,
  changed: () => void,
): () => string | undefined {
  let problem: string | undefined = statusNotKnownYet
  scope.run(
    "network",
    async (signal) => {
      for (;;) {
        try {
          const { status } = await runtime.status({}, { signal })
          const network = status?.conditions.find(({ type }) => type === "NetworkReady")
          if (network?.status === true) {
            problem = undefined
            return changed()
          }
          problem = `container runtime network not ready: NetworkReady=false reason:${network?.reason ?? ""} message:${network?.message ?? ""}`
        } catch (thrown) {
          signal.throwIfAborted()
          problem = `container runtime is down: ${messageOf(thrown)}`
        }
        await env.clock.sleep(networkPollMs, signal)
      }
    },
    { restart: true },
  )
  return () => problem
}

async function handlerOf(pod: Readonly<Pod>, client: Client, signal: AbortSignal): Promise<string> {
  const name = pod.spec.runtimeClassName
  if (!name) return ""
  try {
    return (await client.get(runtimeClassKind, { name }, { signal })).handler
  } catch (thrown) {
    if (isNotFound(thrown))
      throw new Error(
        `failed to get sandbox runtime: no runtime handler for "${name}": RuntimeClass "${name}" not found`,
        { cause: thrown },
      )
    throw thrown
  }
}

/** Those of the options that are given. */
function pick<T, K extends keyof T>(from: T, names: readonly K[]): { [N in K]?: Exclude<T[N], undefined> } {
  const out: { [N in K]?: Exclude<T[N], undefined> } = {}
  for (const name of names) if (from[name] !== undefined) out[name] = from[name] as Exclude<T[K], undefined>
  return out
}
