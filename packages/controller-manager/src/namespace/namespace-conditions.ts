/** What a namespace says while it is being deleted. Pure. Mirrors: pkg/controller/namespace/deletion/status_condition_utils.go */
import type { NamespaceCondition } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"

export interface DeletionFindings {
  /** Why it is not known what there is to delete. */
  readonly discoveryFailure?: string | undefined
  /** Resources whose objects could not be deleted: why. */
  readonly failures: readonly string[]
  /** Objects that are still there, by `plural.group`. */
  readonly remaining: ReadonlyMap<string, number>
  /** Objects that wait for a finalizer, by finalizer. */
  readonly finalizers: ReadonlyMap<string, number>
}

const fine: readonly (readonly [type: string, reason: string, message: string])[] = [
  ["NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"],
  [
    "NamespaceDeletionGroupVersionParsingFailure",
    "ParsedGroupVersions",
    "All legacy kube types successfully parsed",
  ],
  [
    "NamespaceDeletionContentFailure",
    "ContentDeleted",
    "All content successfully deleted, may be waiting on finalization",
  ],
  ["NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"],
  ["NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"],
]

function problems({
  discoveryFailure,
  failures,
  remaining,
  finalizers,
}: DeletionFindings): Map<string, [reason: string, message: string]> {
  const out = new Map<string, [string, string]>()
  if (discoveryFailure !== undefined)
    out.set("NamespaceDeletionDiscoveryFailure", ["DiscoveryFailed", discoveryFailure])
  if (failures.length > 0) {
    const text = failures.length === 1 ? failures[0] : `[${failures.join(", ")}]`
    out.set("NamespaceDeletionContentFailure", [
      "ContentDeletionFailed",
      `Failed to delete all resource types, ${failures.length} remaining: ${text}`,
    ])
  }
  if (remaining.size > 0) {
    const list = [...remaining].sort(byName).map(([name, count]) => `${name} has ${count} resource instances`)
    out.set("NamespaceContentRemaining", [
      "SomeResourcesRemain",
      `Some resources are remaining: ${list.join(", ")}`,
    ])
  }
  if (finalizers.size > 0) {
    const list = [...finalizers].sort(byName).map(([name, count]) => `${name} in ${count} resource instances`)
    out.set("NamespaceFinalizersRemaining", [
      "SomeFinalizersRemain",
      `Some content in the namespace has finalizers remaining: ${list.join(", ")}`,
    ])
  }
  return out
}

const byName = (a: readonly [string, number], b: readonly [string, number]): number => (a[0] < b[0] ? -1 : 1)

/** The conditions after a look at what is left. Unchanged ones stay the same objects. */
export function deletionConditions(
  present: readonly NamespaceCondition[],
  findings: DeletionFindings,
  nowMs: number,
): NamespaceCondition[] {
  const wrong = problems(findings)
  const out = [...present]
  for (const [type, okReason, okMessage] of fine) {
    const problem = wrong.get(type)
    const [reason, message] = problem ?? [okReason, okMessage]
    const status = problem ? "True" : "False"
    const at = out.findIndex((condition) => condition.type === type)
    const old = out[at]
    if (!old) out.push({ type, status, reason, message, lastTransitionTime: formatTime(nowMs) })
    else if (old.status !== status || old.reason !== reason || old.message !== message) {
      out[at] = { type, status, reason, message, lastTransitionTime: formatTime(nowMs) }
    }
  }
  return out
}
