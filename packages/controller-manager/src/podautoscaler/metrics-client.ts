/**
 * Where measurements come from: metrics.k8s.io, custom.metrics.k8s.io and external.metrics.k8s.io, whoever serves them.
 * Mirrors: pkg/controller/podautoscaler/metrics/client.go, k8s.io/metrics/pkg/client
 */
import type { CrossVersionObjectReference } from "@knarr/api"
import {
  defineKind,
  genericServerResponse,
  parseGoDuration,
  parseQuantity,
  parseTime,
  StatusError,
  type Kind,
  type KubeObject,
  type Selector,
} from "@knarr/apimachinery"
import { asError } from "@knarr/base"
import type { ReconcileContext } from "@knarr/controller-kit"
import type { PodMetric, PodMetrics } from "./pod-groups.ts"

interface ResourceMetrics extends KubeObject {
  readonly timestamp: string
  readonly window: string
  readonly containers?: readonly {
    readonly name: string
    readonly usage: Readonly<Record<string, string>>
  }[]
}

interface MetricValue extends KubeObject {
  readonly describedObject: { readonly name: string }
  readonly timestamp: string
  readonly windowSeconds?: number
  readonly value: string
}

interface MetricValues {
  readonly items?: readonly MetricValue[]
}

/** Of custom metrics that say none. */
const defaultWindowMs = 60_000
const customGroup = "custom.metrics.k8s.io"
const customVersions: readonly string[] = ["v1beta2", "v1beta1"]
/** What is served is asked again after so long. */
const discoveryMs = 30_000

const podMetricsKind = measured<ResourceMetrics>("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")

/** A kind of which nothing is known but where it is. */
function measured<T extends KubeObject>(
  group: string,
  version: string,
  kind: string,
  plural: string,
): Kind<T> {
  return defineKind<T>({
    group,
    version,
    kind,
    plural,
    namespaced: true,
    verbs: ["get", "list"],
    rules: "structural",
    schema: { type: "object", preserveUnknown: true, fields: new Map() },
  })
}

export class MetricsClient {
  readonly #ctx: ReconcileContext
  #custom: { readonly version: string | undefined; readonly atMs: number } | undefined

  constructor(ctx: ReconcileContext) {
    this.#ctx = ctx
  }

  /** What pods use of a resource; of one container when it is named. Rejects with what keeps it from being told. */
  async ofResource(
    resource: string,
    namespace: string,
    selector: Selector,
    container: string,
  ): Promise<PodMetrics> {
    const { client, signal } = this.#ctx
    const { items } = await wrapped("resource metrics API", ["pods", "metrics.k8s.io"], () =>
      client.list(podMetricsKind, { namespace, labelSelector: selector.toString(), signal }),
    )
    if (items.length === 0) throw new Error("no metrics returned from resource metrics API")
    const out: PodMetrics = new Map()
    for (const item of items) {
      const value = usedOf(item, resource, container)
      if (value !== undefined)
        out.set(item.metadata.name, {
          value,
          atMs: parseTime(item.timestamp),
          windowMs: parseGoDuration(item.window),
        })
    }
    return out
  }

  /** A custom metric of each pod. */
  async ofPods(metric: string, namespace: string, pods: Selector, labels: Selector): Promise<PodMetrics> {
    const query = { labelSelector: pods.toString(), metricLabelSelector: labels.toString() }
    const items = await this.#customMetrics(namespace, "pods", "*", metric, query)
    if (items.length === 0) throw new Error("no metrics returned from custom metrics API")
    return new Map(
      items.map(({ describedObject, value, timestamp, windowSeconds }): [string, PodMetric] => [
        describedObject.name,
        {
          value: parseQuantity(value).milliValue(),
          atMs: parseTime(timestamp),
          windowMs: windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1000,
        },
      ]),
    )
  }

  /** A custom metric of one object, in thousandths. */
  async ofObject(
    metric: string,
    namespace: string,
    object: Readonly<CrossVersionObjectReference>,
    labels: Selector,
  ): Promise<number> {
    const query = { metricLabelSelector: labels.toString() }
    const { apiVersion = "", kind, name } = object
    const isNamespace = kind === "Namespace" && !apiVersion.includes("/")
    const items = isNamespace
      ? await this.#customMetrics(namespace, "metrics", metric, "", query)
      : await this.#customMetrics(namespace, this.#resourceOf(apiVersion, kind), name, metric, query)
    if (items.length !== 1)
      throw new Error(
        "unable to fetch metrics from custom metrics API: " +
          `the custom metrics API server returned ${items.length} results when we asked for exactly one`,
      )
    return parseQuantity(items[0]!.value).milliValue()
  }

  /** The values of an external metric, in thousandths. */
  async ofExternal(metric: string, namespace: string, labels: Selector): Promise<readonly number[]> {
    const { client, signal } = this.#ctx
    const group = "external.metrics.k8s.io"
    const kind = measured<MetricValue>(group, "v1beta1", "ExternalMetricValue", encodeURIComponent(metric))
    const { items } = await wrapped("external metrics API", [metric, group], () =>
      client.list(kind, { namespace, labelSelector: labels.toString(), signal }),
    )
    if (items.length === 0) throw new Error("no metrics returned from external metrics API")
    return items.map(({ value }) => parseQuantity(value).milliValue())
  }

  async #customMetrics(
    namespace: string,
    resource: string,
    name: string,
    subresource: string,
    query: Readonly<Record<string, string>>,
  ): Promise<readonly MetricValue[]> {
    const { client, signal } = this.#ctx
    return wrapped("custom metrics API", [resource, customGroup, name], async () => {
      const kind = measured(customGroup, await this.#customVersion(), "MetricValueList", resource)
      const { items } = await client.getSubresource<MetricValues>(
        kind,
        { namespace, name },
        encodeURIComponent(subresource),
        { query, signal },
      )
      return items ?? []
    })
  }

  /** The version of custom metrics that is served. */
  async #customVersion(): Promise<string> {
    const { client, clock, signal } = this.#ctx
    const nowMs = clock.monotonic()
    if (!this.#custom || nowMs - this.#custom.atMs >= discoveryMs) {
      const served = await client.discover({ signal })
      const versions = served.filter(({ group }) => group === customGroup).map(({ version }) => version)
      this.#custom = { version: customVersions.find((version) => versions.includes(version)), atMs: nowMs }
    }
    if (this.#custom.version === undefined)
      throw new Error(`no custom metrics API (${customGroup}) registered`)
    return this.#custom.version
  }

  #resourceOf(apiVersion: string, kind: string): string {
    const found = this.#ctx.served.find(apiVersion, kind)
    const group = apiVersion.includes("/") ? apiVersion.split("/", 1)[0]! : ""
    if (!found)
      throw new Error(
        `unable to fetch metrics from custom metrics API: unable to map kind ${group === "" ? kind : `${kind}.${group}`} to resource: ` +
          `no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`,
      )
    return group === "" ? found.plural : `${found.plural}.${group}`
  }
}

/** What a pod, or one of its containers, uses, in thousandths; undefined when it is not told of all of it. */
function usedOf(
  { containers = [] }: ResourceMetrics,
  resource: string,
  container: string,
): number | undefined {
  const counted =
    container === "" ? containers : containers.filter(({ name }) => name === container).slice(0, 1)
  if (counted.length === 0) return undefined
  let sum = 0
  for (const { usage } of counted) {
    const text = usage[resource]
    if (text === undefined) return undefined
    sum += parseQuantity(text).milliValue()
  }
  return sum
}

/** The API's answer; what it refuses is said in the words of upstream's client, of a group that nobody serves, too. */
async function wrapped<R>(
  api: string,
  [resource, group, name = ""]: readonly [resource: string, group: string, name?: string],
  ask: () => Promise<R>,
): Promise<R> {
  try {
    return await ask()
  } catch (thrown) {
    const isUnknown = thrown instanceof StatusError && !thrown.status.details?.name
    const code = isUnknown ? thrown.status.code : undefined
    const cause =
      code === 404 || code === 503
        ? genericServerResponse(code, "get", { group, resource }, name === "*" ? "" : name, "")
        : asError(thrown)
    throw new Error(`unable to fetch metrics from ${api}: ${cause.message}`, { cause: thrown })
  }
}
