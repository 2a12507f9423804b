/**
 * Registers the Node and keeps its status: at once until it is ready, then when something changes and, for a sign
 * of life, every few minutes (the Lease says that the node is there).
 * Mirrors: pkg/kubelet/kubelet_node_status.go
 */
import { node as nodeKind, type ContainerImage, type Node, type NodeStatus, type Taint } from "@knarr/api"
import {
  createTwoWayMergePatch,
  deepEqual,
  isAlreadyExists,
  isNotFound,
  jsonClone,
  type JsonObject,
} from "@knarr/apimachinery"
import { Backoff, deferred, abortable, messageOf, withTimeout, type Env, type Scope } from "@knarr/base"
import {
  createInformerFactory,
  type Client,
  type EventRecorder,
  type EventSubject,
  type InformerFactory,
} from "@knarr/client"
import { parseThresholds, type Threshold } from "../eviction/thresholds.ts"
import type { ContainerRuntime, RuntimeResponse } from "../runtime/container-runtime.ts"
import { runNodeLease } from "./node-lease.ts"
import type { NodeHost } from "./node-host.ts"
import {
  buildNodeStatus,
  imagesStatus,
  nodeLabels,
  type NodePressure,
  type RuntimeFacts,
} from "./node-status.ts"

export interface NodeAgentOptions {
  readonly env: Env
  readonly scope: Scope
  readonly client: Client
  readonly runtime: ContainerRuntime
  readonly host: NodeHost
  readonly nodeName: string
  /** For example `v1.37.2`. */
  readonly kubeletVersion: string
  /** Where the kubelet's server listens. */
  readonly port: number
  /** Default: the machine's first address. */
  readonly nodeIPs?: readonly string[]
  /** Default 110. */
  readonly maxPods?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /** Only for a node that is new. */
  readonly taints?: readonly Taint[]
  readonly unschedulable?: boolean
  readonly providerID?: string
  /** Of a new node: its pod networks, where nobody gives it one. */
  readonly podCIDRs?: readonly string[]
  /** Where the Node comes from; default: an informer of its own. */
  readonly informers?: InformerFactory
  readonly reserved?: Readonly<Record<string, string>>
  readonly recorder?: EventRecorder
  /** Default: none. */
  readonly pressure?: () => NodePressure
  /** At which pods are evicted; default: upstream's. */
  readonly thresholds?: readonly Threshold[]
  /** More reasons for not being ready, for example that a shutdown is under way. */
  readonly problems?: () => readonly string[]
  /** Attached volumes that pods have or are about to get; undefined: not known yet, the status stays. Default: none. */
  readonly volumesInUse?: () => readonly string[] | undefined
  /** Called with the node's pod networks, now and when they change. */
  readonly onPodCIDRs?: (cidrs: readonly string[]) => void
  /** Default 10 s: how often the status is computed; it is sent every 5 minutes or when it has changed. */
  readonly statusPeriodMs?: number
  /** Default 40 s; renewed four times as often. */
  readonly leaseSeconds?: number
  /** Default false; see {@link NodeLeaseOptions.spread}. */
  readonly spreadLeases?: boolean
}

export interface NodeAgent {
  /** The Node as the API has it; undefined until it is registered. */
  node(): Readonly<Node> | undefined
  /** What pods may use, from the machine itself: known from the start. */
  allocatable(): Readonly<Record<string, string>>
  /** What the runtime said of itself last; undefined when it has never answered. */
  runtimeStatus(): RuntimeResponse<"status"> | undefined
  readonly nodeIPs: readonly string[]
  /** Resolves when the Node is at the API. */
  registered(signal: AbortSignal): Promise<void>
  /** Resolves when the API has been told that the node is ready. */
  ready(signal: AbortSignal): Promise<void>
  /** Resolves when the API has the volume in the Node's `volumesInUse`. */
  reportedInUse(uniqueName: string, signal: AbortSignal): Promise<void>
  /** Looks at everything now: call it when runtime, network or pressure may have changed. */
  refresh(): void
}

const reportPeriodMs = 5 * 60_000
const eagerPollMs = 50
const eagerLimitMs = 60_000
const unreadyPollMs = 1000
const runtimeTimeoutMs = 2 * 60_000
const maxRetryMs = 7000

export function createNodeAgent(options: NodeAgentOptions): NodeAgent {
  const agent = new Agent(options)
  agent.start()
  return agent
}

class Agent implements NodeAgent {
  readonly #options: NodeAgentOptions
  readonly #scope: Scope
  readonly nodeIPs: readonly string[]
  readonly #registered = deferred()
  readonly #ready = deferred()
  #wake = deferred()
  /** Until the next Node comes from the API. */
  #taken = deferred()
  #node: Readonly<Node> | undefined
  #runtime: RuntimeFacts = { version: undefined, status: undefined, error: undefined }
  #runtimeStatus: RuntimeResponse<"status"> | undefined
  #images: ContainerImage[] = []
  #sentMs = 0
  #isReady = false
  /** The Node is this kubelet's: made by it, or brought up to date. */
  #claimed = false
  #podCIDRs = ""
  #status: NodeStatus

  constructor(options: NodeAgentOptions) {
    this.#options = options
    this.#scope = options.scope.child(`node ${options.nodeName}`)
    this.nodeIPs = options.nodeIPs ?? options.host.facts.addresses.slice(0, 1)
    this.#status = this.#build(undefined)
  }

  start(): void {
    this.#options.recorder?.event(this.#subject(), "Normal", "Starting", "Starting kubelet.")
    this.#scope.run("status", (signal) => this.#run(signal), { restart: true })
    this.#scope.run(
      "lease",
      async (signal) => {
        await this.registered(signal)
        await runNodeLease(
          {
            env: this.#options.env,
            client: this.#options.client,
            nodeName: this.#options.nodeName,
            durationSeconds: this.#options.leaseSeconds ?? 40,
            nodeUid: () => this.#node?.metadata.uid,
            spread: this.#options.spreadLeases ?? false,
          },
          signal,
        )
      },
      { restart: true },
    )
    this.#watch()
  }

  node(): Readonly<Node> | undefined {
    return this.#node
  }

  runtimeStatus(): RuntimeResponse<"status"> | undefined {
    return this.#runtimeStatus
  }

  allocatable(): Readonly<Record<string, string>> {
    return this.#status.allocatable ?? {}
  }

  registered(signal: AbortSignal): Promise<void> {
    return abortable(this.#registered.promise, signal)
  }

  ready(signal: AbortSignal): Promise<void> {
    return abortable(this.#ready.promise, signal)
  }

  async reportedInUse(uniqueName: string, signal: AbortSignal): Promise<void> {
    while (!this.#node?.status?.volumesInUse?.includes(uniqueName)) {
      this.refresh()
      await abortable(this.#taken.promise, signal)
    }
  }

  refresh(): void {
    this.#wake.resolve()
  }

  /** Follows the Node object for what others write to it. */
  #watch(): void {
    const { client, env, nodeName } = this.#options
    const { informers = createInformerFactory({ client, scope: this.#scope, env }) } = this.#options
    const informer = informers.informer<Node>(nodeKind, { fieldSelector: `metadata.name=${nodeName}` })
    this.#scope.use(
      informer.subscribe({
        added: (node) => this.#take(node),
        updated: (node, old) => {
          this.#take(node)
          // Somebody gives the node a resource of another kind.
          if (!deepEqual(node.status?.capacity, old.status?.capacity)) this.refresh()
        },
        deleted: () => {
          this.#node = undefined
          this.#claimed = false
          this.refresh()
        },
      }),
    )
  }

  #take(node: Readonly<Node>): void {
    const known = Number(this.#node?.metadata.resourceVersion ?? 0)
    const isSame = this.#node?.metadata.uid === node.metadata.uid
    if (isSame && Number(node.metadata.resourceVersion ?? 0) < known) return
    this.#node = node
    const taken = this.#taken
    this.#taken = deferred()
    taken.resolve()
    this.#registered.resolve()
    const { podCIDR, podCIDRs = podCIDR ? [podCIDR] : [] } = node.spec ?? {}
    const text = podCIDRs.join(",")
    if (text === "" || text === this.#podCIDRs) return
    this.#podCIDRs = text
    this.#options.onPodCIDRs?.(podCIDRs)
    this.#scope.run(
      "pod network",
      async (signal) => {
        try {
          const runtimeConfig = { networkConfig: { podCidr: text } }
          await this.#options.runtime.updateRuntimeConfig({ runtimeConfig }, { signal })
        } catch (thrown) {
          if (signal.aborted) return
          this.#options.env.log.warn("Cannot tell the runtime the pod network", { cidr: text, err: thrown })
          this.#podCIDRs = ""
        }
        this.refresh()
      },
      { contained: true },
    )
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { env, statusPeriodMs = 10_000 } = this.#options
    const { clock } = env
    const eagerUntilMs = clock.monotonic() + eagerLimitMs
    const retry = new Backoff({ firstMs: 100, maxMs: maxRetryMs })
    for (;;) {
      this.#wake = deferred()
      let waitMs = statusPeriodMs
      try {
        await this.#update(signal)
        retry.reset()
        if (!this.#isReady) waitMs = clock.monotonic() < eagerUntilMs ? eagerPollMs : unreadyPollMs
      } catch (thrown) {
        if (signal.aborted) return
        env.log.warn("Cannot write the node's status, retrying", {
          node: this.#options.nodeName,
          err: thrown,
        })
        waitMs = retry.next()
      }
      await this.#pause(waitMs, signal)
    }
  }

  /** Until the time is over or somebody calls `refresh`. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const wake = this.#wake
    using _timer = this.#options.env.clock.timer(ms, () => wake.resolve())
    await abortable(wake.promise, signal)
  }

  async #update(signal: AbortSignal): Promise<void> {
    await this.#askRuntime(signal)
    if (!this.#claimed || !this.#node) await this.#register(signal)
    else await this.#report(signal)
    this.#registered.resolve()
    const ready = this.#node?.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True"
    if (ready) this.#ready.resolve()
    this.#isReady = ready
  }

  async #askRuntime(signal: AbortSignal): Promise<void> {
    const { runtime, env } = this.#options
    try {
      await withTimeout(env.clock, runtimeTimeoutMs, "the runtime's status", signal, async (limited) => {
        const [status, version, images] = await Promise.all([
          runtime.status({ verbose: false }, { signal: limited }),
          this.#runtime.version ?? runtime.version({ version: "v1" }, { signal: limited }),
          this.#isReady ? runtime.listImages({}, { signal: limited }) : undefined,
        ])
        this.#runtime = { version, status, error: undefined }
        this.#runtimeStatus = status
        if (images) this.#images = imagesStatus(images)
      })
    } catch (thrown) {
      signal.throwIfAborted()
      this.#runtime = { version: undefined, status: undefined, error: messageOf(thrown) }
    }
  }

  #build(previous: Readonly<NodeStatus> | undefined): NodeStatus {
    const options = this.#options
    return buildNodeStatus(
      {
        host: options.host,
        nodeName: options.nodeName,
        nodeIPs: this.nodeIPs,
        port: options.port,
        maxPods: options.maxPods ?? 110,
        kubeletVersion: options.kubeletVersion,
        reserved: options.reserved ?? {},
        runtime: this.#runtime,
        pressure: options.pressure?.() ?? { memory: false, disk: false, pid: false },
        thresholds: options.thresholds ?? parseThresholds({}),
        images: this.#images,
        volumesInUse: options.volumesInUse ? options.volumesInUse() : [],
        problems: options.problems?.() ?? [],
        nowMs: options.env.clock.now(),
      },
      previous,
    )
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, nodeName, host, labels, annotations, taints, unschedulable } = this.#options
    const { providerID, podCIDRs } = this.#options
    const status = this.#build(undefined)
    const body = {
      apiVersion: "v1",
      kind: "Node",
      metadata: {
        name: nodeName,
        labels: { ...nodeLabels(nodeName, host.facts), ...labels },
        annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true", ...annotations },
      },
      spec: {
        ...(taints?.length ? { taints: [...taints] } : {}),
        ...(unschedulable ? { unschedulable } : {}),
        ...(providerID ? { providerID } : {}),
        ...(podCIDRs?.length ? { podCIDR: podCIDRs[0], podCIDRs } : {}),
      },
      status,
    }
    let node: Node
    try {
      node = await client.create(nodeKind, body as never, { signal })
      this.#status = status
      this.#sentMs = this.#options.env.clock.monotonic()
      this.#record(undefined, status)
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown
      node = await client.get(nodeKind, { name: nodeName }, { signal })
      node = await this.#reconcile(node, signal)
      this.#take(node)
      this.#claimed = true
      this.#sentMs = Number.NEGATIVE_INFINITY
      return this.#report(signal)
    }
    this.#take(node)
    this.#claimed = true
  }

  /** A node that was there before gets the labels and annotations that are this kubelet's to set. */
  async #reconcile(node: Readonly<Node>, signal: AbortSignal): Promise<Node> {
    const { client, nodeName, host, labels, annotations } = this.#options
    const wanted = { ...nodeLabels(nodeName, host.facts), ...labels }
    const patch: JsonObject = {}
    const differing = (
      have: Readonly<Record<string, string>> | undefined,
      want: Readonly<Record<string, string>>,
    ): JsonObject => Object.fromEntries(Object.entries(want).filter(([key, value]) => have?.[key] !== value))
    const changedLabels = differing(node.metadata.labels, wanted)
    const changedAnnotations = differing(node.metadata.annotations, annotations ?? {})
    if (Object.keys(changedLabels).length > 0) patch["labels"] = changedLabels
    if (Object.keys(changedAnnotations).length > 0) patch["annotations"] = changedAnnotations
    if (Object.keys(patch).length === 0) return node
    return client.patch(nodeKind, { name: nodeName }, "strategic", { metadata: patch }, { signal })
  }

  /** Sends the status when it has changed, or was last sent long ago. */
  async #report(signal: AbortSignal): Promise<void> {
    const { env, client, nodeName } = this.#options
    const before = this.#node!
    const status = this.#build(before.status)
    this.#status = status
    const nowMs = env.clock.monotonic()
    const isDue = nowMs - this.#sentMs >= reportPeriodMs
    if (!isDue && deepEqual(withoutHeartbeats(before.status ?? {}), withoutHeartbeats(status))) return
    const patch = createTwoWayMergePatch(
      { status: jsonClone(before.status ?? {}) } as unknown as JsonObject,
      { status: jsonClone(status) } as unknown as JsonObject,
      nodeKind.schema,
    )
    // Addresses are merged by type, of which there may be two.
    const changed = patch["status"] as JsonObject | undefined
    if (changed?.["addresses"])
      changed["addresses"] = [{ $patch: "replace" }, ...jsonClone(status.addresses as never[])]
    this.#sentMs = nowMs
    if (Object.keys(patch).length === 0) return
    try {
      const options = { subresource: "status", signal }
      const written = await client.patch(nodeKind, { name: nodeName }, "strategic", patch, options)
      this.#take(written)
      this.#record(before.status, status)
    } catch (thrown) {
      this.#sentMs = Number.NEGATIVE_INFINITY
      if (!isNotFound(thrown)) throw thrown
      this.#node = undefined
      this.#claimed = false
      return this.#register(signal)
    }
  }

  /** Events name the Node by its name: its uid is not known from the start. */
  #subject(): EventSubject {
    const { nodeName } = this.#options
    return { apiVersion: "v1", kind: "Node", metadata: { name: nodeName, uid: nodeName } }
  }

  /** The events that go with changed conditions. */
  #record(before: Readonly<NodeStatus> | undefined, after: Readonly<NodeStatus>): void {
    const { recorder, nodeName } = this.#options
    if (!recorder) return
    const subject = this.#subject()
    for (const condition of after.conditions ?? []) {
      const old = before?.conditions?.find(({ type }) => type === condition.type)
      if (old?.status === condition.status) continue
      const reason = eventReasons[condition.type]?.[condition.status]
      if (!reason || (condition.type === "Ready" && !old && condition.status !== "True")) continue
      recorder.event(subject, "Normal", reason, `Node ${nodeName} status is now: ${reason}`)
    }
  }
}

const eventReasons: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { True: "NodeReady", False: "NodeNotReady" },
  MemoryPressure: { True: "NodeHasInsufficientMemory", False: "NodeHasSufficientMemory" },
  DiskPressure: { True: "NodeHasDiskPressure", False: "NodeHasNoDiskPressure" },
  PIDPressure: { True: "NodeHasInsufficientPID", False: "NodeHasSufficientPID" },
}

function withoutHeartbeats(status: Readonly<NodeStatus>): NodeStatus {
  const conditions = [...(status.conditions ?? [])]
    .map(({ lastHeartbeatTime: _, ...rest }) => rest)
    .sort((a, b) => (a.type < b.type ? -1 : 1))
  return { ...status, conditions }
}
