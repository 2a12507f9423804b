/** EndpointSlice (discovery.k8s.io/v1). Mirrors: pkg/registry/discovery/endpointslice */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, listWithMore, text } from "../../columns.ts"
import { validateEndpointSlice, validateEndpointSliceUpdate } from "./endpointslice.validate.ts"
import type { EndpointSlice } from "./types.gen.ts"

export const endpointSlice: Kind<EndpointSlice> = defineKind<EndpointSlice>({
  group: "discovery.k8s.io",
  version: "v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  namespaced: true,
  schema: "io.k8s.api.discovery.v1.EndpointSlice",
  storagePrefix: "endpointslices",
  columns: [
    text("AddressType", ({ addressType }) => addressType),
    text("Ports", ({ ports }) =>
      listWithMore((ports ?? []).map(({ port, name }) => String(port ?? name ?? "*"))),
    ),
    text("Endpoints", ({ endpoints }) =>
      listWithMore((endpoints ?? []).flatMap(({ addresses }) => addresses)),
    ),
    age,
  ],
  setDefaults({ ports }) {
    for (const port of ports ?? []) {
      port.name ??= ""
      port.protocol ??= "TCP"
    }
  },
  hasGeneration: true,
  validate: validateEndpointSlice,
  validateUpdate: validateEndpointSliceUpdate,
})
