/** Lease (coordination.k8s.io/v1). Mirrors: pkg/registry/coordination/lease */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import type { Lease } from "./types.gen.ts"

export const lease: Kind<Lease> = defineKind<Lease>({
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
  schema: "io.k8s.api.coordination.v1.Lease",
  storagePrefix: "leases",
  columns: [text("Holder", ({ spec }) => spec.holderIdentity ?? ""), age],
})
