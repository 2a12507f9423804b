/** Event (events.k8s.io/v1). Mirrors: pkg/registry/events/event */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { eventColumns } from "../../core/v1/event.columns.ts"
import { event } from "../../core/v1/event.kind.ts"
import { validateEventsEvent, validateEventsEventUpdate } from "../../core/v1/event.validate.ts"
import { eventFromCore, eventToCore } from "./event.conversion.ts"
import type { Event as CoreEvent } from "../../core/v1/types.gen.ts"
import type { Event } from "./types.gen.ts"

export const eventsEvent: Kind<Event> = defineKind<Event>({
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  namespaced: true,
  schema: "io.k8s.api.events.v1.Event",
  storagePrefix: "events",
  allowCreateOnUpdate: true,
  storedAs: () => event,
  toStored: eventToCore,
  fromStored: (obj) => eventFromCore(obj as CoreEvent),
  columns: eventColumns.map((column) => ({
    ...column,
    read: (obj, nowMs) => column.read(eventToCore(obj), nowMs),
  })),
  metadataProblems: "last",
  validate: validateEventsEvent,
  validateUpdate: validateEventsEventUpdate,
  selectableFields: {
    "regarding.kind": ({ regarding }) => regarding?.kind ?? "",
    "regarding.namespace": ({ regarding }) => regarding?.namespace ?? "",
    "regarding.name": ({ regarding }) => regarding?.name ?? "",
    "regarding.uid": ({ regarding }) => regarding?.uid ?? "",
    "regarding.apiVersion": ({ regarding }) => regarding?.apiVersion ?? "",
    "regarding.resourceVersion": ({ regarding }) => regarding?.resourceVersion ?? "",
    "regarding.fieldPath": ({ regarding }) => regarding?.fieldPath ?? "",
    reason: ({ reason }) => reason ?? "",
    reportingController: ({ reportingController }) => reportingController ?? "",
    type: ({ type }) => type ?? "",
  },
})
