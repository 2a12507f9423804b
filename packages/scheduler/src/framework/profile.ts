/**
 * The plugins of one scheduler name, made and called in their order. What plugins throw comes out as a
 * {@link PluginError}. Mirrors: pkg/scheduler/framework/runtime/framework.go, pkg/scheduler/profile
 */
import type { Pod } from "@knarr/api"
import { aggregateMessage } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { priorityOf, type NodeInfo, type PodInfo } from "../cache/node-info.ts"
import type { Nominator } from "../cache/nominator.ts"
import { everyEvent, type ClusterEventWithHint } from "./cluster-event.ts"
import { stateKey, type CycleState } from "./cycle-state.ts"
import {
  callPlugin,
  callPluginAsync,
  completedArgs,
  maxNodeScore,
  PluginError,
  type Handle,
  type LoadedPlugin,
  type PluginConfig,
  type PluginDescriptor,
  type PluginPoint,
  type PluginScores,
  type PostFilterResult,
  type QueuedPod,
  type SchedulerPlugin,
} from "./plugin.ts"
import {
  arrange,
  arrangeAll,
  neededPlugins,
  weightsOf,
  type ExtensionPoint,
  type PluginSets,
} from "./points.ts"
import { Status, unresolvable, unschedulable, type Code, type NodeStatuses } from "./status.ts"
import type { PreemptionAdviser } from "../preemption/candidate.ts"
import { SchedulerMetrics } from "../metrics.ts"
import { WaitingPodMap } from "./waiting-pods.ts"

/** The plugins that have a say in one pod's attempt. */
interface Steps {
  /** In `filter`. */
  readonly filters: readonly LoadedPlugin[]
  /** In `addPod` and `removePod`. */
  readonly podSteps: readonly LoadedPlugin[]
}

const noAdviser: PreemptionAdviser = { preempt: (_pod, candidates) => Promise.resolve(candidates) }

/** Of fewer nodes all are looked at. */
const minNodesToFind = 100

/** Written after `preFilter`, from which plugins can excuse themselves. */
const stepsKey = stateKey<Steps>("steps")
const noSteps: Steps = { filters: [], podSteps: [] }

export type PluginList = readonly (PluginDescriptor<any> | PluginConfig<any>)[]

export interface ProfileOptions extends Pick<
  Handle,
  "client" | "env" | "informers" | "recorder" | "scope" | "activate"
> {
  /** The `spec.schedulerName` of its pods. */
  readonly name: string
  readonly plugins: PluginList
  /** Which of them are asked where, with which weight. Default: all, wherever they have a say, in the order of the list. */
  readonly sets?: PluginSets | undefined
  /** Of nodes that can take a pod: so many, in percent, are enough to choose from; 0 is by their number. Default 0. */
  readonly percentageOfNodesToScore?: number | undefined
  readonly nominator: Nominator
  /** Default: nobody. */
  readonly extenders?: PreemptionAdviser | undefined
  /** Who refuses pods beside the plugins, and says nothing of what would help. Default: nobody. */
  readonly otherRefusers?: readonly string[] | undefined
}

/** What a plugin refused before any node was looked at, or the nodes that are left. */
export interface PreFilterOutcome {
  readonly refusal?: Status
  /** Only these nodes come into question, say these plugins. */
  readonly nodeNames?: ReadonlySet<string>
  readonly by: ReadonlySet<string>
}

type With<Point extends keyof SchedulerPlugin> = LoadedPlugin & {
  readonly plugin: Required<Pick<SchedulerPlugin, Point>> & SchedulerPlugin
}

/** Makes the plugins. Throws, naming it, when one cannot be made, or when the list makes no profile. */
export function createProfile(options: ProfileOptions): Profile {
  return new Profile(options)
}

export class Profile {
  readonly name: string
  readonly handle: Handle
  readonly plugins: readonly LoadedPlugin[]
  readonly waitingPods: WaitingPodMap
  /** Which is the plugin that sorts the queue. */
  readonly queueSort: string
  readonly less: (a: QueuedPod, b: QueuedPod) => boolean
  /** What each plugin listens for. */
  readonly events: Map<string, readonly ClusterEventWithHint[]>
  readonly #nominator: Nominator
  readonly #metrics: SchedulerMetrics
  readonly #percentageOfNodesToScore: number
  readonly #preEnqueue: readonly With<"preEnqueue">[]
  readonly #preFilter: readonly With<"preFilter">[]
  readonly #filter: readonly With<"filter">[]
  readonly #postFilter: readonly With<"postFilter">[]
  readonly #preScore: readonly With<"preScore">[]
  readonly #score: readonly With<"score">[]
  readonly #reserve: readonly With<"reserve">[]
  readonly #unreserve: readonly With<"unreserve">[]
  readonly #permit: readonly With<"permit">[]
  readonly #preBind: readonly With<"preBind">[]
  readonly #bind: readonly With<"bind">[]
  readonly #postBind: readonly With<"postBind">[]

  constructor(options: ProfileOptions) {
    const { name, nominator, plugins, sets, percentageOfNodesToScore, otherRefusers = [], ...rest } = options
    const { extenders = noAdviser, ...given } = rest
    this.name = name
    this.#percentageOfNodesToScore = percentageOfNodesToScore ?? 0
    this.#nominator = nominator
    this.#metrics = new SchedulerMetrics(given.env)
    this.waitingPods = new WaitingPodMap(given.env.clock)
    this.handle = Object.freeze({
      ...given,
      extenders,
      profileName: name,
      waitingPods: this.waitingPods,
      nominatedPods: (nodeName: string) => nominator.podsOn(nodeName),
      runFilterPlugins: (state: CycleState, pod: Readonly<Pod>, node: NodeInfo) =>
        this.filter(state, pod, node),
      runFilterPluginsWithNominatedPods: (state: CycleState, pod: Readonly<Pod>, node: NodeInfo) =>
        this.filterWithNominatedPods(state, pod, node),
      addPod: (state: CycleState, pod: Readonly<Pod>, added: PodInfo, node: NodeInfo) =>
        this.addPod(state, pod, added, node),
      removePod: (state: CycleState, pod: Readonly<Pod>, removed: PodInfo, node: NodeInfo) =>
        this.removePod(state, pod, removed, node),
      runScorePlugins: (state: CycleState, pod: Readonly<Pod>, nodes: readonly NodeInfo[]) =>
        this.score(state, pod, nodes),
    })
    this.plugins = load(name, plugins, sets, this.handle)
    const arranged = sets ? arrange(this.plugins, sets) : arrangeAll(this.plugins)
    const at = <Method extends keyof SchedulerPlugin>(
      point: ExtensionPoint,
      method: Method,
    ): readonly With<Method>[] =>
      arranged.get(point)!.filter(({ plugin }) => plugin[method] !== undefined) as With<Method>[]
    this.#preEnqueue = at("preEnqueue", "preEnqueue")
    this.#preFilter = at("preFilter", "preFilter")
    this.#filter = at("filter", "filter")
    this.#postFilter = at("postFilter", "postFilter")
    this.#preScore = at("preScore", "preScore")
    this.#score = at("score", "score")
    this.#reserve = at("reserve", "reserve")
    this.#unreserve = at("reserve", "unreserve").toReversed()
    this.#permit = at("permit", "permit")
    this.#preBind = at("preBind", "preBind")
    this.#bind = at("bind", "bind")
    this.#postBind = at("postBind", "postBind")
    const [sort, ...others] = at("queueSort", "less")
    if (!sort || others.length > 0)
      throw new Error(
        `only one queue sort plugin required for profile with scheduler name "${name}", but got ${others.length + (sort ? 1 : 0)}`,
      )
    if (this.#bind.length === 0)
      throw new Error(`at least one bind plugin is needed for profile with scheduler name "${name}"`)
    this.queueSort = sort.name
    this.less = (a, b) => sort.plugin.less(a, b)
    this.events = new Map(
      this.plugins.map(({ name: plugin, plugin: instance }) => [
        plugin,
        instance.eventsToRegister?.() ?? (mayRefuse(instance) ? [{ event: everyEvent }] : []),
      ]),
    )
    for (const other of otherRefusers) this.events.set(other, [{ event: everyEvent }])
  }

  get hasPostFilter(): boolean {
    return this.#postFilter.length > 0
  }

  get hasScore(): boolean {
    return this.#score.length > 0
  }

  /** How many of `nodes` have to be found that can take a pod. Mirrors: schedule_one.go numFeasibleNodesToFind */
  nodesToFind(nodes: number): number {
    if (!this.hasScore) return 1
    if (nodes < minNodesToFind) return nodes
    const percentage = this.#percentageOfNodesToScore || Math.max(50 - Math.floor(nodes / 125), 5)
    return Math.max(Math.floor((nodes * percentage) / 100), minNodesToFind)
  }

  /** The first refusal; undefined lets the pod into the queue. */
  preEnqueue(pod: Readonly<Pod>): Status | undefined {
    for (const one of this.#preEnqueue) {
      const status = callPlugin(one, "preEnqueue", () => one.plugin.preEnqueue(pod))
      if (status) return expectRefusal(one, "preEnqueue", status)
    }
    return undefined
  }

  preFilter(state: CycleState, pod: Readonly<Pod>): PreFilterOutcome {
    return this.#timed(
      "PreFilter",
      () => this.#runPreFilter(state, pod),
      ({ refusal }) => codeOf(refusal),
    )
  }

  #runPreFilter(state: CycleState, pod: Readonly<Pod>): PreFilterOutcome {
    const skipped = new Set<LoadedPlugin>()
    const by = new Set<string>()
    const { nodes } = state.snapshot
    let nodeNames: ReadonlySet<string> | undefined
    let refusal: Status | undefined
    for (const one of this.#preFilter) {
      const answer = callPlugin(one, "preFilter", () => one.plugin.preFilter(state, pod, nodes))
      if (answer === undefined) continue
      if (!(answer instanceof Status)) {
        by.add(one.name)
        nodeNames = nodeNames ? nodeNames.intersection(answer) : answer
        if (nodeNames.size > 0) continue
        const names = [...by].sort()
        const what =
          names.length === 1 ? `plugin ${names[0]}` : `plugin(s) [${names.join(" ")}] simultaneously`
        return { refusal: unresolvable(`node(s) didn't satisfy ${what}`), by }
      }
      if (answer.code === "Skip") {
        skipped.add(one)
        continue
      }
      const status = expectRefusal(one, "preFilter", answer)
      if (status.code === "UnschedulableAndUnresolvable") return { refusal: status, by }
      // Who asks what removing pods would do needs the others' state.
      refusal = status
    }
    state.write(stepsKey, {
      filters: this.#filter.filter((one) => !skipped.has(one)),
      podSteps: this.#preFilter.filter(
        (one) => !skipped.has(one) && (one.plugin.addPod !== undefined || one.plugin.removePod !== undefined),
      ),
    })
    return { by, ...(refusal ? { refusal } : {}), ...(nodeNames ? { nodeNames } : {}) }
  }

  addPod(state: CycleState, pod: Readonly<Pod>, added: PodInfo, node: NodeInfo): void {
    node.add(added)
    for (const one of (state.find(stepsKey) ?? noSteps).podSteps)
      expectSuccess(
        one,
        "addPod",
        callPlugin(one, "addPod", () => one.plugin.addPod?.(state, pod, added, node)),
      )
  }

  removePod(state: CycleState, pod: Readonly<Pod>, removed: PodInfo, node: NodeInfo): void {
    node.remove(removed.pod.metadata.uid)
    for (const one of (state.find(stepsKey) ?? noSteps).podSteps)
      expectSuccess(
        one,
        "removePod",
        callPlugin(one, "removePod", () => one.plugin.removePod?.(state, pod, removed, node)),
      )
  }

  /** The first refusal. Called for every node: no closures. */
  filter(state: CycleState, pod: Readonly<Pod>, node: NodeInfo): Status | undefined {
    for (const one of (state.find(stepsKey) ?? noSteps).filters) {
      let status: Status | undefined
      try {
        status = one.plugin.filter!(state, pod, node)
      } catch (thrown) {
        throw new PluginError(one.name, "filter", thrown)
      }
      if (status) return expectRefusal(one, "filter", status)
    }
    return undefined
  }

  /** The search through the nodes counts as one run of the filters, successful unless one fails. */
  timeFilters<T>(search: () => T): T {
    return this.#timed("Filter", search, () => "Success")
  }

  /**
   * Pods nominated for the node may come or not: the pod must fit with those of the same or higher priority, and
   * without them.
   */
  filterWithNominatedPods(state: CycleState, pod: Readonly<Pod>, node: NodeInfo): Status | undefined {
    if (this.#nominator.size > 0) {
      const refusal = this.#filterWith(this.#nominator.podsOn(node.name), state, pod, node)
      if (refusal) return refusal
    }
    return this.filter(state, pod, node)
  }

  #filterWith(
    nominated: Iterable<PodInfo>,
    state: CycleState,
    pod: Readonly<Pod>,
    node: NodeInfo,
  ): Status | undefined {
    const priority = priorityOf(pod)
    let what: { state: CycleState; node: NodeInfo } | undefined
    for (const info of nominated) {
      if (priorityOf(info.pod) < priority || info.pod.metadata.uid === pod.metadata.uid) continue
      what ??= { state: state.clone(), node: node.clone() }
      this.addPod(what.state, pod, info, what.node)
    }
    return what && this.filter(what.state, pod, what.node)
  }

  /** Asks until one succeeds. A failure is logged, and its words are the answer. */
  postFilter(
    state: CycleState,
    pod: Readonly<Pod>,
    statuses: NodeStatuses,
    signal: AbortSignal,
  ): Promise<PostFilterResult> {
    return this.#metrics.timePoint(
      "PostFilter",
      this.name,
      () => this.#runPostFilter(state, pod, statuses, signal),
      ({ status }) => codeOf(status),
    )
  }

  async #runPostFilter(
    state: CycleState,
    pod: Readonly<Pod>,
    statuses: NodeStatuses,
    signal: AbortSignal,
  ): Promise<PostFilterResult> {
    let nominatedNode: string | undefined
    const reasons: string[] = []
    for (const one of this.#postFilter) {
      let result: PostFilterResult
      try {
        result = await callPluginAsync(one, "postFilter", () =>
          one.plugin.postFilter(state, pod, statuses, signal),
        )
        if (result.status?.code === "Error")
          throw new PluginError(one.name, "postFilter", result.status.message)
      } catch (thrown) {
        if (signal.aborted) throw thrown
        this.handle.env.log.error("A plugin failed after no node was found", thrown, {
          plugin: one.name,
          pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
        })
        return { status: new Status("Error", [messageOf(thrown)], { plugin: one.name }) }
      }
      const code = result.status?.code ?? "Success"
      if (code === "Success" || code === "UnschedulableAndUnresolvable") return result
      if (result.nominatedNode !== undefined) nominatedNode = result.nominatedNode
      reasons.push(...result.status!.reasons)
    }
    return { status: unschedulable(...reasons), nominatedNode }
  }

  /** `preScore` and `score` of all plugins, weighted, in the order of `nodes`. */
  score(state: CycleState, pod: Readonly<Pod>, nodes: readonly NodeInfo[]): readonly PluginScores[] {
    const isSkipped = (one: With<"preScore">): boolean => {
      const status = callPlugin(one, "preScore", () => one.plugin.preScore(state, pod, nodes))
      if (status?.code === "Skip") return true
      expectSuccess(one, "preScore", status)
      return false
    }
    const runScore = (one: With<"score">): PluginScores => {
      const { plugin, name, weight } = one
      const scores = callPlugin(one, "score", () => nodes.map((node) => plugin.score!(state, pod, node)))
      callPlugin(one, "normalizeScore", () => plugin.normalizeScore?.(state, pod, scores, nodes))
      for (let i = 0; i < scores.length; i++) {
        const score = scores[i]!
        if (!(score >= 0 && score <= maxNodeScore))
          throw new PluginError(
            name,
            "invalidScore",
            `returns an invalid score ${score}, it should in the range of [0, ${maxNodeScore}] after normalizing`,
          )
        scores[i] = score * weight
      }
      return { plugin: name, scores }
    }
    const succeeded = (): Code => "Success"
    const skipped: readonly LoadedPlugin[] = this.#timed(
      "PreScore",
      () => this.#preScore.filter(isSkipped),
      succeeded,
    )
    const scorers = this.#score.filter((one) => !skipped.includes(one))
    return this.#timed("Score", () => scorers.map(runScore), succeeded)
  }

  /** The first refusal; who reserved already is told by {@link unreserve}. */
  reserve(state: CycleState, pod: Readonly<Pod>, nodeName: string): Status | undefined {
    return this.#timed("Reserve", () => this.#runReserve(state, pod, nodeName), codeOf)
  }

  #runReserve(state: CycleState, pod: Readonly<Pod>, nodeName: string): Status | undefined {
    for (const one of this.#reserve) {
      const status = callPlugin(one, "reserve", () => one.plugin.reserve(state, pod, nodeName))
      if (status) return expectRefusal(one, "reserve", status)
    }
    return undefined
  }

  unreserve(state: CycleState, pod: Readonly<Pod>, nodeName: string): void {
    for (const one of this.#unreserve)
      this.#tell(one, "unreserve", pod, () => one.plugin.unreserve(state, pod, nodeName))
  }

  /** A refusal, or which plugins hold the pod back for how many milliseconds. */
  permit(
    state: CycleState,
    pod: Readonly<Pod>,
    nodeName: string,
  ): Status | ReadonlyMap<string, number> | undefined {
    return this.#timed(
      "Permit",
      () => this.#runPermit(state, pod, nodeName),
      (answer) => (answer === undefined || answer instanceof Status ? codeOf(answer) : "Wait"),
    )
  }

  #runPermit(
    state: CycleState,
    pod: Readonly<Pod>,
    nodeName: string,
  ): Status | ReadonlyMap<string, number> | undefined {
    const waits = new Map<string, number>()
    for (const one of this.#permit) {
      const status = callPlugin(one, "permit", () => one.plugin.permit(state, pod, nodeName))
      if (status?.code === "Wait") waits.set(one.name, status.timeoutMs)
      else if (status) return expectRefusal(one, "permit", status)
    }
    return waits.size > 0 ? waits : undefined
  }

  /** The plugins that have something to do before the binding. */
  preBinders(state: CycleState, pod: Readonly<Pod>, nodeName: string): readonly With<"preBind">[] {
    return this.#preBind.filter((one) => {
      const { plugin } = one
      const status = callPlugin(one, "preBindPreFlight", () =>
        plugin.preBindPreFlight?.(state, pod, nodeName),
      )
      if (status?.code === "Skip") return false
      expectSuccess(one, "preBindPreFlight", status)
      return true
    })
  }

  preBind(
    binders: readonly With<"preBind">[],
    state: CycleState,
    pod: Readonly<Pod>,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<Status | undefined> {
    const run = async (): Promise<Status | undefined> => {
      for (const one of binders) {
        const status = await callPluginAsync(one, "preBind", () =>
          one.plugin.preBind(state, pod, nodeName, signal),
        )
        if (status) return expectRefusal(one, "preBind", status)
      }
      return undefined
    }
    return this.#metrics.timePoint("PreBind", this.name, run, codeOf)
  }

  /** The refusal of the plugin that took the pod on. */
  bind(
    state: CycleState,
    pod: Readonly<Pod>,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<Status | undefined> {
    const run = async (): Promise<Status | undefined> => {
      for (const one of this.#bind) {
        const status = await callPluginAsync(one, "bind", () => one.plugin.bind(state, pod, nodeName, signal))
        if (status?.code === "Skip") continue
        return status && expectRefusal(one, "bind", status)
      }
      throw new Error("no bind plugin took the pod")
    }
    return this.#metrics.timePoint("Bind", this.name, run, codeOf)
  }

  postBind(state: CycleState, pod: Readonly<Pod>, nodeName: string): void {
    for (const one of this.#postBind)
      this.#tell(one, "postBind", pod, () => one.plugin.postBind(state, pod, nodeName))
  }

  #timed<T>(point: string, fn: () => T, code: (answer: T) => Code): T {
    return this.#metrics.timePointSync(point, this.name, fn, code)
  }

  /** What answers nothing must not stop the others. */
  #tell(one: LoadedPlugin, point: PluginPoint, pod: Readonly<Pod>, fn: () => void): void {
    try {
      callPlugin(one, point, fn)
    } catch (thrown) {
      this.handle.env.log.error("A plugin failed", thrown, {
        pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      })
    }
  }
}

function load(
  profile: string,
  list: PluginList,
  sets: PluginSets | undefined,
  handle: Handle,
): readonly LoadedPlugin[] {
  const names = new Set<string>()
  const needed = sets && neededPlugins(sets)
  const weights = sets && weightsOf(sets)
  return list.flatMap((entry) => {
    const {
      plugin: descriptor,
      args,
      weight,
    }: PluginConfig<any> = "plugin" in entry ? entry : { plugin: entry }
    const { name } = descriptor
    if (names.has(name))
      throw new Error(`Cannot start the scheduler "${profile}": the plugin "${name}" is listed twice`)
    names.add(name)
    if (needed?.has(name) === false) return []
    try {
      const complete = completedArgs(descriptor, args)
      const errors = descriptor.validateArgs?.(complete, "") ?? []
      if (errors.length > 0) throw new Error(aggregateMessage(errors))
      return {
        name,
        weight: weights?.get(name) ?? weight ?? descriptor.weight ?? 1,
        plugin: descriptor.create(handle, complete),
        nothingToDoAt: descriptor.nothingToDoAt ?? [],
      }
    } catch (thrown) {
      throw new Error(`initializing plugin "${name}": ${messageOf(thrown)}`, { cause: thrown })
    }
  })
}

/** Whether pods can wait for what the plugin says. */
function mayRefuse(plugin: SchedulerPlugin): boolean {
  const { preEnqueue, preFilter, filter, reserve, permit } = plugin
  return [preEnqueue, preFilter, filter, reserve, permit].some((method) => method !== undefined)
}

const codeOf = (status: Status | undefined): Code => status?.code ?? "Success"

/** A refusal with its plugin's name; any other status is the plugin's failure. */
function expectRefusal(one: LoadedPlugin, point: PluginPoint, status: Status): Status {
  if (status.isRejected) return status.withPlugin(one.name)
  throw new PluginError(one.name, point, status.message || `answered ${status.code}`)
}

function expectSuccess(one: LoadedPlugin, point: PluginPoint, status: Status | undefined): void {
  if (status && status.code !== "Success")
    throw new PluginError(one.name, point, status.message || `answered ${status.code}`)
}
