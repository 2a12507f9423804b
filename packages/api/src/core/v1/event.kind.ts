/** Event (v1). Mirrors: pkg/registry/core/event */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { eventColumns } from "./event.columns.ts"
import { validateEvent } from "./event.validate.ts"
import type { Event } from "./types.gen.ts"

export const event: Kind<Event> = defineKind<Event>({
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  namespaced: true,
  schema: "io.k8s.api.core.v1.Event",
  columns: eventColumns,
  setDefaults(obj) {
    obj.reportingComponent ??= ""
    obj.reportingInstance ??= ""
  },
  allowCreateOnUpdate: true,
  metadataProblems: "alone",
  validate: validateEvent,
  garbageCollectionPolicy: "Unsupported",
  ttlSeconds: 3600,
  indexedFields: ["involvedObject.uid"],
  selectableFields: {
    "involvedObject.kind": ({ involvedObject }) => involvedObject.kind ?? "",
    "involvedObject.namespace": ({ involvedObject }) => involvedObject.namespace ?? "",
    "involvedObject.name": ({ involvedObject }) => involvedObject.name ?? "",
    "involvedObject.uid": ({ involvedObject }) => involvedObject.uid ?? "",
    "involvedObject.apiVersion": ({ involvedObject }) => involvedObject.apiVersion ?? "",
    "involvedObject.resourceVersion": ({ involvedObject }) => involvedObject.resourceVersion ?? "",
    "involvedObject.fieldPath": ({ involvedObject }) => involvedObject.fieldPath ?? "",
    reason: ({ reason }) => reason ?? "",
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? "",
    source: ({ source, reportingComponent }) => source?.component || reportingComponent || "",
    type: ({ type }) => type ?? "",
  },
})
