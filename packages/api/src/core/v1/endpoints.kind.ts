/** Endpoints (v1). Mirrors: pkg/registry/core/endpoints */
import { defineKind, type Kind, warningsForIP } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateEndpoints } from "./endpoints.validate.ts"
import type { Endpoints } from "./types.gen.ts"

export const endpoints: Kind<Endpoints> = defineKind<Endpoints>({
  group: "",
  version: "v1",
  kind: "Endpoints",
  plural: "endpoints",
  shortNames: ["ep"],
  namespaced: true,
  schema: "io.k8s.api.core.v1.Endpoints",
  storagePrefix: "services/endpoints",
  columns: [text("Endpoints", endpointsText), age],
  setDefaults({ subsets }) {
    for (const subset of subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= "TCP"
  },
  allowCreateOnUpdate: true,
  validate: validateEndpoints,
  deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
  warnings: endpointsWarnings,
})

/** Addresses in unusual forms; the controller's own are not looked at. */
function endpointsWarnings({ metadata, subsets }: Readonly<Endpoints>): string[] {
  if (metadata.labels?.["endpoints.kubernetes.io/managed-by"] === "endpoint-controller") return []
  return (subsets ?? []).flatMap((subset, i) =>
    (["addresses", "notReadyAddresses"] as const).flatMap((name) =>
      (subset[name] ?? []).flatMap(({ ip }, j) => warningsForIP(`subsets[${i}].${name}[${j}].ip`, ip)),
    ),
  )
}

/** The first three addresses with their ports; Mirrors: pkg/printers/internalversion/printers.go (formatEndpoints) */
function endpointsText({ subsets }: Endpoints): string {
  if (!subsets || subsets.length === 0) return "<none>"
  const all = subsets.flatMap(({ addresses, ports }) =>
    ports && ports.length > 0
      ? ports.flatMap(({ port }) =>
          (addresses ?? []).map(({ ip }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`)),
        )
      : (addresses ?? []).map(({ ip }) => ip),
  )
  const shown = all.slice(0, 3).join(",")
  return all.length > 3 ? `${shown} + ${all.length - 3} more...` : shown
}
