/** Node (v1). Mirrors: pkg/registry/core/node */
import { defineKind, type Kind, warningsForCIDR } from "@knarr/apimachinery"
import { age, text, wide } from "../../columns.ts"
import { roundUpResources } from "./quantities.defaults.ts"
import { validateNode, validateNodeUpdate } from "./node.validate.ts"
import type { Node } from "./types.gen.ts"

export const node: Kind<Node> = defineKind<Node>({
  group: "",
  version: "v1",
  kind: "Node",
  plural: "nodes",
  shortNames: ["no"],
  namespaced: false,
  subresources: [
    {
      name: "proxy",
      verbs: ["create", "delete", "get", "patch", "update"],
      kind: { group: "", version: "v1", kind: "NodeProxyOptions" },
    },
    "status",
  ],
  keepsStatusOnCreate: true,
  schema: "io.k8s.api.core.v1.Node",
  storagePrefix: "minions",
  columns: [
    text("Status", ({ spec, status }) => {
      const ready = status.conditions?.findLast(({ type }) => type === "Ready")
      const state = ready ? (ready.status === "True" ? "Ready" : "NotReady") : "Unknown"
      return spec.unschedulable ? `${state},SchedulingDisabled` : state
    }),
    text("Roles", rolesText),
    age,
    text("Version", ({ status }) => status.nodeInfo?.kubeletVersion ?? ""),
    wide("Internal-IP", (obj) => addressText(obj, "InternalIP")),
    wide("External-IP", (obj) => addressText(obj, "ExternalIP")),
    wide("OS-Image", ({ status }) => status.nodeInfo?.osImage || "<unknown>"),
    wide("Kernel-Version", ({ status: { nodeInfo } }) => {
      const version = nodeInfo?.kernelVersion || "<unknown>"
      return nodeInfo?.architecture ? `${version} (${nodeInfo.architecture})` : version
    }),
    wide("Container-Runtime", ({ status }) => status.nodeInfo?.containerRuntimeVersion || "<unknown>"),
  ],
  setDefaults(obj) {
    obj.spec ??= {}
    obj.status ??= {}
    const { spec } = obj
    if (spec.podCIDR && spec.podCIDRs?.[0] !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR]
    else if (!spec.podCIDR && spec.podCIDRs?.[0]) spec.podCIDR = spec.podCIDRs[0]
    roundUpResources(obj.status.capacity)
    roundUpResources(obj.status.allocatable)
    if (!obj.status.allocatable && obj.status.capacity) obj.status.allocatable = { ...obj.status.capacity }
  },
  hasGeneration: false,
  prepareForCreate: dropDisabledFields,
  prepareForUpdate: dropDisabledFields,
  prepareForStatusUpdate: dropDisabledFields,
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  validateStatusUpdate: (obj, old) => [...validateNode(obj), ...validateNodeUpdate(obj, old)],
  warnings: ({ spec }) => [
    ...(spec.configSource ? ["spec.configSource: the feature is removed"] : []),
    ...(spec.externalID ? ["spec.externalID: this field is deprecated, and is unused by Kubernetes"] : []),
    ...(spec.podCIDRs ?? []).flatMap((range, i) => warningsForCIDR(`spec.podCIDRs[${i}]`, range)),
  ],
  selectableFields: { "spec.unschedulable": ({ spec }) => String(spec.unschedulable ?? false) },
})

/** Of a feature that is gone and of one that is off. */
function dropDisabledFields({ spec, status }: Node): void {
  delete spec.configSource
  delete spec.podPreemptionPolicy
  delete status.config
}

const rolePrefix = "node-role.kubernetes.io/"

function rolesText({ metadata }: Node): string {
  const roles = new Set<string>()
  for (const [label, value] of Object.entries(metadata.labels ?? {})) {
    if (label.startsWith(rolePrefix)) roles.add(label.slice(rolePrefix.length))
    else if (label === "kubernetes.io/role") roles.add(value)
  }
  roles.delete("")
  return [...roles].sort().join(",") || "<none>"
}

function addressText({ status }: Node, type: string): string {
  return status.addresses?.find((address) => address.type === type)?.address ?? "<none>"
}
