/**
 * The contract of a node's parts: whatever runs on a node beside its pods, started and ended by `node-parts.ts` in the
 * list of `order.ts`. A part is one file that exports one frozen value; importing it does nothing. Other parts reach
 * what it provides by that value, so that an import says who depends on whom.
 */
import type { Env, RestartPolicy, Scope } from "@knarr/base"
import type { HealthCheck } from "@knarr/kubelet"
import type { ClusterConfig, ClusterHome } from "../cluster-home.ts"
import type { LocalNode } from "../node-names.ts"
import type { NodePki } from "../pki.ts"
import type { Steps } from "../start-progress.ts"

/** The node whose parts they are. */
export interface NodeContext {
  readonly cluster: ClusterHome
  readonly config: ClusterConfig
  readonly local: LocalNode
  readonly pki: NodePki
  /** The CRI socket of a runtime that runs already; undefined: the node starts one of its own. */
  readonly runtimeSocket?: string | undefined
  /** Tells whoever waits for the node's start. */
  readonly steps: Steps
}

/** What a part is given of the others, and to run in. */
export interface PartDeps {
  /** The part's own, of this start: what fails in it fails the part, and its end ends the part. */
  readonly scope: Scope
  /** What a part that is needed provides. Throws for one that is not among `needs`. */
  need<Provided>(part: NodePart<Provided>): Provided
  /** What a part that is used provides; undefined while it does not run. Throws for one that is not among `uses`. */
  use<Provided>(part: NodePart<Provided>): Provided | undefined
  /** How all parts of the node are, for the one that tells others. */
  readonly health: readonly HealthCheck[]
}

/** A part that runs. */
export interface RunningPart<Provided> {
  /** What other parts get of it. */
  readonly provides: Provided
  /** Its work, until `signal` is aborted. That it throws, or returns earlier, fails the part. */
  readonly run?: (signal: AbortSignal) => Promise<void>
  /** Undefined when all is well, else what is wrong; asked whenever somebody asks for the node's health. */
  readonly healthy?: () => string | undefined
  /** Called once when it has ended, whatever the reason; what other parts provide is still there. */
  readonly close?: () => Promise<void>
}

/**
 * A part that fails (in `start`, in `run` or in its scope) is logged once, ended, and started again after a back-off;
 * parts that need it end before it and start again after it. The others go on.
 */
export interface NodePart<Provided = unknown> {
  /** As logs, health checks and scopes call it; kebab-case. */
  readonly name: string
  /** Parts without which it cannot run. It starts after them and ends before them. */
  readonly needs: readonly NodePart[]
  /** Parts that it runs without, too: it waits for their first attempt, and starts again when one has started since. */
  readonly uses?: readonly NodePart[]
  /** How long it waits before it starts again; default: {@link RestartPolicy}'s. */
  readonly restart?: RestartPolicy
  /** Resolves when it works. May wait as long as it takes, if it heeds its scope's signal. */
  start(env: Env, node: NodeContext, deps: PartDeps): Promise<RunningPart<Provided>>
}

export function defineNodePart<Provided>(part: NodePart<Provided>): NodePart<Provided> {
  return Object.freeze(part)
}
