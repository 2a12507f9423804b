/** Validation of claims and their templates. Mirrors: pkg/apis/resource/validation/validation.go (ValidateResourceClaim) */
import { field, semanticEqual, validateAnnotations, validateLabels } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, immutableMessage } from "../../checks.ts"
import { allProblems, noProblems } from "./bounded-list.ts"
import { validateDeviceClaim } from "./device-claim.validate.ts"
import { goTypes } from "../../go-types.gen.ts"
import type { ResourceClaim, ResourceClaimTemplate } from "./types.gen.ts"

/** What a claim asks for never changes. */
export function validateResourceClaim(
  { spec }: Readonly<ResourceClaim>,
  old?: Readonly<ResourceClaim>,
): FieldError[] {
  if (old) return semanticEqual(spec, old.spec) ? [] : [field.invalid("spec", null, immutableMessage)]
  const problems = noProblems()
  validateDeviceClaim(problems, "spec.devices", spec?.devices)
  return allProblems(problems)
}

export function validateResourceClaimTemplate(
  { spec }: Readonly<ResourceClaimTemplate>,
  old?: Readonly<ResourceClaimTemplate>,
): FieldError[] {
  const problems = noProblems()
  const { labels = {}, annotations = {} } = spec.metadata ?? {}
  problems.found.push(
    ...validateAnnotations(annotations, "spec.metadata.annotations"),
    ...validateLabels(labels, "spec.metadata.labels"),
  )
  for (const name of goTypes["meta.ObjectMeta"]!.map((row) => row.slice(0, row.indexOf(" "))))
    if (name !== "labels" && name !== "annotations" && spec.metadata?.[name as "name"] !== undefined)
      problems.found.push(field.forbidden(`spec.metadata.${name === "uid" ? "uID" : name}`, "cannot be set"))
  validateDeviceClaim(problems, "spec.spec.devices", spec.spec?.devices)
  if (old) problems.found.push(...immutable("spec", spec, old.spec, "resource.ResourceClaimTemplateSpec"))
  return allProblems(problems)
}
