/** What preemption chooses from. Apart, because plugins, extenders and preemption speak of it. */
import type { Pod } from "@knarr/api"
import type { Snapshot } from "../cache/snapshot.ts"

/** A node that can take the pod once these have left it. */
export interface Candidate {
  readonly nodeName: string
  /** The most important first; at least one. */
  readonly victims: readonly Readonly<Pod>[]
  /** How many of them a disruption budget wanted to keep. */
  readonly violations: number
}

/** Somebody who has a say in it. */
export interface PreemptionAdviser {
  /** Those of the candidates that are left, maybe with other victims. Rejects when that cannot be found out. */
  preempt(
    pod: Readonly<Pod>,
    candidates: readonly Candidate[],
    snapshot: Snapshot,
    signal: AbortSignal,
  ): Promise<readonly Candidate[]>
}
