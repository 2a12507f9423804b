/**
 * Between autoscaling/v1 and v2; v2 is stored. What v1 has no field for travels in annotations.
 * Mirrors: pkg/apis/autoscaling/v1/conversion.go
 */
import type {
  HorizontalPodAutoscaler as V2,
  HorizontalPodAutoscalerCondition,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
} from "../v2/types.gen.ts"
import { parseJson } from "@knarr/base"
import type { HorizontalPodAutoscaler } from "./types.gen.ts"

const metricsAnnotation = "autoscaling.alpha.kubernetes.io/metrics"
const statusesAnnotation = "autoscaling.alpha.kubernetes.io/current-metrics"
const conditionsAnnotation = "autoscaling.alpha.kubernetes.io/conditions"
const behaviorAnnotation = "autoscaling.alpha.kubernetes.io/behavior"
const own = [metricsAnnotation, statusesAnnotation, conditionsAnnotation, behaviorAnnotation]

function isCpu(metric: MetricSpec | MetricStatus): boolean {
  return metric.type === "Resource" && metric.resource?.name === "cpu"
}

function parse<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined
  try {
    return parseJson(text) as T
  } catch {
    return undefined
  }
}

export function autoscalerToV2(hpa: HorizontalPodAutoscaler): V2 {
  const { spec, status = { currentReplicas: 0, desiredReplicas: 0 } } = hpa
  const annotations = { ...hpa.metadata.annotations }
  const metrics = parse<MetricSpec[]>(annotations[metricsAnnotation]) ?? []
  if (spec.targetCPUUtilizationPercentage !== undefined)
    metrics.push({
      type: "Resource",
      resource: {
        name: "cpu",
        target: { type: "Utilization", averageUtilization: spec.targetCPUUtilizationPercentage },
      },
    })
  const currentMetrics: MetricStatus[] = []
  const saved = parse<MetricStatus[]>(annotations[statusesAnnotation]) ?? []
  if (status.currentCPUUtilizationPercentage !== undefined) {
    const cpu = saved.find(isCpu)?.resource?.current
    currentMetrics.push({
      type: "Resource",
      resource: {
        name: "cpu",
        current: { ...cpu, averageUtilization: status.currentCPUUtilizationPercentage },
      },
    })
  }
  currentMetrics.push(...saved.filter((metric) => !isCpu(metric)))
  const conditions = parse<HorizontalPodAutoscalerCondition[]>(annotations[conditionsAnnotation])
  const behavior = parse<{ scaleUp?: HPAScalingRules; scaleDown?: HPAScalingRules }>(
    annotations[behaviorAnnotation],
  )
  for (const name of own) delete annotations[name]
  const out: V2 = {
    apiVersion: "autoscaling/v2",
    kind: hpa.kind,
    metadata: { ...hpa.metadata },
    spec: {
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
    },
    status: { currentReplicas: status.currentReplicas, desiredReplicas: status.desiredReplicas },
  }
  if (Object.keys(annotations).length > 0) out.metadata.annotations = annotations
  else delete out.metadata.annotations
  if (metrics.length > 0) out.spec.metrics = metrics
  if (behavior) out.spec.behavior = behavior
  if (status.observedGeneration !== undefined) out.status.observedGeneration = status.observedGeneration
  if (status.lastScaleTime !== undefined) out.status.lastScaleTime = status.lastScaleTime
  if (currentMetrics.length > 0) out.status.currentMetrics = currentMetrics
  if (conditions) out.status.conditions = conditions
  return out
}

export function autoscalerFromV2(hpa: V2): HorizontalPodAutoscaler {
  const { spec, status } = hpa
  const annotations = { ...hpa.metadata.annotations }
  for (const name of own) delete annotations[name]
  const cpu = spec.metrics?.find(
    (metric) => isCpu(metric) && metric.resource!.target.averageUtilization !== undefined,
  )
  const others = (spec.metrics ?? []).filter((metric) => metric !== cpu)
  if (others.length > 0) annotations[metricsAnnotation] = JSON.stringify(others)
  if (spec.behavior) annotations[behaviorAnnotation] = JSON.stringify(spec.behavior)
  const current = status?.currentMetrics ?? []
  if (current.length > 0) annotations[statusesAnnotation] = JSON.stringify(current)
  if (status?.conditions?.length) annotations[conditionsAnnotation] = JSON.stringify(status.conditions)
  const out: HorizontalPodAutoscaler = {
    apiVersion: "autoscaling/v1",
    kind: hpa.kind,
    metadata: { ...hpa.metadata },
    spec: {
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
    },
    status: { currentReplicas: status?.currentReplicas ?? 0, desiredReplicas: status?.desiredReplicas ?? 0 },
  }
  if (Object.keys(annotations).length > 0) out.metadata.annotations = annotations
  else delete out.metadata.annotations
  if (cpu) out.spec.targetCPUUtilizationPercentage = cpu.resource!.target.averageUtilization
  if (status?.observedGeneration !== undefined) out.status.observedGeneration = status.observedGeneration
  if (status?.lastScaleTime !== undefined) out.status.lastScaleTime = status.lastScaleTime
  const utilization = current.find(isCpu)?.resource?.current.averageUtilization
  if (utilization !== undefined) out.status.currentCPUUtilizationPercentage = utilization
  return out
}
