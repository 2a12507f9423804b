/** Validation of replication controllers. Mirrors: pkg/apis/core/validation/validation.go */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegative } from "../../checks.ts"
import { validatePodTemplate } from "./pod-spec.validate.ts"
import type { ReplicationController } from "./types.gen.ts"

export function validateReplicationController({ spec }: Readonly<ReplicationController>): FieldError[] {
  const out = notNegative("spec.minReadySeconds", spec.minReadySeconds)
  const selector = spec.selector ?? {}
  if (Object.keys(selector).length === 0) out.push(field.required("spec.selector", ""))
  out.push(...notNegative("spec.replicas", spec.replicas))
  const path = "spec.template"
  const { template } = spec
  if (!template) return [...out, field.required(path, "")]
  const labels = template.metadata?.labels
  if (Object.keys(selector).some((key) => labels?.[key] !== selector[key]))
    out.push(
      field.invalid(`${path}.metadata.labels`, labels ?? null, "`selector` does not match template `labels`"),
    )
  out.push(...validatePodTemplate(path, template))
  if (template.spec.restartPolicy !== "Always")
    out.push(field.notSupported(`${path}.spec.restartPolicy`, template.spec.restartPolicy ?? "", ["Always"]))
  if (template.spec.activeDeadlineSeconds !== undefined)
    out.push(
      field.forbidden(
        `${path}.spec.activeDeadlineSeconds`,
        "activeDeadlineSeconds in ReplicationController is not Supported",
      ),
    )
  return out
}
