/** Validation of autoscalers. Mirrors: pkg/apis/autoscaling/validation/validation.go */
import { field, isDNS1123Label, isPathSegmentName, parseQuantity } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"
import { notNegative, notNegativeMessage, reasons } from "../../checks.ts"
import type {
  CrossVersionObjectReference,
  HPAScalingRules,
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricTarget,
} from "./types.gen.ts"

function validateReference(path: string, ref: CrossVersionObjectReference | undefined): FieldError[] {
  const out: FieldError[] = []
  for (const name of ["kind", "name"] as const) {
    const value = ref?.[name]
    if (!value) out.push(field.required(`${path}.${name}`, ""))
    else out.push(...reasons(`${path}.${name}`, value, isPathSegmentName(value)))
  }
  return out
}

/** What is scaled says its group. */
function validateTargetReference(path: string, ref: CrossVersionObjectReference | undefined): FieldError[] {
  const out = validateReference(path, ref)
  const version = ref?.apiVersion ?? ""
  if (!version.includes("/") && version !== "v1")
    out.push(field.invalid(`${path}.apiVersion`, version, "apiVersion must specify API group"))
  return out
}

function validateRules(path: string, rules: HPAScalingRules | undefined): FieldError[] {
  if (!rules) return []
  const out: FieldError[] = []
  const window = rules.stabilizationWindowSeconds
  if (window !== undefined && window < 0)
    out.push(
      field.invalid(`${path}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"),
    )
  if (window !== undefined && window > 3600)
    out.push(
      field.invalid(`${path}.stabilizationWindowSeconds`, window, "must be less than or equal to 3600"),
    )
  const select = ["Max", "Min", "Disabled"]
  if (rules.selectPolicy !== undefined && !select.includes(rules.selectPolicy))
    out.push(field.notSupported(`${path}.selectPolicy`, rules.selectPolicy, select.sort()))
  if (!rules.policies?.length)
    out.push(field.required(`${path}.policies`, "must specify at least one Policy"))
  rules.policies?.forEach((policy, i) => {
    const at = `${path}.policies[${i}]`
    if (policy.type !== "Pods" && policy.type !== "Percent")
      out.push(field.notSupported(`${at}.type`, policy.type ?? "", ["Percent", "Pods"]))
    if (policy.value <= 0) out.push(field.invalid(`${at}.value`, policy.value, "must be greater than zero"))
    if (policy.periodSeconds <= 0)
      out.push(field.invalid(`${at}.periodSeconds`, policy.periodSeconds, "must be greater than zero"))
    if (policy.periodSeconds > 1800)
      out.push(
        field.invalid(`${at}.periodSeconds`, policy.periodSeconds, "must be less than or equal to 1800"),
      )
  })
  if (rules.tolerance !== undefined && parseQuantity(rules.tolerance).sign() === -1)
    out.push(field.invalid(`${path}.tolerance`, rules.tolerance, notNegativeMessage))
  return out
}

function validateTarget(path: string, target: MetricTarget): FieldError[] {
  const out: FieldError[] = []
  if (!target.type) out.push(field.required(`${path}.type`, "must specify a metric target type"))
  if (!["Utilization", "Value", "AverageValue"].includes(target.type))
    out.push(
      field.invalid(`${path}.type`, target.type ?? "", "must be either Utilization, Value, or AverageValue"),
    )
  for (const name of ["value", "averageValue"] as const) {
    const amount = target[name]
    if (amount !== undefined && parseQuantity(amount).sign() !== 1)
      out.push(field.invalid(`${path}.${name}`, amount, "must be positive"))
  }
  if (target.averageUtilization !== undefined && target.averageUtilization < 1)
    out.push(field.invalid(`${path}.averageUtilization`, target.averageUtilization, "must be greater than 0"))
  return out
}

const sources: Readonly<Record<string, "object" | "pods" | "resource" | "external" | "containerResource">> =
  tableOf({
    ContainerResource: "containerResource",
    External: "external",
    Object: "object",
    Pods: "pods",
    Resource: "resource",
  })

function validateMetric(path: string, metric: MetricSpec): FieldError[] {
  const out: FieldError[] = []
  const expected = sources[metric.type ?? ""]
  if (!metric.type) out.push(field.required(`${path}.type`, "must specify a metric source type"))
  if (!expected) out.push(field.notSupported(`${path}.type`, metric.type ?? "", Object.keys(sources)))
  const present = sourceOrder.filter((name) => metric[name])
  if (present[0]) out.push(...validateSource(path, metric, present[0]))
  if (expected && !metric[expected])
    out.push(field.required(`${path}.${expected}`, "must populate information for the given metric source"))
  if (present.length !== 1)
    for (const name of present)
      if (name !== expected)
        out.push(field.forbidden(`${path}.${name}`, "must populate the given metric source only"))
  return out
}

/** The first of these that is there is looked at. */
const sourceOrder = ["object", "external", "pods", "resource", "containerResource"] as const

function validateSource(path: string, metric: MetricSpec, name: (typeof sourceOrder)[number]): FieldError[] {
  const out: FieldError[] = []
  const at = `${path}.${name}`
  const source = metric[name]!
  const { target } = source
  if (name === "object")
    out.push(...validateReference(`${at}.describedObject`, metric.object!.describedObject))
  if ("name" in source && !source.name) out.push(field.required(`${at}.name`, "must specify a resource name"))
  if (name === "containerResource") {
    const { container } = metric.containerResource!
    if (!container) out.push(field.required(`${at}.container`, "must specify a container"))
    else out.push(...reasons(`${at}.container`, container, isDNS1123Label(container)))
  }
  if ("metric" in source && !source.metric?.name)
    out.push(field.required(`${at}.metric.name`, "must specify a metric name"))
  out.push(...validateTarget(`${at}.target`, target))
  const { value, averageValue, averageUtilization } = target
  if (name === "resource" || name === "containerResource") {
    if (averageUtilization === undefined && averageValue === undefined)
      out.push(
        field.required(
          `${at}.target.averageUtilization`,
          "must set either a target raw value or a target utilization",
        ),
      )
    if (averageUtilization !== undefined && averageValue !== undefined)
      out.push(
        field.forbidden(
          `${at}.target.averageValue`,
          "may not set both a target raw value and a target utilization",
        ),
      )
  } else if (name === "pods") {
    if (averageValue === undefined)
      out.push(field.required(`${at}.target.averageValue`, "must specify a positive target averageValue"))
  } else if (value === undefined && averageValue === undefined) {
    const detail =
      name === "object"
        ? "must set either a target value or averageValue"
        : "must set either a target value for metric or a per-pod target"
    out.push(field.required(`${at}.target.averageValue`, detail))
  } else if (name === "external" && value !== undefined && averageValue !== undefined) {
    out.push(
      field.forbidden(
        `${at}.target.value`,
        "may not set both a target value for metric and a per-pod target",
      ),
    )
  }
  return out
}

export function validateAutoscaler({ spec }: Readonly<HorizontalPodAutoscaler>): FieldError[] {
  const out: FieldError[] = []
  const { minReplicas, maxReplicas = 0, metrics = [] } = spec
  if (minReplicas !== undefined && minReplicas < 0)
    out.push(field.invalid("spec.minReplicas", minReplicas, "must be greater than or equal to 0"))
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    out.push(field.invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"))
  out.push(...validateTargetReference("spec.scaleTargetRef", spec.scaleTargetRef))
  metrics.forEach((metric, i) => out.push(...validateMetric(`spec.metrics[${i}]`, metric)))
  if (minReplicas === 0 && !metrics.some(({ type }) => type === "Object" || type === "External"))
    out.push(
      field.forbidden(
        "spec.metrics",
        "must specify at least one Object or External metric to support scaling to zero replicas",
      ),
    )
  if (spec.behavior)
    out.push(
      ...validateRules("spec.behavior.scaleUp", spec.behavior.scaleUp),
      ...validateRules("spec.behavior.scaleDown", spec.behavior.scaleDown),
    )
  // What the type itself declares is told last.
  if (maxReplicas === 0) out.push(field.required("spec.maxReplicas", ""))
  else if (maxReplicas < 1)
    out.push(field.invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to 1"))
  return out
}

export function validateAutoscalerStatus({ status }: Readonly<HorizontalPodAutoscaler>): FieldError[] {
  return [
    ...(status.conditions ?? []).flatMap(({ observedGeneration }, i) =>
      notNegative(`status.conditions[${i}].observedGeneration`, observedGeneration),
    ),
    ...notNegative("status.currentReplicas", status.currentReplicas),
    ...notNegative("status.desiredReplicas", status.desiredReplicas),
  ]
}
