/** The events at the end of a description. Mirrors: kubectl pkg/describe/describe.go (DescribeEvents) */
import { parseTime } from "@knarr/apimachinery"
import type { ApiClient } from "../api-client.ts"
import { at, type Obj } from "../object.ts"
import type { DescribeWriter } from "./writer.ts"

/** The events about an object. */
export async function eventsOf(api: ApiClient, obj: Obj): Promise<Obj[]> {
  const { name, namespace, uid } = obj["metadata"] as { name: string; namespace?: string; uid?: string }
  const fieldSelector = [
    `involvedObject.name=${name}`,
    `involvedObject.namespace=${namespace ?? ""}`,
    ...(obj["kind"] ? [`involvedObject.kind=${obj["kind"]}`] : []),
    ...(uid ? [`involvedObject.uid=${uid}`] : []),
  ].join(",")
  const path = `/api/v1${namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ""}/events`
  const list = await api.get(path, { fieldSelector, limit: 500 })
  return (list["items"] ?? []) as Obj[]
}

function lastTime(event: Obj): number {
  const text = event["lastTimestamp"] as string | null
  return text ? parseTime(text) : 0
}

export function writeEvents(w: DescribeWriter, events: readonly Obj[]): void {
  if (events.length === 0) return w.row(0, "Events", "<none>")
  w.flush()
  w.write(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n")
  w.line(1, "----\t------\t----\t----\t-------")
  for (const event of events.toSorted((a, b) => lastTime(a) - lastTime(b))) {
    const source = (at(event, "source", "component") as string) || event["reportingComponent"] || ""
    const message = String(event["message"] ?? "").trim()
    w.line(1, `${event["type"]}\t${event["reason"]}\t${interval(w, event)}\t${source}\t${message}`)
  }
}

/** `5m` or `5s (x3 over 5m)`. */
export function interval(w: Pick<DescribeWriter, "since">, event: Obj): string {
  const first = w.since(event["eventTime"] || event["firstTimestamp"])
  const series = event["series"] as Obj | undefined
  if (series) return `${w.since(series["lastObservedTime"])} (x${series["count"]} over ${first})`
  const count = event["count"] as number | undefined
  return count && count > 1 ? `${w.since(event["lastTimestamp"])} (x${count} over ${first})` : first
}
