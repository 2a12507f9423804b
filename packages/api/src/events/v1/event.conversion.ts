/** Between the two shapes of an event; the core one is stored. Mirrors: pkg/apis/events/v1/conversion.go */
import type { Event as CoreEvent } from "../../core/v1/types.gen.ts"
import type { Event } from "./types.gen.ts"

const renamed = [
  ["regarding", "involvedObject"],
  ["note", "message"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
  ["reportingController", "reportingComponent"],
] as const

export function eventToCore(event: Event): CoreEvent {
  const out: Record<string, unknown> = { ...event }
  for (const [from, to] of renamed) {
    if (out[from] !== undefined) out[to] = out[from]
    delete out[from]
  }
  out["reportingComponent"] ??= ""
  out["reportingInstance"] ??= ""
  out["involvedObject"] ??= {}
  out["source"] ??= {}
  return out as unknown as CoreEvent
}

export function eventFromCore(event: CoreEvent): Event {
  const out: Record<string, unknown> = { ...event }
  for (const [to, from] of renamed) {
    if (out[from] !== undefined) out[to] = out[from]
    delete out[from]
  }
  if (out["reportingController"] === "") delete out["reportingController"]
  if (out["reportingInstance"] === "") delete out["reportingInstance"]
  return out as unknown as Event
}
