/** The TARGETS column of autoscalers. Mirrors: pkg/printers/internalversion/printers.go (formatHPAMetrics) */
import { canonicalQuantity } from "@knarr/apimachinery"
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from "./types.gen.ts"

const unknown = "<unknown>"

function amount(quantity: string | undefined): string {
  return quantity === undefined ? "0" : canonicalQuantity(quantity)
}

/** Of an object or external metric, which may be an average or a value. */
function valueText(target: MetricTarget, current: MetricValueStatus | undefined): string {
  if (target.averageValue !== undefined) {
    const now = current?.averageValue === undefined ? unknown : amount(current.averageValue)
    return `${now}/${amount(target.averageValue)} (avg)`
  }
  return `${current ? amount(current.value) : unknown}/${amount(target.value)}`
}

/** Of a resource metric, which may be an average or a utilisation. */
function resourceText(name: string, target: MetricTarget, current: MetricValueStatus | undefined): string {
  if (target.averageValue !== undefined) {
    return `${name}: ${current ? amount(current.averageValue) : unknown}/${amount(target.averageValue)}`
  }
  const now = current?.averageUtilization === undefined ? unknown : `${current.averageUtilization}%`
  const wanted = target.averageUtilization === undefined ? "<auto>" : `${target.averageUtilization}%`
  return `${name}: ${now}/${wanted}`
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  if (spec.type === "External" && spec.external)
    return valueText(spec.external.target, status?.external?.current)
  if (spec.type === "Object" && spec.object) return valueText(spec.object.target, status?.object?.current)
  if (spec.type === "Pods" && spec.pods) {
    const now = status?.pods ? amount(status.pods.current.averageValue) : unknown
    return `${now}/${amount(spec.pods.target.averageValue)}`
  }
  if (spec.type === "Resource" && spec.resource)
    return resourceText(spec.resource.name, spec.resource.target, status?.resource?.current)
  if (spec.type === "ContainerResource" && spec.containerResource) {
    const { name, target } = spec.containerResource
    return resourceText(name, target, status?.containerResource?.current)
  }
  return "<unknown type>"
}

/** `cpu: 40%/80%, 1/2 + 1 more...`, or `<none>`. */
export function metricsText(hpa: HorizontalPodAutoscaler): string {
  const metrics = hpa.spec.metrics ?? []
  if (metrics.length === 0) return "<none>"
  const current = hpa.status.currentMetrics ?? []
  const shown = metrics.slice(0, 2).map((spec, i) => metricText(spec, current[i]))
  return shown.join(", ") + (metrics.length > 2 ? ` + ${metrics.length - 2} more...` : "")
}
