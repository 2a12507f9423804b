/**
 * The contract of scheduler plugins. A plugin is one file that exports a frozen descriptor; its capabilities
 * are its optional methods. All of them are synchronous and pure: they look at a snapshot and answer. What one
 * throws is a {@link PluginError} for the pod at hand, which is tried again; other pods are not concerned.
 * Mirrors: kube-scheduler framework/interface.go
 */
import type { Pod } from "@knarr/api"
import type { Selector } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { NodeInfo } from "./cache/node-info.ts"

/** What may have happened in the cluster since a pod was refused. */
export type ClusterEvent =
  | "node added"
  | "node allocatable changed"
  | "node labels changed"
  | "node taints changed"
  | "pod added"
  | "pod labels changed"
  | "pod deleted"
  | "pod itself changed"

/** Why a node, or the pod as a whole, is refused. */
export interface Refusal {
  /** Upstream's words; they are counted per node in the event's message. */
  readonly reasons: readonly string[]
  /** Removing other pods cannot help. */
  readonly unresolvable?: boolean
}

/** What one scheduling cycle looks at; it does not change meanwhile. */
export interface Snapshot {
  readonly nodes: readonly NodeInfo[]
  readonly byName: ReadonlyMap<string, NodeInfo>
  /** Nodes on which some pod has affinity terms; the same for required anti-affinity. */
  readonly withAffinity: readonly NodeInfo[]
  readonly withRequiredAntiAffinity: readonly NodeInfo[]
  /** Labels of a namespace, for namespace selectors. */
  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined
  /** What selects the pod together with its siblings: its services' and its controller's selectors. */
  defaultSelector(pod: Readonly<Pod>): Selector | undefined
}

export interface PreFilterResult<State> {
  /** Kept for `filter`; undefined skips the plugin's `filter` in this cycle. */
  readonly state?: State | undefined
  /** Only these nodes come into question. */
  readonly nodeNames?: ReadonlySet<string>
  /** No node at all can do. */
  readonly refusal?: Refusal
}

/** `State` passes from `preFilter` to `filter`, `Scores` from `preScore` to `score`. */
export interface SchedulerPlugin<State = any, Scores = any> {
  /** Upstream's name; it shows in metrics and messages. */
  readonly name: string
  /** Of its score; default 1. */
  readonly weight?: number
  /** After which events a pod that this plugin refused is worth another try. */
  readonly events: readonly ClusterEvent[]
  /** Keeps a pod out of the queue: the answer says why. */
  preEnqueue?(pod: Readonly<Pod>): string | undefined
  preFilter?(pod: Readonly<Pod>, snapshot: Snapshot): PreFilterResult<State>
  filter?(pod: Readonly<Pod>, node: NodeInfo, state: State): Refusal | undefined
  /** Undefined skips the plugin's `score` in this cycle. */
  preScore?(pod: Readonly<Pod>, nodes: readonly NodeInfo[], snapshot: Snapshot): Scores | undefined
  /** Any number; `normalize` or the framework brings it to 0…100. */
  score?(pod: Readonly<Pod>, node: NodeInfo, scores: Scores): number
  /** Brings the scores of all nodes to 0…100, in place. Default: they are already. */
  normalize?(scores: number[], state: Scores): void
}

/** A plugin threw. The message is upstream's for its extension point. */
export class PluginError extends Error {
  constructor(plugin: string, point: PluginPoint, thrown: unknown) {
    const failed = pluginFailure[point].replace("%q", JSON.stringify(plugin))
    super(`${failed}: ${messageOf(thrown)}`, { cause: thrown })
    this.name = "PluginError"
  }
}

export type PluginPoint = "preEnqueue" | "preFilter" | "filter" | "preScore" | "score" | "normalize"

/** Mirrors: pkg/scheduler/framework/runtime/framework.go */
const pluginFailure: Readonly<Record<PluginPoint, string>> = {
  preEnqueue: "running PreEnqueue plugin %q",
  preFilter: "running PreFilter plugin %q",
  filter: "running %q filter plugin",
  preScore: "running PreScore plugin %q",
  score: "running Score plugins: plugin %q failed with",
  normalize: "running Normalize on Score plugins: plugin %q failed with",
}

/** Calls a plugin. Throws a {@link PluginError}. */
export function callPlugin<T>(plugin: { readonly name: string }, point: PluginPoint, fn: () => T): T {
  try {
    return fn()
  } catch (thrown) {
    throw new PluginError(plugin.name, point, thrown)
  }
}

export const maxNodeScore = 100

/** Declares a plugin. */
export function definePlugin<State = void, Scores = void>(
  plugin: SchedulerPlugin<State, Scores>,
): SchedulerPlugin {
  return Object.freeze(plugin)
}

/** Scales scores so that the highest becomes 100 (or, reversed, 0). Mirrors: plugins/helper/normalize_score.go */
export function normalizeByMax(scores: number[], reverse: boolean): void {
  let max = 0
  for (const score of scores) max = Math.max(max, score)
  for (let i = 0; i < scores.length; i++) {
    const scaled = max === 0 ? 0 : Math.floor((scores[i]! * maxNodeScore) / max)
    scores[i] = reverse ? maxNodeScore - scaled : scaled
  }
}
