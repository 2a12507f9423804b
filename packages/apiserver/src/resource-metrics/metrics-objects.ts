/** The objects of metrics.k8s.io/v1beta1. Mirrors: k8s.io/metrics/pkg/apis/metrics/v1beta1/types.go */
import { formatGoDuration, formatTime, type KubeObject } from "@knarr/apimachinery"
import type { PodUsage, Usage } from "./usage.ts"

export const metricsGroup = "metrics.k8s.io"
export const metricsVersion = "v1beta1"
const apiVersion = `${metricsGroup}/${metricsVersion}`

interface Measured extends KubeObject {
  readonly timestamp: string
  /** Go's form. */
  readonly window: string
}

/** Quantities by the resource's name. */
type Amounts = { readonly cpu: string; readonly memory: string }

export interface NodeMetrics extends Measured {
  readonly usage: Amounts
}

export interface PodMetrics extends Measured {
  readonly containers: readonly { readonly name: string; readonly usage: Amounts }[]
}

type Of = Readonly<KubeObject>["metadata"]

export function nodeMetrics({ name, labels }: Of, usage: Usage, nowMs: number): NodeMetrics {
  return {
    kind: "NodeMetrics",
    apiVersion,
    metadata: metadata({ name, labels }, nowMs),
    ...measured(usage),
    usage: amounts(usage),
  }
}

export function podMetrics({ name, namespace, labels }: Of, usage: PodUsage, nowMs: number): PodMetrics {
  return {
    kind: "PodMetrics",
    apiVersion,
    metadata: metadata({ name, namespace, labels }, nowMs),
    ...measured(usage),
    containers: usage.containers.map((one) => ({ name: one.name, usage: amounts(one.usage) })),
  }
}

function metadata(of: object, nowMs: number): KubeObject["metadata"] {
  return { ...of, creationTimestamp: formatTime(nowMs) } as KubeObject["metadata"]
}

function measured({ atMs, windowMs }: { readonly atMs: number; readonly windowMs: number }): {
  timestamp: string
  window: string
} {
  return { timestamp: formatTime(atMs), window: formatGoDuration(windowMs) }
}

function amounts({ cpu, memory }: Usage): Amounts {
  return { cpu: cpu.toString(), memory: memory.toString() }
}
