/** What users should know about a stateful set that is accepted. Mirrors: pkg/registry/apps/statefulset/strategy.go */
import { claimSpecWarnings } from "../../core/v1/claim.warnings.ts"
import { templateWarnings } from "../../core/v1/pod.warnings.ts"
import type { StatefulSet } from "./types.gen.ts"

export function statefulSetWarnings(
  { metadata, spec }: Readonly<StatefulSet>,
  old?: Readonly<StatefulSet>,
): string[] {
  const changed = !old || old.metadata.generation !== metadata.generation
  const out = changed ? templateWarnings("spec.template", spec.template) : []
  for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries())
    out.push(...claimSpecWarnings(`spec.volumeClaimTemplates[${i}]${old ? ".Spec" : ""}`, claim.spec))
  if ((spec.revisionHistoryLimit ?? 0) < 0)
    out.push(
      "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended",
    )
  return out
}
