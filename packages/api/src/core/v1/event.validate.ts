/** Validation of events, old style and new. Mirrors: pkg/apis/core/validation/events.go */
import { byteLength, field, isQualifiedName } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, reasons } from "../../checks.ts"
import type { Event as EventsEvent } from "../../events/v1/types.gen.ts"
import type { Event } from "./types.gen.ts"

const mismatch = "does not match event.namespace"

interface Common {
  readonly namespace: string
  readonly involved: string
  readonly controllerField: string
  readonly eventTime: string | undefined
  readonly controller: string | undefined
  readonly instance: string | undefined
  readonly action: string | undefined
  readonly reason: string | undefined
  readonly message: string | undefined
}

function validateCommon(event: Common): FieldError[] {
  const out: FieldError[] = []
  const path = "involvedObject.namespace"
  const { namespace, involved } = event
  if (!event.eventTime) {
    const expected = involved === "" ? ["", "default"].includes(namespace) : namespace === involved
    return expected ? [] : [field.invalid(path, involved, mismatch)]
  }
  if (involved === "" && namespace !== "default" && namespace !== "kube-system")
    out.push(field.invalid(path, involved, mismatch))
  if (!event.controller) out.push(field.required(event.controllerField, ""))
  out.push(...reasons(event.controllerField, event.controller ?? "", isQualifiedName(event.controller ?? "")))
  const limited = (name: string, value: string | undefined, max: number): void => {
    if (byteLength(value ?? "") > max) out.push(field.invalid(name, "", `can have at most ${max} characters`))
  }
  if (!event.instance) out.push(field.required("reportingInstance", ""))
  limited("reportingInstance", event.instance, 128)
  if (!event.action) out.push(field.required("action", ""))
  limited("action", event.action, 128)
  if (!event.reason) out.push(field.required("reason", ""))
  limited("reason", event.reason, 128)
  limited("message", event.message, 1024)
  return out
}

export function validateEvent(event: Readonly<Event>): FieldError[] {
  return validateCommon({
    namespace: event.metadata.namespace ?? "",
    involved: event.involvedObject?.namespace ?? "",
    controllerField: "reportingComponent",
    eventTime: event.eventTime ?? undefined,
    controller: event.reportingComponent,
    instance: event.reportingInstance,
    action: event.action,
    reason: event.reason,
    message: event.message,
  })
}

export function validateEventsEvent(event: Readonly<EventsEvent>): FieldError[] {
  const out = validateCommon({
    namespace: event.metadata.namespace ?? "",
    involved: event.regarding?.namespace ?? "",
    controllerField: "reportingController",
    eventTime: event.eventTime ?? undefined,
    controller: event.reportingController,
    instance: event.reportingInstance,
    action: event.action,
    reason: event.reason,
    message: event.note,
  })
  if (event.series) {
    if (event.series.count < 2) out.push(field.invalid("series.count", "", "should be at least 2"))
    if (!event.series.lastObservedTime) out.push(field.required("series.lastObservedTime", ""))
  }
  if (!event.eventTime) out.push(field.required("eventTime", ""))
  if (event.type !== "Normal" && event.type !== "Warning")
    out.push(field.invalid("type", "", `has invalid value: ${event.type ?? ""}`))
  if (event.deprecatedFirstTimestamp) out.push(field.invalid("firstTimestamp", "", "needs to be unset"))
  if (event.deprecatedLastTimestamp) out.push(field.invalid("lastTimestamp", "", "needs to be unset"))
  if (event.deprecatedCount) out.push(field.invalid("count", "", "needs to be unset"))
  if (event.deprecatedSource?.component || event.deprecatedSource?.host)
    out.push(field.invalid("source", "", "needs to be unset"))
  return out
}

/** Of a new event only the series changes. */
export function validateEventsEventUpdate(
  event: Readonly<EventsEvent>,
  old: Readonly<EventsEvent>,
): FieldError[] {
  return [
    ...immutable("involvedObject", event.regarding, old.regarding),
    ...immutable("reason", event.reason, old.reason),
    ...immutable("message", event.note, old.note),
    ...immutable("type", event.type, old.type),
    ...immutable("eventTime", event.eventTime, old.eventTime),
    ...immutable("action", event.action, old.action),
    ...immutable("related", event.related, old.related),
    ...immutable("reportingController", event.reportingController, old.reportingController),
    ...immutable("reportingInstance", event.reportingInstance, old.reportingInstance),
  ]
}
