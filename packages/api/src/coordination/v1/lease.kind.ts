/** Lease (coordination.k8s.io/v1). Mirrors: pkg/registry/coordination/lease */
import { defineKind, type Kind, field } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import type { FieldError } from "@knarr/apimachinery"
import type { Lease, LeaseSpec } from "./types.gen.ts"

export const lease: Kind<Lease> = defineKind<Lease>({
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
  finalizers: "qualified",
  schema: "io.k8s.api.coordination.v1.Lease",
  storagePrefix: "leases",
  columns: [text("Holder", ({ spec }) => spec.holderIdentity ?? ""), age],
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  // The feature of coordinated elections is off: what is new of it goes.
  prepareForCreate: ({ spec }) => dropCoordination(spec),
  prepareForUpdate: ({ spec }, old) => dropCoordination(spec, old.spec),
  validate({ spec }) {
    const out: FieldError[] = []
    const { leaseDurationSeconds: duration, leaseTransitions: transitions } = spec
    if (duration !== undefined && duration <= 0)
      out.push(field.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    if (transitions !== undefined && transitions < 0)
      out.push(field.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    if (spec.preferredHolder !== undefined && !spec.strategy)
      out.push(field.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"))
    return out
  },
})

function dropCoordination(spec: LeaseSpec, old?: Readonly<LeaseSpec>): void {
  for (const name of ["strategy", "preferredHolder"] as const)
    if (old?.[name] === undefined) delete spec[name]
}
