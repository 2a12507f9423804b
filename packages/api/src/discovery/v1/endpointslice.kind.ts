/** EndpointSlice (discovery.k8s.io/v1). Mirrors: pkg/registry/discovery/endpointslice */
import { defineKind, type Kind, semanticEqual, warningsForIP } from "@knarr/apimachinery"
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
  prepareForCreate: (slice) => dropTopology(slice),
  // Labels say which service it is of: they count as well.
  prepareForUpdate(slice, old) {
    const { metadata } = slice
    const isChanged = !semanticEqual(slice.endpoints, old.endpoints)
    if (isChanged || !semanticEqual(metadata.labels, old.metadata.labels))
      metadata.generation = (old.metadata.generation ?? 0) + 1
    if (isChanged) dropTopology(slice, old)
  },
  validate: validateEndpointSlice,
  validateUpdate: validateEndpointSliceUpdate,
  warnings: (slice, old) => [
    ...(!old && slice.addressType === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : []),
    ...addressWarnings(slice),
  ],
})

const ownControllers = ["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"]

/** Addresses in unusual forms; the controllers' own are not looked at. */
function addressWarnings({ metadata, endpoints }: Readonly<EndpointSlice>): string[] {
  if (ownControllers.includes(metadata.labels?.["endpointslice.kubernetes.io/managed-by"] ?? "")) return []
  return (endpoints ?? []).flatMap(({ addresses }, i) =>
    (addresses ?? []).flatMap((ip, j) => warningsForIP(`endpoints[${i}].addresses[${j}]`, ip)),
  )
}

const hostname = "kubernetes.io/hostname"

/** The old topology is not written any more; a node that it named before stays known. Mirrors: dropTopologyOnV1 */
function dropTopology(slice: EndpointSlice, old?: Readonly<EndpointSlice>): void {
  const known = new Set(old?.endpoints?.map(({ deprecatedTopology }) => deprecatedTopology?.[hostname]))
  for (const endpoint of slice.endpoints ?? []) {
    const node = endpoint.deprecatedTopology?.[hostname]
    if (endpoint.nodeName === undefined && node !== undefined && known.has(node)) endpoint.nodeName = node
    delete endpoint.deprecatedTopology
  }
}
