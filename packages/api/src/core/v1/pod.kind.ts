/** Pod (v1). Mirrors: pkg/registry/core/pod */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { podColumns } from "./pod.columns.ts"
import { setPodDefaults } from "./pod-spec.defaults.ts"
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
  schema: "io.k8s.api.core.v1.Pod",
  columns: podColumns,
  setDefaults: setPodDefaults,
})
