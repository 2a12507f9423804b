/** Sets of completion indexes as text: `1,3-5,7`. Pure. Mirrors: pkg/controller/job/indexed_job_utils.go */
import type { Pod } from "@knarr/api"

export const indexAnnotation = "batch.kubernetes.io/job-completion-index"

export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const out = new Set<number>()
  for (const part of text ? text.split(",") : []) {
    const [first, last = first] = part.split("-").map(Number)
    for (let i = first!; i <= last! && i < completions; i++) out.add(i)
  }
  return out
}

/** Sorted, runs of three and more as `first-last`, two as `first,second`. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b)
  const parts: string[] = []
  for (let i = 0; i < sorted.length;) {
    let end = i
    while (sorted[end + 1] === sorted[end]! + 1) end++
    if (end === i) parts.push(String(sorted[i]))
    else parts.push(`${sorted[i]}${end === i + 1 ? "," : "-"}${sorted[end]}`)
    i = end + 1
  }
  return parts.join(",")
}

/** The completion index of a pod; -1 when it has none. */
export function completionIndex(pod: Pod): number {
  const text = pod.metadata.annotations?.[indexAnnotation]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1
}
