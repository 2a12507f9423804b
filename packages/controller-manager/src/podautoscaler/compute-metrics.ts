/**
 * What an autoscaler's metrics ask for, each and all together.
 * Mirrors: pkg/controller/podautoscaler/horizontal.go (computeReplicasForMetrics)
 */
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, Pod } from "@knarr/api"
import { parseQuantity, Quantity, selectorFrom, type Selector } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { labelSelectorText } from "./go-text.ts"
import type { MetricsClient } from "./metrics-client.ts"
import type { Patience, PodMetrics } from "./pod-groups.ts"
import {
  replicasForAverage,
  replicasForRatio,
  replicasForUsage,
  replicasForUtilization,
  type MeasuredPods,
  type Proposal,
  type Tolerances,
} from "./replica-calculator.ts"

export interface Asked {
  readonly autoscaler: Readonly<HorizontalPodAutoscaler>
  readonly specReplicas: number
  readonly statusReplicas: number
  readonly selector: Selector
  /** That the selector matches. */
  readonly pods: readonly Readonly<Pod>[]
  readonly tolerances: Tolerances
  readonly patience: Patience
  readonly nowMs: number
  readonly metrics: MetricsClient
}

export interface Answer {
  readonly replicas: number
  /** How events call the metric. */
  readonly name: string
  readonly status: MetricStatus
}

/** A metric that says nothing: `message` is for who waits for the whole, `said` for the condition and the event. */
export class MetricFailure extends Error {
  readonly reason: string
  readonly said: string
  readonly isSpec: boolean

  constructor(reason: string, said: string, message: string, isSpec = false) {
    super(message)
    this.reason = reason
    this.said = said
    this.isSpec = isSpec
  }
}

/** Rejects with a {@link MetricFailure}. */
export function computeMetric(spec: Readonly<MetricSpec>, asked: Asked): Promise<Answer> {
  switch (spec.type) {
    case "Resource": {
      const { name, target } = spec.resource!
      return failing("FailedGetResourceMetric", `failed to get ${name} resource metric value`, async () => {
        const answer = await ofResource(asked, name, "", target)
        const { current } = answer
        return { ...answer, status: { type: spec.type, resource: { name, current } } }
      })
    }
    case "ContainerResource": {
      const { name, container, target } = spec.containerResource!
      const prefix = `failed to get ${container} container metric value`
      return failing("FailedGetContainerResourceMetric", prefix, async () => {
        const answer = await ofResource(asked, name, container, target)
        const { current } = answer
        return { ...answer, status: { type: spec.type, containerResource: { name, container, current } } }
      })
    }
    case "Pods":
      return failing("FailedGetPodsMetric", "failed to get pods metric value", () => ofPods(asked, spec))
    case "Object":
      return failing("FailedGetObjectMetric", "failed to get object metric value", (inner) =>
        ofObject(asked, spec, inner),
      )
    case "External":
      return failing(
        "FailedGetExternalMetric",
        `failed to get ${spec.external!.metric.name} external metric value`,
        (inner) => ofExternal(asked, spec, inner),
      )
    default: {
      const text = `unknown metric source type ${JSON.stringify(spec.type)}`
      return Promise.reject(new MetricFailure("InvalidMetricSourceType", text, text, true))
    }
  }
}

/** Puts what is said to whom around a failure; `inner` stands between the whole's words and the failure's own. */
async function failing(
  reason: string,
  prefix: string,
  compute: (inner: (text: string) => void) => Promise<Answer>,
): Promise<Answer> {
  let between = ""
  try {
    return await compute((text) => (between = `${text}: `))
  } catch (thrown) {
    const said = messageOf(thrown)
    throw new MetricFailure(reason, said, `${prefix}: ${between}${said}`)
  }
}

type Resourceful = Omit<Answer, "status"> & { readonly current: MetricStatusValue }
type MetricStatusValue = NonNullable<MetricStatus["pods"]>["current"]

async function ofResource(
  asked: Asked,
  resource: string,
  container: string,
  target: Readonly<MetricTarget>,
): Promise<Resourceful> {
  const { averageValue, averageUtilization: percent } = target
  const get = async (): Promise<PodMetrics> => {
    const { metrics, autoscaler, selector } = asked
    return prefixed(`unable to get metrics for resource ${resource}`, () =>
      metrics.ofResource(resource, autoscaler.metadata.namespace!, selector, container),
    )
  }
  // As metrics-server prints them.
  const format = resource === "memory" ? "BinarySI" : "DecimalSI"
  if (averageValue !== undefined) {
    const { replicas, usage } = await prefixed(`failed to get ${resource} usage`, async () =>
      replicasForUsage(measured(asked, await get()), resource, parseQuantity(averageValue).milliValue()),
    )
    return { replicas, name: `${resource} resource`, current: { averageValue: milli(usage, format) } }
  }
  if (percent === undefined)
    throw new Error(
      "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set",
    )
  const { replicas, usage, utilization } = await prefixed(`failed to get ${resource} utilization`, async () =>
    replicasForUtilization(measured(asked, await get()), { resource, container, percent }),
  )
  return {
    replicas,
    name: `${resource} ${container === "" ? "" : "container "}resource utilization (percentage of request)`,
    current: { averageUtilization: utilization, averageValue: milli(usage, format) },
  }
}

async function ofPods(asked: Asked, { pods: spec }: Readonly<MetricSpec>): Promise<Answer> {
  const { metric, target } = spec!
  const { metrics, autoscaler, selector } = asked
  const labels = metricSelector(metric.selector)
  const values = await prefixed(`unable to get metric ${metric.name}`, () =>
    metrics.ofPods(metric.name, autoscaler.metadata.namespace!, selector, labels),
  )
  const wanted = parseQuantity(target.averageValue ?? "0").milliValue()
  const { replicas, usage } = replicasForUsage(measured(asked, values), "", wanted)
  const current = { averageValue: milli(usage) }
  return { replicas, name: `pods metric ${metric.name}`, status: { type: "Pods", pods: { metric, current } } }
}

async function ofObject(
  asked: Asked,
  { object: spec }: Readonly<MetricSpec>,
  inner: (text: string) => void,
): Promise<Answer> {
  const { metric, target, describedObject } = spec!
  const namespace = asked.autoscaler.metadata.namespace!
  const labels = metricSelector(metric.selector)
  const get = (): Promise<number> =>
    prefixed(
      `unable to get metric ${metric.name} on ${describedObject.kind} ${namespace}/${describedObject.name}`,
      () => asked.metrics.ofObject(metric.name, namespace, describedObject, labels),
    )
  if (target.type === "Value" && target.value !== undefined) {
    const { replicas, usage } = ratioOf(asked, await get(), target.value)
    const status = { type: "Object", object: { describedObject, metric, current: { value: milli(usage) } } }
    return { replicas, name: `${describedObject.kind} metric ${metric.name}`, status }
  }
  if (target.type === "AverageValue" && target.averageValue !== undefined) {
    inner(`failed to get ${metric.name} object metric`)
    const { replicas, usage } = averageOf(asked, await get(), target.averageValue)
    const current = { averageValue: milli(usage) }
    return {
      replicas,
      name: `external metric ${metric.name}(${labelSelectorText(metric.selector)})`,
      status: { type: "Object", object: { describedObject, metric, current } },
    }
  }
  throw new Error("invalid object metric source: neither a value target nor an average value target was set")
}

async function ofExternal(
  asked: Asked,
  { external: spec }: Readonly<MetricSpec>,
  inner: (text: string) => void,
): Promise<Answer> {
  const { metric, target } = spec!
  const namespace = asked.autoscaler.metadata.namespace!
  const selector = labelSelectorText(metric.selector)
  const get = async (): Promise<number> => {
    const labels = metricSelector(metric.selector)
    const values = await prefixed(
      `unable to get external metric ${namespace}/${metric.name}/${selector}`,
      () => asked.metrics.ofExternal(metric.name, namespace, labels),
    )
    return values.reduce((sum, value) => sum + value, 0)
  }
  const name = `external metric ${metric.name}(${selector})`
  if (target.averageValue !== undefined) {
    inner(`failed to get ${metric.name} external metric`)
    const { replicas, usage } = averageOf(asked, await get(), target.averageValue)
    return {
      replicas,
      name,
      status: { type: "External", external: { metric, current: { averageValue: milli(usage) } } },
    }
  }
  if (target.value !== undefined) {
    inner(`failed to get external metric ${metric.name}`)
    const { replicas, usage } = ratioOf(asked, await get(), target.value)
    return {
      replicas,
      name,
      status: { type: "External", external: { metric, current: { value: milli(usage) } } },
    }
  }
  throw new Error(
    "invalid external metric source: neither a value target nor an average value target was set",
  )
}

function ratioOf(asked: Asked, usage: number, target: string): Proposal {
  const ratio = usage / parseQuantity(target).milliValue()
  return { replicas: replicasForRatio(ratio, asked.specReplicas, asked.tolerances, asked.pods), usage }
}

function averageOf(asked: Asked, usage: number, target: string): Proposal {
  return replicasForAverage(usage, parseQuantity(target).milliValue(), asked.statusReplicas, asked.tolerances)
}

function measured(asked: Asked, metrics: PodMetrics): MeasuredPods {
  const { pods, specReplicas, tolerances, patience, nowMs } = asked
  return { pods, metrics, currentReplicas: specReplicas, tolerances, patience, nowMs }
}

function metricSelector(selector: Parameters<typeof selectorFrom>[0]): Selector {
  // Without one everything counts.
  return selectorFrom(selector ?? {})
}

async function prefixed<R>(prefix: string, fn: () => Promise<R>): Promise<R> {
  try {
    return await fn()
  } catch (thrown) {
    throw new Error(`${prefix}: ${messageOf(thrown)}`, { cause: thrown })
  }
}

/** As Go holds it, 64 bits. */
const most = 2n ** 63n - 1n

function milli(thousandths: number, format: "DecimalSI" | "BinarySI" = "DecimalSI"): string {
  const value = thousandths >= Number(most) ? most : Number.isFinite(thousandths) ? thousandths : 0
  return Quantity.ofMilli(value, format).toString()
}
