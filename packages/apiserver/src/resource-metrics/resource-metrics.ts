/**
 * metrics.k8s.io, as metrics-server answers it, from what this cluster's kubelets tell when somebody asks.
 * Mirrors: metrics-server pkg/api/{node,pod}.go
 */
import { node, pod, type Pod } from "@knarr/api"
import {
  everyField,
  everything,
  notFound,
  badRequest,
  parseFieldSelector,
  parseSelector,
  type FieldSelector,
  type KubeObject,
  type Selector,
} from "@knarr/apimachinery"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { HostedQuery, HostedVersion } from "../aggregator/hosted.ts"
import { KubeletClient, type KubeletOptions } from "../endpoints/connect/kubelet.ts"
import type { Destinations } from "../endpoints/connect/proxyable.ts"
import { readBounded } from "../outbound/read-bounded.ts"
import type { Registry } from "../registry/registry.ts"
import { metricsGroup, metricsVersion, nodeMetrics, podMetrics } from "./metrics-objects.ts"
import type { NodeMetrics, PodMetrics } from "./metrics-objects.ts"
import { metricsTable } from "./metrics-table.ts"
import { longestWindowMs, Samples } from "./samples.ts"
import { knownNodeUsage, knownPodUsage, podUsage, usageBetween, type KnownNodeUse } from "./usage.ts"

export interface ResourceMetricsOptions {
  readonly env: Env
  readonly registry: Registry
  readonly kubelet: KubeletOptions | undefined
  readonly destinations: Destinations
  readonly scope: Scope
  /** What is used on a node that nobody has to be asked about; undefined: its kubelet is. Default: each is. */
  readonly known?: ((node: string) => KnownNodeUse | undefined) | undefined
}

/** A node with 250 pods tells some 200 KiB; one that says more than this does not answer. */
const maxScrapeBytes = 4 * 1024 * 1024
/** As metrics-server registers itself. */
const priorities = { groupPriority: 100, versionPriority: 100 }

export function resourceMetrics(options: ResourceMetricsOptions): HostedVersion {
  const { env, registry, scope } = options
  const kubelets = new KubeletClient(registry, options.kubelet, options.destinations)
  scope.defer(() => kubelets.close())
  const scrape = async (name: string, signal: AbortSignal): Promise<string> => {
    const answer = await kubelets.get(kubelets.locate(name, "nodes"), "/metrics/resource", signal)
    const status = answer.statusCode ?? 500
    const { body } = await readBounded(
      { status, headers: answer.headers, body: answer, buffer: () => Promise.reject(new Error("read once")) },
      maxScrapeBytes,
    )
    if (status !== 200) throw new Error(`request failed, status: ${status}`)
    return body.toString()
  }
  const samples = new Samples({ env, scope, scrape })
  return hostResourceMetrics({ env, registry, samples, known: options.known })
}

export function hostResourceMetrics(options: {
  readonly env: Pick<Env, "clock">
  readonly registry: Pick<Registry, "get" | "list">
  readonly samples: Samples
  readonly known?: ResourceMetricsOptions["known"]
}): HostedVersion {
  const { env, registry, samples, known = () => undefined } = options
  /** Those of the nodes that are known; the others have been looked at when it resolves. */
  const useOf = async (
    names: Iterable<string>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, KnownNodeUse>> => {
    const uses = new Map<string, KnownNodeUse>()
    const others = new Set<string>()
    for (const name of names) {
      if (uses.has(name) || others.has(name)) continue
      const use = known(name)
      if (use) uses.set(name, use)
      else others.add(name)
    }
    await samples.refresh(others, signal)
    return uses
  }
  const nodesOf = async (
    objects: readonly Readonly<KubeObject>[],
    signal: AbortSignal,
  ): Promise<NodeMetrics[]> => {
    const uses = await useOf(
      objects.map(({ metadata }) => metadata.name),
      signal,
    )
    const nowMs = env.clock.now()
    return objects.flatMap(({ metadata }) => {
      const use = uses.get(metadata.name)
      const { last, previous } = (use ? undefined : samples.of(metadata.name)) ?? {}
      const usage = use
        ? knownNodeUsage(use, nowMs)
        : last?.node && previous?.node && usageBetween(previous.node, last.node)
      return usage ? [nodeMetrics(metadata, usage, nowMs)] : []
    })
  }
  const podsOf = async (objects: readonly Readonly<Pod>[], signal: AbortSignal): Promise<PodMetrics[]> => {
    const running = objects.filter(({ spec, status }) => spec.nodeName && status.phase === "Running")
    const uses = await useOf(
      running.map(({ spec }) => spec.nodeName!),
      signal,
    )
    const nowMs = env.clock.now()
    return running.flatMap(({ metadata, spec }) => {
      const key = `${metadata.namespace}/${metadata.name}`
      const use = uses.get(spec.nodeName!)
      const looks = use ? undefined : samples.of(spec.nodeName!)
      const usage = use
        ? knownPodUsage(key, use, nowMs)
        : looks && podUsage(key, looks.last, looks.previous, longestWindowMs)
      return usage ? [podMetrics(metadata, usage, nowMs)] : []
    })
  }
  return {
    group: metricsGroup,
    version: metricsVersion,
    ...priorities,
    resources: [resource("nodes", "NodeMetrics", "Cluster"), resource("pods", "PodMetrics", "Namespaced")],
    async get({ resource: plural, namespace, name }, signal) {
      const isNode = plural === "nodes"
      const foundNode = isNode ? registry.get(node, { name }) : undefined
      const foundPod = isNode ? undefined : registry.get(pod, { namespace, name })
      if (!foundNode && !foundPod) throw notFound({ group: "", resource: plural }, name)
      const [measured] = foundPod ? await podsOf([foundPod], signal) : await nodesOf([foundNode!], signal)
      if (measured) return measured
      throw notFound({ group: metricsGroup, resource: plural }, isNode ? name : `${namespace}/${name}`)
    },
    async list(query, signal) {
      const matches = matcherOf(query)
      return query.resource === "nodes"
        ? nodesOf(registry.list(node).filter(matches).sort(byName), signal)
        : podsOf(registry.list(pod, query.namespace).filter(matches).sort(byName), signal)
    },
    table: (_, items) => metricsTable(items as readonly (NodeMetrics | PodMetrics)[]),
  }
}

function resource(
  plural: string,
  kind: string,
  scope: "Namespaced" | "Cluster",
): HostedVersion["resources"][number] {
  const responseKind = { group: "", version: "", kind }
  return { resource: plural, responseKind, scope, singularResource: "", verbs: ["get", "list"] }
}

function byName({ metadata: a }: Readonly<KubeObject>, { metadata: b }: Readonly<KubeObject>): number {
  const [x, y] = [a, b].map(({ namespace = "", name }) => `${namespace}/${name}`) as [string, string]
  return x < y ? -1 : x > y ? 1 : 0
}

/** Throws a 400 StatusError for selectors that are none. */
function matcherOf({ labelSelector, fieldSelector }: HostedQuery): (object: Readonly<KubeObject>) => boolean {
  let labels: Selector = everything
  let fields: FieldSelector = everyField
  try {
    if (labelSelector !== "") labels = parseSelector(labelSelector)
    if (fieldSelector !== "") fields = parseFieldSelector(fieldSelector)
  } catch (thrown) {
    throw badRequest(messageOf(thrown))
  }
  return ({ metadata }) =>
    labels.matches(metadata.labels) &&
    fields.matches((field) =>
      field === "metadata.name"
        ? metadata.name
        : field === "metadata.namespace"
          ? (metadata.namespace ?? "")
          : "",
    )
}
