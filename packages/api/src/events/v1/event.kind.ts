/** Event (events.k8s.io/v1). Mirrors: pkg/registry/events/event */
import { defineKind, type Kind } from "@knarr/apimachinery"
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
})
