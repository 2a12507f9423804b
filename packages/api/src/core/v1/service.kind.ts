/** Service (v1). Mirrors: pkg/registry/core/service */
import { defineKind, type Kind, nameIsDNSLabel } from "@knarr/apimachinery"
import { age, labelsText, text, wide } from "../../columns.ts"
import { setServiceDefaults } from "./service.defaults.ts"
import { prepareServiceForUpdate } from "./service.strategy.ts"
import { validateService, validateServiceStatusUpdate, validateServiceUpdate } from "./service.validate.ts"
import { serviceWarnings } from "./service.warnings.ts"
import type { Service, ServicePort } from "./types.gen.ts"

export const service: Kind<Service> = defineKind<Service>({
  group: "",
  version: "v1",
  kind: "Service",
  plural: "services",
  shortNames: ["svc"],
  categories: ["all"],
  namespaced: true,
  subresources: [
    {
      name: "proxy",
      verbs: ["create", "delete", "get", "patch", "update"],
      kind: { group: "", version: "v1", kind: "ServiceProxyOptions" },
    },
    "status",
  ],
  returnDeletedObject: true,
  schema: "io.k8s.api.core.v1.Service",
  storagePrefix: "services/specs",
  columns: [
    text("Type", ({ spec }) => spec.type ?? ""),
    text("Cluster-IP", ({ spec }) => spec.clusterIPs?.[0] ?? "<none>"),
    text("External-IP", externalIPText),
    text("Port(s)", ({ spec }) => portsText(spec.ports) || "<none>"),
    age,
    wide("Selector", ({ spec }) => labelsText(spec.selector)),
  ],
  setDefaults: setServiceDefaults,
  hasGeneration: false,
  allowCreateOnUpdate: true,
  validateName: nameIsDNSLabel,
  prepareForUpdate: prepareServiceForUpdate,
  validate: (obj) => validateService(obj),
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: validateServiceStatusUpdate,
  warnings: serviceWarnings,
  selectableFields: {
    "spec.clusterIP": ({ spec }) => spec.clusterIP ?? "",
    "spec.type": ({ spec }) => spec.type ?? "",
  },
})

function externalIPText({ spec, status }: Service): string {
  const external = spec.externalIPs ?? []
  switch (spec.type) {
    case "ClusterIP":
    case "NodePort":
      return external.join(",") || "<none>"
    case "LoadBalancer": {
      const ingress = status.loadBalancer?.ingress ?? []
      const own = [...new Set(ingress.map(({ ip, hostname }) => ip || hostname || ""))].filter(Boolean).sort()
      return [...own, ...external].join(",") || "<pending>"
    }
    case "ExternalName":
      return spec.externalName ?? ""
    default:
      return "<unknown>"
  }
}

function portsText(ports: readonly ServicePort[] | undefined): string {
  return (ports ?? [])
    .map(({ port, nodePort, protocol }) =>
      nodePort ? `${port}:${nodePort}/${protocol ?? ""}` : `${port}/${protocol ?? ""}`,
    )
    .join(",")
}
