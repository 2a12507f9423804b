/** Cells of `kubectl get jobs`. Mirrors: pkg/printers/internalversion/printers.go (printJob) */
import { humanDuration, parseTime } from "@knarr/apimachinery"
import type { Job } from "./types.gen.ts"

/** `Complete`, `Failed`, `Terminating`, `Suspended`, `FailureTarget`, `SuccessCriteriaMet` or `Running`. */
export function jobStatusText({ metadata, status }: Job): string {
  const has = (type: string): boolean => status.conditions?.find((c) => c.type === type)?.status === "True"
  if (has("Complete")) return "Complete"
  if (has("Failed")) return "Failed"
  if (metadata.deletionTimestamp) return "Terminating"
  return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].find(has) ?? "Running"
}

/** `1/3`, or `1/1 of 4` for a work queue. */
export function completionsText({ spec, status }: Job): string {
  const succeeded = status.succeeded ?? 0
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`
  const parallelism = spec.parallelism ?? 0
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

/** From the start to the end, or to now. */
export function durationText({ status }: Job, nowMs: number): string {
  if (!status.startTime) return ""
  const end = status.completionTime ? parseTime(status.completionTime) : nowMs
  return humanDuration(end - parseTime(status.startTime))
}
