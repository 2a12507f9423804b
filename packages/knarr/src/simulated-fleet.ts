/**
 * A cluster's simulated nodes, all in one process: real kubelets over runtimes that only pretend. One connection, one
 * watch of pods and one of nodes serve them all; a node's writes are its own, since the process may act as each of them.
 */
import { node as nodeKind, pod as podKind, kubernetesVersion, type Node, type Pod } from "@knarr/api"
import { isForbidden, parseQuantity } from "@knarr/apimachinery"
import { Meter, abortable, messageOf, type Env, type Scope } from "@knarr/base"
import {
  createEventRecorder,
  createInformerFactory,
  createRestClient,
  createTransport,
  renewed,
  type Client,
  type EventRecorder,
  type Informer,
  type Transport,
} from "@knarr/client"
import {
  SimulatedHost,
  WatchedObjects,
  behaviourOf,
  createNodeInformers,
  createSimulatedMachine,
  createSimulatedRuntime,
  restorePod,
  startKubelet,
  type Kubelet,
  type SharedParts,
  type SimulatedContainer,
} from "@knarr/kubelet"
import { isSimulatedNode, simulatedNodeAnnotation, simulatedNodeLabel } from "@knarr/pod-rules"
import type { ClusterConfig, ClusterHome } from "./cluster-home.ts"
import { addressesOf } from "./cluster-home.ts"
import { readSimulatedPki } from "./pki.ts"
import type { Steps } from "./start-progress.ts"
import { simulatedNodeName } from "./simulated-names.ts"
import { untilServes } from "./until-serves.ts"

export interface FleetOptions {
  readonly cluster: ClusterHome
  readonly config: ClusterConfig
  readonly env: Env
  readonly scope: Scope
  readonly steps: Steps
}

/** Nodes that start at a time. */
const startsAtOnce = 64
/** Renewed every 30 s, well before the control plane loses patience (50 s): thousands of renewals are most of what rests. */
const leaseSeconds = 120
const statusPeriodMs = 60_000
/** Kubelets tell of every container; a fleet's events would be most of the cluster's writes. */
const eventBurst = 100
const eventsPerSecond = 25
const rightsLimitMs = 30_000
const rightsPollMs = 20
const cpus = 32
const memoryBytes = 256 * 1024 ** 3
const maxPods = 110

/** Resolves when all nodes are ready. Nodes that somebody adds with kwok's annotation are run, too. */
export async function startSimulatedFleet(options: FleetOptions): Promise<void> {
  const { cluster, config, env, scope, steps } = options
  const count = config.simulatedNodes ?? 0
  const transport = connect(options)
  await untilServes(transport, env, scope.signal)
  await untilAllowed(createRestClient({ transport, env }), env, scope.signal)
  const fleet = new Fleet(options, transport)
  await fleet.synced(scope.signal)
  let next = 0
  const startNext = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const kubelet = await fleet.start(simulatedNodeName(i), i)
      await kubelet.ready(scope.signal)
    }
  }
  await abortable(Promise.all(Array.from({ length: startsAtOnce }, startNext)), scope.signal)
  steps.done(`${count} simulated nodes ready`)
  fleet.adoptOthers()
  env.log.info("Simulated nodes run", { cluster: cluster.name, count })
}

/** The server gives this process its rights once it serves. */
async function untilAllowed(client: Client, { clock }: Env, signal: AbortSignal): Promise<void> {
  for (const begun = clock.monotonic(); ;)
    try {
      await client.list(nodeKind, { limit: 1, signal })
      return
    } catch (thrown) {
      if (!isForbidden(thrown) || clock.monotonic() - begun > rightsLimitMs) throw thrown
      await clock.sleep(rightsPollMs, signal)
    }
}

function connect({ cluster, config, env, scope }: FleetOptions): Transport {
  const pki = renewed(env.clock, () => readSimulatedPki(cluster))
  return scope.use(
    createTransport({
      // The nodes' own network may not be there yet.
      server: `https://127.0.0.1:${config.port}`,
      env,
      tls() {
        const { ca, client } = pki()
        return { ca, ...client }
      },
      headers: () => ({ "user-agent": "knarr-simulated-nodes" }),
    }),
  )
}

class Fleet {
  readonly #options: FleetOptions
  readonly #transport: Transport
  readonly #shared: SharedParts
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #kubelets = new Map<string, Promise<Kubelet>>()

  constructor(options: FleetOptions, transport: Transport) {
    const { env, scope } = options
    this.#options = options
    this.#transport = transport
    const client = createRestClient({ transport, env })
    const all = createInformerFactory({ client, env, scope: scope.child("informers"), streamsInitial: true })
    this.#pods = all.informer(podKind, { fieldSelector: "spec.nodeName!=" })
    this.#nodes = all.informer(nodeKind)
    this.#shared = {
      informers: createNodeInformers(all),
      objects: new WatchedObjects({ env, client, scope: scope.child("objects") }),
      events: limited(createEventRecorder({ client, scope, env, component: "kubelet" }), env),
      makeToken: () => "simulated",
    }
  }

  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#pods.waitForSync(signal), this.#nodes.waitForSync(signal)])
  }

  /** Starts the kubelet of a node, whose containers go on as the API knows them. */
  start(name: string, index: number | undefined, given?: Readonly<Node>): Promise<Kubelet> {
    const { env, scope, config } = this.#options
    const podCIDR = index === undefined ? undefined : podNetwork(index)
    const host = new SimulatedHost({
      env,
      behaviour: (container) => this.#behaviour(container),
      ...(podCIDR === undefined ? {} : { podCIDR }),
    })
    for (const one of this.#pods.list()) if (one.spec.nodeName === name) restorePod(host, one)
    const capacity = given?.status?.capacity ?? {}
    const amount = (resource: string, otherwise: number): number => {
      const text = capacity[resource]
      return text === undefined ? otherwise : parseQuantity(text).asNumber()
    }
    const address = given?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address
    const started = startKubelet({
      env: { ...env, log: env.log.with({ node: name }), meter: new Meter() },
      scope,
      client: createRestClient({
        transport: this.#transport,
        env,
        impersonate: { name: `system:node:${name}` },
      }),
      nodeName: name,
      version: `v${kubernetesVersion}+knarr`,
      runtime: createSimulatedRuntime(host),
      machine: createSimulatedMachine({
        hostname: name,
        addresses: [address ?? nodeAddress(index ?? fnv(name))],
        cpus: amount("cpu", cpus),
        memoryBytes: amount("memory", memoryBytes),
      }),
      maxPods: amount("pods", maxPods),
      clusterDNS: [addressesOf(config).dnsAddress],
      eviction: false,
      shared: this.#shared,
      ...{ leaseSeconds, statusPeriodMs },
      ...(podCIDR === undefined ? {} : { podCIDRs: [podCIDR] }),
      ...(index === undefined ? {} : describe(index, config)),
    })
    this.#kubelets.set(name, started)
    return started
  }

  /** Runs the nodes that users add as they do for kwok, until these are deleted. */
  adoptOthers(): void {
    const { env, scope } = this.#options
    const consider = (one: Readonly<Node>): void => {
      const { name } = one.metadata
      if (!isSimulatedNode(one) || this.#kubelets.has(name)) return
      this.start(name, undefined, one).catch((thrown: unknown) => {
        this.#kubelets.delete(name)
        env.log.warn("Cannot run a simulated node", { node: name, err: messageOf(thrown) })
      })
    }
    const own = new Set(this.#kubelets.keys())
    scope.use(
      this.#nodes.subscribe({
        added: consider,
        updated: consider,
        deleted: ({ metadata: { name } }) => {
          const kubelet = this.#kubelets.get(name)
          if (!kubelet || own.has(name)) return
          this.#kubelets.delete(name)
          scope.run(`end of ${name}`, async () => (await kubelet).close(), { contained: true })
        },
      }),
    )
  }

  #behaviour({ config, sandboxConfig }: SimulatedContainer): ReturnType<typeof behaviourOf> {
    const { namespace = "", name = "", uid } = sandboxConfig.metadata ?? {}
    const known = this.#pods.get({ namespace, name })
    const container = config.metadata?.name ?? ""
    if (known?.metadata.uid !== uid || !known) return {}
    const problems: { annotation: string; problem: string }[] = []
    const behaviour = behaviourOf(known, container, problems)
    for (const { annotation, problem } of problems) {
      const message = `annotation ${annotation} does not count: ${problem}`
      this.#shared.events.event(known, "Warning", "InvalidSimulation", message)
    }
    return behaviour
  }
}

function describe(index: number, config: ClusterConfig) {
  return {
    annotations: { [simulatedNodeAnnotation]: "fake" },
    labels: {
      [simulatedNodeLabel]: "kwok",
      "topology.kubernetes.io/zone": `zone-${index % 3}`,
      "topology.kubernetes.io/region": "simulated",
    },
    // What is meant for the real nodes must not end up where nothing runs.
    taints: config.hasNode
      ? [{ key: simulatedNodeAnnotation, value: "fake", effect: "NoSchedule" as const }]
      : [],
  }
}

/** Of 198.18.0.0/15, which is for tests; nobody answers there. */
function nodeAddress(index: number): string {
  const offset = (index % 131_000) + 1
  return `198.${18 + (offset >> 16)}.${(offset >> 8) & 255}.${offset & 255}`
}

/** Of 100.64.0.0/10: the cluster's own pod network has no room for thousands of nodes, and needs none. */
function podNetwork(index: number): string {
  return `100.${64 + (index >> 8)}.${index & 255}.0/24`
}

function fnv(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** Drops what is more than so much. */
function limited(recorder: EventRecorder, { clock }: Env): EventRecorder {
  let tokens = eventBurst
  let atMs = clock.monotonic()
  return {
    event(...args) {
      const nowMs = clock.monotonic()
      tokens = Math.min(eventBurst, tokens + ((nowMs - atMs) / 1000) * eventsPerSecond)
      atMs = nowMs
      if (tokens < 1) return
      tokens--
      recorder.event(...args)
    },
  }
}
