/** What plugins answer. Mirrors: kube-scheduler framework/interface.go Status, NodeToStatus */
import type { NodeInfo } from "../cache/node-info.ts"
import type { Snapshot } from "../cache/snapshot.ts"

/**
 * Success is said by `undefined` wherever a {@link Status} may be left out.
 *
 *   - `Error`: something unexpected; the pod is tried again after a back-off, whatever happens meanwhile.
 *   - `Unschedulable`: refused, and removing other pods might help.
 *   - `UnschedulableAndUnresolvable`: refused, and removing other pods cannot help.
 *   - `Wait`: of `permit` only: bind later.
 *   - `Skip`: the plugin has nothing to do with this pod.
 *   - `Pending`: a node was found, but something outside must happen first; the pod comes back without a back-off.
 */
export type Code =
  | "Success"
  | "Error"
  | "Unschedulable"
  | "UnschedulableAndUnresolvable"
  | "Wait"
  | "Skip"
  | "Pending"

/** Frozen: one value may answer for many nodes. */
export class Status {
  readonly code: Code
  /** Upstream's words; those of nodes are counted in the event's message. */
  readonly reasons: readonly string[]
  /** Who answered; the framework fills it in. */
  readonly plugin: string | undefined
  /** Of `Wait`: after how many milliseconds the pod is rejected. */
  readonly timeoutMs: number
  /** The last copy that {@link withPlugin} made: a plugin refuses many nodes with one value. */
  #named: Status | undefined

  constructor(
    code: Code,
    reasons: readonly string[] = [],
    of: { readonly plugin?: string | undefined; readonly timeoutMs?: number } = {},
  ) {
    this.code = code
    this.reasons = reasons
    this.plugin = of.plugin
    this.timeoutMs = of.timeoutMs ?? 0
  }

  get message(): string {
    return this.reasons.join(", ")
  }

  /** The pod, or the pod on this node, is refused. */
  get isRejected(): boolean {
    return (
      this.code === "Unschedulable" || this.code === "UnschedulableAndUnresolvable" || this.code === "Pending"
    )
  }

  withPlugin(plugin: string): Status {
    if (this.plugin === plugin) return this
    if (this.#named?.plugin !== plugin)
      this.#named = new Status(this.code, this.reasons, { plugin, timeoutMs: this.timeoutMs })
    return this.#named!
  }
}

/** Of `postFilter`: what was done. Elsewhere success has nothing to say. */
export function success(...reasons: string[]): Status {
  return new Status("Success", reasons)
}

export const skip = new Status("Skip")

export function unschedulable(...reasons: string[]): Status {
  return new Status("Unschedulable", reasons)
}

export function unresolvable(...reasons: string[]): Status {
  return new Status("UnschedulableAndUnresolvable", reasons)
}

export function pending(...reasons: string[]): Status {
  return new Status("Pending", reasons)
}

/** Of `permit`: bind when the plugin allows it; rejected `timeoutMs` milliseconds from now, at most 15 minutes. */
export function wait(timeoutMs: number): Status {
  return new Status("Wait", [], { timeoutMs })
}

/** Why each node was refused. Nodes that were not looked at share one status. */
export class NodeStatuses {
  readonly #explicit = new Map<string, Status>()
  /** Of all nodes that have none of their own. */
  absent: Status = new Status("UnschedulableAndUnresolvable")

  /** How many nodes have a status of their own. */
  get size(): number {
    return this.#explicit.size
  }

  get(nodeName: string): Status {
    return this.#explicit.get(nodeName) ?? this.absent
  }

  set(nodeName: string, status: Status): void {
    this.#explicit.set(nodeName, status)
  }

  /** Those with a status of their own. */
  explicit(): IterableIterator<[string, Status]> {
    return this.#explicit.entries()
  }

  /** The nodes with this code: with `Unschedulable`, those that removing pods might help. */
  nodesWith(code: Code, snapshot: Snapshot): readonly NodeInfo[] {
    return snapshot.nodes.filter((node) => this.get(node.name).code === code)
  }
}
