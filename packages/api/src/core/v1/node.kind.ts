/** Node (v1). Mirrors: pkg/registry/core/node */
import { defineKind, type Kind } from "@knarr/apimachinery"
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
  schema: "io.k8s.api.core.v1.Node",
  storagePrefix: "minions",
})
