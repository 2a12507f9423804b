/**
 * The contract of scheduler plugins. A plugin is one file that exports a frozen descriptor; each profile makes an
 * instance of it, whose capabilities are its optional methods. Mirrors: kube-scheduler framework/interface.go
 */
import type { Pod } from "@knarr/api"
import type { FieldError, SchemaTable } from "@knarr/apimachinery"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { Client, EventRecorder, InformerFactory } from "@knarr/client"
import type { NodeInfo, PodInfo } from "../cache/node-info.ts"
import type { PreemptionAdviser } from "../preemption/candidate.ts"
import type { ClusterEventWithHint } from "./cluster-event.ts"
import type { CycleState } from "./cycle-state.ts"
import type { NodeStatuses, Status } from "./status.ts"
import type { WaitingPod } from "./waiting-pods.ts"

/** A pod as the queue has it. */
export interface QueuedPod {
  readonly pod: Readonly<Pod>
  /** When it was last put into the queue, and when for the first time, in milliseconds since the epoch. */
  readonly timestampMs: number
  readonly firstMs: number
  /** How often it has been taken out. */
  readonly attempts: number
}

export interface PostFilterResult {
  /**
   * Success (`undefined`, or a status that says what was done): the pod can be scheduled once what the plugin began
   * is through. A refusal says why the plugin cannot help.
   */
  readonly status: Status | undefined
  /** The node that the pod is nominated for; empty takes a nomination back. Default: as it is. */
  readonly nominatedNode?: string | undefined
}

/**
 * The extension points, in the order of an attempt. A method that is missing has nothing to say. Pods and nodes
 * are frozen; an answer of `undefined` is success; what is thrown, and a status `Error`, fails the attempt of the
 * pod at hand and of no other. Up to `permit` only `postFilter` may wait.
 */
export interface SchedulerPlugin {
  /**
   * After which events a pod that this plugin refused is worth another try; asked once. Default: after every
   * event, which is dear.
   */
  eventsToRegister?(): readonly ClusterEventWithHint[]
  /** A refusal keeps the pod out of the queue until one of the events. */
  preEnqueue?(pod: Readonly<Pod>): Status | undefined
  /** Whether `a` comes before `b`. Exactly one plugin sorts the queue, the same in all profiles. */
  less?(a: QueuedPod, b: QueuedPod): boolean

  /** `Skip` skips the plugin's `filter`, `addPod` and `removePod`; a set of names says that only these nodes come into question. */
  preFilter?(
    state: CycleState,
    pod: Readonly<Pod>,
    nodes: readonly NodeInfo[],
  ): ReadonlySet<string> | Status | undefined
  /** Keeps what `preFilter` wrote true while somebody asks what would be with `added` on the node, too. */
  addPod?(state: CycleState, pod: Readonly<Pod>, added: PodInfo, node: NodeInfo): Status | undefined
  /** The same without `removed`. */
  removePod?(state: CycleState, pod: Readonly<Pod>, removed: PodInfo, node: NodeInfo): Status | undefined
  /** Looks at `node` as it is given, which in a what-if is not the snapshot's. */
  filter?(state: CycleState, pod: Readonly<Pod>, node: NodeInfo): Status | undefined
  /**
   * No node can take the pod. Plugins are asked until one succeeds. The next pod waits meanwhile: what takes longer
   * is begun in the handle's scope.
   */
  postFilter?(
    state: CycleState,
    pod: Readonly<Pod>,
    statuses: NodeStatuses,
    signal: AbortSignal,
  ): PostFilterResult | Promise<PostFilterResult>

  /** `Skip` skips the plugin's `score`. */
  preScore?(state: CycleState, pod: Readonly<Pod>, nodes: readonly NodeInfo[]): Status | undefined
  /** Any whole number; `normalizeScore` brings it to 0…100, or it is there already. */
  score?(state: CycleState, pod: Readonly<Pod>, node: NodeInfo): number
  /** Changes `scores`, one per node, in place. */
  normalizeScore?(state: CycleState, pod: Readonly<Pod>, scores: number[], nodes: readonly NodeInfo[]): void

  /** The pod counts on the node from now on. */
  reserve?(state: CycleState, pod: Readonly<Pod>, nodeName: string): Status | undefined
  /** It does not after all. Called of every plugin, in reverse order, and must bear that `reserve` was not. */
  unreserve?(state: CycleState, pod: Readonly<Pod>, nodeName: string): void
  /** `wait(ms)` holds the binding back until `WaitingPod.allow`, a rejection, or the time is over. */
  permit?(state: CycleState, pod: Readonly<Pod>, nodeName: string): Status | undefined

  /** `Skip`: the plugin's `preBind` has nothing to do for this pod. Quick, and without effect. */
  preBindPreFlight?(state: CycleState, pod: Readonly<Pod>, nodeName: string): Status | undefined
  preBind?(
    state: CycleState,
    pod: Readonly<Pod>,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<Status | undefined>
  /** `Skip` leaves the pod to the next one; the first that does not has bound it. */
  bind?(
    state: CycleState,
    pod: Readonly<Pod>,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<Status | undefined>
  /** The pod is bound. A failure is logged. */
  postBind?(state: CycleState, pod: Readonly<Pod>, nodeName: string): void
}

/** Where pods wait that `permit` holds back. */
export interface WaitingPods {
  get(uid: string): WaitingPod | undefined
  list(): readonly WaitingPod[]
}

/**
 * What a plugin has of its profile. The `run…` calls are what a what-if is made of: clone state and node, add or
 * remove pods on both, and filter.
 */
export interface Handle {
  readonly profileName: string
  /** Acts as the scheduler. */
  readonly client: Client
  readonly env: Env
  /** An informer asked for in `create` is synced before the first pod is scheduled. */
  readonly informers: InformerFactory
  readonly recorder: EventRecorder
  /** Ends with the scheduler: for work that no attempt waits for. */
  readonly scope: Scope
  readonly waitingPods: WaitingPods
  /** Programs of the operator's that are asked, too, whom a pod drives away: they leave some of the candidates. */
  readonly extenders: PreemptionAdviser
  nominatedPods(nodeName: string): Iterable<PodInfo>
  /** Tries these pods again now, if they wait. */
  activate(pods: readonly Readonly<Pod>[]): void
  /** The plugins' refusal of the node as it is given. Throws a {@link PluginError}, as all of these do. */
  runFilterPlugins(state: CycleState, pod: Readonly<Pod>, node: NodeInfo): Status | undefined
  /** With the nominated pods of the same or higher priority on the node, and without them. */
  runFilterPluginsWithNominatedPods(state: CycleState, pod: Readonly<Pod>, node: NodeInfo): Status | undefined
  /** Adds the pod to node and state, which must be clones. */
  addPod(state: CycleState, pod: Readonly<Pod>, added: PodInfo, node: NodeInfo): void
  removePod(state: CycleState, pod: Readonly<Pod>, removed: PodInfo, node: NodeInfo): void
  /** `preScore` and `score` of all plugins, weighted and in the order of `nodes`. */
  runScorePlugins(state: CycleState, pod: Readonly<Pod>, nodes: readonly NodeInfo[]): readonly PluginScores[]
}

/** What one plugin said of each node, brought to 0…100 and multiplied by its weight. */
export interface PluginScores {
  readonly plugin: string
  readonly scores: readonly number[]
}

/** What a list of plugins is made of. */
export interface PluginDescriptor<Args extends object = object> {
  /** Upstream's name; it shows in metrics and messages. */
  readonly name: string
  /** Of its score; default 1. */
  readonly weight?: number
  /** What `create` gets where a profile says nothing else. */
  readonly defaultArgs?: Readonly<Args>
  /** How a configuration writes the arguments: tables as those of the API, of which `<name>Args` is theirs. Default: it takes none. */
  readonly argsTable?: SchemaTable
  /** Fills in what depends on other arguments, or lies deeper in them. Default: nothing does. */
  completeArgs?(args: Readonly<Args>): Args
  /** What is wrong with complete arguments; `path` is where they are written. */
  validateArgs?(args: Readonly<Args>, path: string): readonly FieldError[]
  /** Extension points of upstream's plugin for which this one needs nothing: a configuration may name them. */
  readonly nothingToDoAt?: readonly string[]
  /** `args` are complete and valid. Throws when it cannot work: then the scheduler does not start. */
  create(handle: Handle, args: Readonly<Args>): SchedulerPlugin
}

/** A plugin as a profile wants it. */
export interface PluginConfig<Args extends object = object> {
  readonly plugin: PluginDescriptor<Args>
  /** Over the plugin's defaults. */
  readonly args?: Readonly<Partial<Args>>
  readonly weight?: number
}

/** An instance in its profile. */
export interface LoadedPlugin {
  readonly name: string
  readonly weight: number
  readonly plugin: SchedulerPlugin
  readonly nothingToDoAt: readonly string[]
}

/** The complete arguments: what is given over the defaults. */
export function completedArgs<Args extends object>(
  { defaultArgs, completeArgs }: PluginDescriptor<Args>,
  given: Readonly<Partial<Args>> | undefined,
): Args {
  const args = { ...defaultArgs, ...given } as Args
  return completeArgs ? completeArgs(args) : args
}

/** Declares a plugin. */
export function definePlugin<Args extends object = object>(
  plugin: PluginDescriptor<Args>,
): PluginDescriptor<Args> {
  return Object.freeze(plugin)
}

/** Says how a profile wants a plugin. */
export function configurePlugin<Args extends object>(config: PluginConfig<Args>): PluginConfig<any> {
  return Object.freeze(config)
}

export type PluginPoint = keyof typeof pluginFailure

/** Mirrors: pkg/scheduler/framework/runtime/framework.go */
const pluginFailure = {
  preEnqueue: "running PreEnqueue plugin %q: ",
  preFilter: "running PreFilter plugin %q: ",
  addPod: "running AddPod on PreFilter plugin %q: ",
  removePod: "running RemovePod on PreFilter plugin %q: ",
  filter: "running %q filter plugin: ",
  postFilter: "",
  preScore: "running PreScore plugin %q: ",
  score: "running Score plugins: plugin %q failed with: ",
  normalizeScore: "running Normalize on Score plugins: plugin %q failed with: ",
  invalidScore: "applying score defaultWeights on Score plugins: plugin %q ",
  reserve: "running Reserve plugin %q: ",
  unreserve: "running Unreserve plugin %q: ",
  permit: "running Permit plugin %q: ",
  waitOnPermit: "waiting on permit for pod: ",
  preBindPreFlight: "running PreBindPreFlight %q: ",
  preBind: "running PreBind plugin %q: ",
  bind: "running Bind plugin %q: ",
  postBind: "running PostBind plugin %q: ",
  queueingHint: "running QueueingHintFn of plugin %q: ",
}

/** A plugin failed. The message is upstream's for its extension point. */
export class PluginError extends Error {
  readonly plugin: string
  constructor(plugin: string, point: PluginPoint, thrown: unknown) {
    const prefix = pluginFailure[point].replace("%q", JSON.stringify(plugin))
    super(prefix + messageOf(thrown), { cause: thrown })
    this.name = "PluginError"
    this.plugin = plugin
  }
}

/** Calls a plugin. Throws a {@link PluginError}. */
export function callPlugin<T>(plugin: { readonly name: string }, point: PluginPoint, fn: () => T): T {
  try {
    return fn()
  } catch (thrown) {
    throw new PluginError(plugin.name, point, thrown)
  }
}

/** The same of what waits. */
export async function callPluginAsync<T>(
  plugin: { readonly name: string },
  point: PluginPoint,
  fn: () => T | Promise<T>,
): Promise<T> {
  try {
    return await fn()
  } catch (thrown) {
    throw new PluginError(plugin.name, point, thrown)
  }
}

export const maxNodeScore = 100

/** Scales scores so that the highest becomes 100 (or, reversed, 0). Mirrors: plugins/helper/normalize_score.go */
export function normalizeByMax(scores: number[], reverse: boolean): void {
  let max = 0
  for (const score of scores) max = Math.max(max, score)
  for (let i = 0; i < scores.length; i++) {
    const scaled = max === 0 ? 0 : Math.floor((scores[i]! * maxNodeScore) / max)
    scores[i] = reverse ? maxNodeScore - scaled : scaled
  }
}
