/** Event (v1). Mirrors: pkg/registry/core/event */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { eventColumns } from "./event.columns.ts"
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
})
