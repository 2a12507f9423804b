/** Validation of stateful sets. Mirrors: pkg/apis/apps/validation/validation.go (ValidateStatefulSet) */
import {
  field,
  isDNS1123Label,
  semanticEqual,
  validateAnnotations,
  validateLabels,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage, notNegative, reasons } from "../../checks.ts"
import { validateClaimSpec } from "../../core/v1/claim.validate.ts"
import { validatePodAnnotations, validatePodTemplate } from "../../core/v1/pod-spec.validate.ts"
import type { PodTemplateSpec } from "../../core/v1/types.gen.ts"
import { goValue } from "../../go-value.ts"
import type { StatefulSet, StatefulSetSpec } from "./types.gen.ts"
import {
  amountOf,
  notMoreThan100Percent,
  validateIntOrPercent,
  validateRunsForever,
  validateSelector,
  validateTemplateLabels,
} from "./workload.validate.ts"

const retention = ["Retain", "Delete"]

/** Rules of a set. `old` is what an update replaces: what cannot be changed any more need not be right. */
export function validateStatefulSet(set: Readonly<StatefulSet>, old?: Readonly<StatefulSet>): FieldError[] {
  if (!old) return validateSpec(set.spec, false, true)
  const templateWasRight = validateSpec(old.spec, true, true).length === 0
  return validateSpec(set.spec, true, templateWasRight)
}

function validateSpec(spec: StatefulSetSpec, isUpdate: boolean, withTemplate: boolean): FieldError[] {
  const out: FieldError[] = []
  const policy = spec.podManagementPolicy
  if (!policy) out.push(field.required("spec.podManagementPolicy", ""))
  else if (policy !== "OrderedReady" && policy !== "Parallel")
    out.push(field.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
  out.push(...validateStrategy(spec))
  const kept = spec.persistentVolumeClaimRetentionPolicy
  if (kept) {
    const path = "spec.persistentVolumeClaimRetentionPolicy"
    for (const name of ["whenDeleted", "whenScaled"] as const)
      if (!retention.includes(kept[name] ?? ""))
        out.push(field.notSupported(`${path}.${name}`, kept[name] ?? "", retention))
  }
  if (!isUpdate)
    for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
      const at = `spec.volumeClaimTemplates[${i}].spec`
      out.push(...validateClaimSpec(at, claim.spec))
      // Not dropped here while the feature is off, as it is in claims.
      if (claim.spec?.dataSource && claim.spec.dataSourceRef?.namespace)
        out.push(field.invalid(at, {}, "may not be specified when dataSourceRef.namespace is specified"))
    }
  out.push(
    ...notNegative("spec.replicas", spec.replicas),
    ...notNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...notNegative("spec.ordinals.start", spec.ordinals?.start),
  )
  if (!isUpdate && spec.serviceName)
    out.push(...reasons("spec.serviceName", spec.serviceName, isDNS1123Label(spec.serviceName)))
  if (validateSelector(spec.selector, "statefulset", "", out)) {
    const template = templateOfPods(spec)
    const { labels = {}, annotations = {} } = template.metadata ?? {}
    out.push(...validateTemplateLabels(template, spec.selector))
    if (withTemplate) out.push(...validatePodTemplate("spec.template", template))
    out.push(
      ...validateLabels(labels, "spec.template.labels"),
      ...validateAnnotations(annotations, "spec.template.annotations"),
      ...validatePodAnnotations("spec.template.annotations", annotations, template.spec),
    )
  }
  return [...out, ...validateRunsForever(spec.template, "StatefulSet")]
}

function validateStrategy(spec: StatefulSetSpec): FieldError[] {
  const strategy = spec.updateStrategy ?? {}
  const path = "spec.updateStrategy"
  if (!strategy.type) return [field.required(path, "")]
  if (strategy.type === "OnDelete") {
    const detail = "only allowed for updateStrategy 'RollingUpdate'"
    return strategy.rollingUpdate
      ? [
          field.invalid(
            `${path}.rollingUpdate`,
            goValue("apps.RollingUpdateStatefulSetStrategy", strategy.rollingUpdate),
            detail,
          ),
        ]
      : []
  }
  if (strategy.type !== "RollingUpdate")
    return [
      field.invalid(
        path,
        goValue("apps.StatefulSetUpdateStrategy", strategy),
        "must be 'RollingUpdate' or 'OnDelete'",
      ),
    ]
  const { partition, maxUnavailable } = strategy.rollingUpdate ?? {}
  const out = notNegative(`${path}.rollingUpdate.partition`, partition)
  if (maxUnavailable === undefined) return out
  const at = `${path}.rollingUpdate.maxUnavailable`
  out.push(...validateIntOrPercent(at, maxUnavailable))
  if (amountOf(maxUnavailable) === 0) out.push(field.invalid(at, maxUnavailable, "cannot be 0"))
  return [...out, ...notMoreThan100Percent(at, maxUnavailable)]
}

/** The template as the controller will use it: names of its own, and a volume for every claim template. */
function templateOfPods(spec: StatefulSetSpec): PodTemplateSpec {
  const { hostname: _hostname, subdomain: _subdomain, ...rest } = spec.template.spec
  const claimed = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? "")
  const names = new Set(claimed)
  const volumes = claimed.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }))
  const own = (rest.volumes ?? []).filter(({ name }) => !names.has(name))
  return { ...spec.template, spec: claimed.length > 0 ? { ...rest, volumes: [...volumes, ...own] } : rest }
}

/** What names a set's pods and their volumes never changes. */
export function validateStatefulSetUpdate(
  set: Readonly<StatefulSet>,
  old: Readonly<StatefulSet>,
): FieldError[] {
  const types = {
    selector: "*meta.LabelSelector",
    volumeClaimTemplates: "[]core.PersistentVolumeClaim",
    serviceName: "string",
    podManagementPolicy: "string",
  } as const
  return (Object.keys(types) as (keyof typeof types)[])
    .filter((name) => !semanticEqual(set.spec[name], old.spec[name]))
    .map((name) => field.invalid(`spec.${name}`, goValue(types[name], set.spec[name]), immutableMessage))
}
