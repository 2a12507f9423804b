/** What `kubectl get events` prints. Mirrors: pkg/printers/internalversion/printers.go (printEvent) */
import type { Column } from "@knarr/apimachinery"
import { nameColumn, since, text, wide } from "../../columns.ts"
import type { Event } from "./types.gen.ts"

function firstSeen(event: Event, nowMs: number): string {
  return since(event.firstTimestamp || event.eventTime, nowMs)
}

function lastSeen(event: Event, nowMs: number): string {
  if (event.series) return since(event.series.lastObservedTime, nowMs)
  return event.lastTimestamp ? since(event.lastTimestamp, nowMs) : firstSeen(event, nowMs)
}

function objectText(event: Event): string {
  const kind = (event.involvedObject.kind ?? "").toLowerCase()
  return event.involvedObject.name ? `${kind}/${event.involvedObject.name}` : kind
}

function sourceText(event: Event): string {
  const component = event.source?.component || event.reportingComponent || ""
  const host = event.source?.host || event.reportingInstance || ""
  return host ? `${component}, ${host}` : component
}

export const eventColumns: readonly Column<Event>[] = [
  text("Last Seen", lastSeen),
  text("Type", (event) => event.type ?? ""),
  text("Reason", (event) => event.reason ?? ""),
  text("Object", objectText),
  wide("Subobject", (event) => event.involvedObject.fieldPath ?? ""),
  wide("Source", sourceText),
  text("Message", (event) => (event.message ?? "").trim()),
  wide("First Seen", firstSeen),
  wide("Count", (event) => event.series?.count ?? (event.count || 1)),
  nameColumn(undefined, 1),
]
