/** `describe job|cronjob`. Mirrors: kubectl pkg/describe/describe.go */
import { controllerOf, formatLabelSelector, humanDuration, parseTime } from "@knarr/apimachinery"
import { at, type Obj } from "../object.ts"
import { describePodTemplate } from "./pod-template.ts"
import { rfc1123, type DescribeContext } from "./writer.ts"

export async function describeJob(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  if (spec["selector"]) w.row(0, "Selector", formatLabelSelector(spec["selector"] as object))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  const owner = controllerOf(obj as { metadata: object })
  if (owner) w.row(0, "Controlled By", `${owner.kind}/${owner.name}`)
  w.row(0, "Parallelism", spec["parallelism"] ?? "<unset>")
  w.row(0, "Completions", spec["completions"] ?? "<unset>")
  if (spec["completionMode"]) w.row(0, "Completion Mode", spec["completionMode"])
  if (spec["suspend"] !== undefined) w.row(0, "Suspend", spec["suspend"])
  if (spec["backoffLimit"] !== undefined) w.row(0, "Backoff Limit", spec["backoffLimit"])
  if (spec["ttlSecondsAfterFinished"] !== undefined)
    w.row(0, "TTL Seconds After Finished", spec["ttlSecondsAfterFinished"])
  if (status["startTime"]) w.row(0, "Start Time", rfc1123(status["startTime"]))
  if (status["completionTime"]) w.row(0, "Completed At", rfc1123(status["completionTime"]))
  if (status["startTime"] && status["completionTime"]) {
    w.row(0, "Duration", humanDuration(parseTime(status["completionTime"]) - parseTime(status["startTime"])))
  }
  if (spec["activeDeadlineSeconds"] !== undefined)
    w.row(0, "Active Deadline Seconds", `${spec["activeDeadlineSeconds"]}s`)
  const ready = status["ready"]
  const counts = `${status["active"] ?? 0} Active${ready === undefined ? "" : ` (${ready} Ready)`} / ${status["succeeded"] ?? 0} Succeeded / ${status["failed"] ?? 0} Failed`
  w.row(0, "Pods Statuses", counts)
  if (spec["completionMode"] === "Indexed") w.row(0, "Completed Indexes", cap(status["completedIndexes"]))
  describePodTemplate(w, spec["template"])
  await d.events(obj)
}

function cap(indexes: string | undefined): string {
  if (!indexes) return "<none>"
  const parts = indexes.split(",")
  return parts.length > 11 ? `${parts.slice(0, 10).join(",")},...` : indexes
}

export async function describeCronJob(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "Schedule", spec["schedule"])
  w.row(0, "Concurrency Policy", spec["concurrencyPolicy"])
  w.row(0, "Suspend", spec["suspend"] === true ? "True" : "False")
  w.row(0, "Time Zone", spec["timeZone"] ?? "<unset>")
  w.row(0, "Successful Job History Limit", spec["successfulJobsHistoryLimit"] ?? "<unset>")
  w.row(0, "Failed Job History Limit", spec["failedJobsHistoryLimit"] ?? "<unset>")
  const deadline = spec["startingDeadlineSeconds"]
  w.row(0, "Starting Deadline Seconds", deadline === undefined ? "<unset>" : `${deadline}s`)
  const job = spec["jobTemplate"].spec as Obj
  w.row(0, "Selector", job["selector"] ? formatLabelSelector(job["selector"] as object) : "<unset>")
  w.row(0, "Parallelism", job["parallelism"] ?? "<unset>")
  w.row(0, "Completions", job["completions"] ?? "<unset>")
  if (job["activeDeadlineSeconds"] !== undefined)
    w.row(0, "Active Deadline Seconds", `${job["activeDeadlineSeconds"]}s`)
  describePodTemplate(w, job["template"])
  w.row(0, "Last Schedule Time", status["lastScheduleTime"] ? rfc1123(status["lastScheduleTime"]) : "<unset>")
  const active = ((at(status, "active") ?? []) as Obj[]).map((one) => one["name"] as string)
  w.row(0, "Active Jobs", active.length > 0 ? active.join(", ") : "<none>")
  await d.events(obj)
}
