/** Pod (v1). Mirrors: pkg/registry/core/pod */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { podColumns } from "./pod.columns.ts"
import { setPodDefaults } from "./pod-spec.defaults.ts"
import { preparePodForCreate, preparePodForStatusUpdate, preparePodForUpdate } from "./pod.strategy.ts"
import { validatePod, validatePodStatusUpdate, validatePodUpdate } from "./pod.validate.ts"
import { podWarnings } from "./pod.warnings.ts"
import type { Pod } from "./types.gen.ts"

export const pod: Kind<Pod> = defineKind<Pod>({
  group: "",
  version: "v1",
  kind: "Pod",
  plural: "pods",
  shortNames: ["po"],
  categories: ["all"],
  namespaced: true,
  subresources: [
    {
      name: "attach",
      verbs: ["create", "get"],
      kind: { group: "", version: "v1", kind: "PodAttachOptions" },
    },
    { name: "binding", verbs: ["create"], kind: { group: "", version: "v1", kind: "Binding" } },
    { name: "ephemeralcontainers", verbs: ["get", "patch", "update"] },
    { name: "eviction", verbs: ["create"], kind: { group: "policy", version: "v1", kind: "Eviction" } },
    { name: "exec", verbs: ["create", "get"], kind: { group: "", version: "v1", kind: "PodExecOptions" } },
    { name: "log", verbs: ["get"] },
    {
      name: "portforward",
      verbs: ["create", "get"],
      kind: { group: "", version: "v1", kind: "PodPortForwardOptions" },
    },
    {
      name: "proxy",
      verbs: ["create", "delete", "get", "patch", "update"],
      kind: { group: "", version: "v1", kind: "PodProxyOptions" },
    },
    { name: "resize", verbs: ["get", "patch", "update"] },
    "status",
  ],
  statusKeeps: ["ownerReferences"],
  returnDeletedObject: true,
  schema: "io.k8s.api.core.v1.Pod",
  columns: podColumns,
  setDefaults: setPodDefaults,
  prepareForCreate: preparePodForCreate,
  prepareForUpdate: preparePodForUpdate,
  prepareForStatusUpdate: preparePodForStatusUpdate,
  validate: validatePod,
  validateUpdate: validatePodUpdate,
  validateStatusUpdate: validatePodStatusUpdate,
  warnings: podWarnings,
  // A pod that no kubelet has, or that has ended, needs no time to end.
  gracePeriodSeconds({ spec, status }, requested) {
    if (!spec.nodeName || status.phase === "Failed" || status.phase === "Succeeded") return 0
    const seconds = requested ?? spec.terminationGracePeriodSeconds ?? 0
    return seconds < 0 ? 1 : seconds
  },
  indexedFields: ["spec.nodeName"],
  selectableFields: {
    "spec.nodeName": ({ spec }) => spec.nodeName ?? "",
    "spec.restartPolicy": ({ spec }) => spec.restartPolicy ?? "",
    "spec.schedulerName": ({ spec }) => spec.schedulerName ?? "",
    "spec.serviceAccountName": ({ spec }) => spec.serviceAccountName ?? "",
    "spec.hostNetwork": ({ spec }) => String(spec.hostNetwork ?? false),
    "status.phase": ({ status }) => status.phase ?? "",
    // Beside the names that clients use: an old one of spec.nodeName, and one that is known but never has a value.
    "spec.host": ({ spec }) => spec.nodeName ?? "",
    "status.podIPs": () => "",
    "status.podIP": ({ status }) => status.podIPs?.[0]?.ip ?? "",
    "status.nominatedNodeName": ({ status }) => status.nominatedNodeName ?? "",
  },
})
