/** Validation of migrations of stored versions. Mirrors: pkg/apis/storagemigration/validation/validation.go */
import { field, isDNS1035Label, isDNS1123Subdomain, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, immutableMessage } from "../../checks.ts"
import { validateConditions } from "../../conditions.validate.ts"
import type { StorageVersionMigration } from "./types.gen.ts"

export function validateStorageVersionMigration({ spec }: Readonly<StorageVersionMigration>): FieldError[] {
  const { group, resource } = spec.resource
  const out: FieldError[] = []
  const joined = (path: string, value: string, why: readonly string[]): void => {
    if (why.length > 0) out.push(field.invalid(path, value, why.join(",")))
  }
  if (resource) joined("spec.resource.resource", resource, isDNS1035Label(resource))
  else out.push(field.required("spec.resource.resource", "resource is required to be set"))
  if (group) joined("spec.resource.group", group, isDNS1123Subdomain(group))
  return out
}

export function validateStorageVersionMigrationUpdate(
  { spec }: Readonly<StorageVersionMigration>,
  old: Readonly<StorageVersionMigration>,
): FieldError[] {
  return immutable("spec", spec, old.spec, "storagemigration.StorageVersionMigrationSpec")
}

/** A version is set once, and a migration that has ended goes on no more. */
export function validateStorageVersionMigrationStatus(
  { status }: Readonly<StorageVersionMigration>,
  old: Readonly<StorageVersionMigration>,
): FieldError[] {
  const out: FieldError[] = []
  const { conditions, resourceVersion = "" } = status
  if (resourceVersion !== "" && !/^[1-9]\d*$/.test(resourceVersion))
    out.push(
      field.invalid(
        "status.resourceVersion",
        resourceVersion,
        `resource version is not well formed: ${resourceVersion}`,
      ),
    )
  out.push(...validateConditions("status.conditions", conditions))
  const before = old.status.resourceVersion
  if (before && !semanticEqual(before, resourceVersion))
    out.push(field.invalid("status.resourceVersion", resourceVersion, immutableMessage))
  const has = (one: Readonly<StorageVersionMigration>["status"], type: string): boolean =>
    one.conditions?.find((condition) => condition.type === type)?.status === "True"
  const wrong = (detail: string): number =>
    out.push(field.invalid("status.conditions", conditions ?? null, detail))
  if (has(status, "Succeeded") && has(status, "Failed"))
    wrong("Both success and failed conditions cannot be true at the same time")
  if (has(old.status, "Succeeded") && !has(status, "Succeeded"))
    wrong("Success condition cannot be set to false once it is true")
  if (has(old.status, "Failed") && !has(status, "Failed"))
    wrong("Failed condition cannot be set to false once it is true")
  return out
}
