/** Pods of workloads and containers of pods, as `logs`, `exec` and `port-forward` choose them. Mirrors: kubectl pkg/polymorphichelpers */
import { formatLabelSelector, goQuote } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"
import { resourcePath, type ApiClient } from "./api-client.ts"
import type { CommandContext } from "./command.ts"
import { at, type Obj } from "./object.ts"
import type { Info } from "./info.ts"
import { isPodReady } from "./pod-readiness.ts"

const defaultContainerAnnotation = "kubectl.kubernetes.io/default-container"

/** The label selector of a workload's or service's pods. Throws with upstream's message when it has none. */
function podSelectorOf(obj: Obj): string {
  const spec = (obj["spec"] ?? {}) as Obj
  switch (obj["kind"]) {
    case "ReplicaSet":
    case "Deployment":
    case "StatefulSet":
    case "DaemonSet":
    case "Job":
      return formatLabelSelector(spec["selector"] as object)
    case "ReplicationController":
    case "Service": {
      const labels = (spec["selector"] ?? {}) as Record<string, string>
      if (Object.keys(labels).length === 0 && obj["kind"] === "Service") {
        throw new Error(`invalid service '${obj["metadata"].name}': Service is defined without a selector`)
      }
      return Object.keys(labels)
        .sort()
        .map((key) => `${key}=${labels[key]}`)
        .join(",")
    }
    default:
      throw new Error(`selector for ${obj["kind"]} not implemented`)
  }
}

export async function podsBySelector(
  api: ApiClient,
  namespace: string,
  labelSelector: string,
  fieldSelector = "",
): Promise<Obj[]> {
  const path = `/api/v1${namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ""}/pods`
  const list = await api.get(path, { labelSelector, fieldSelector })
  const items = (list["items"] ?? []) as Obj[]
  return items.map((item) => ({ apiVersion: "v1", kind: "Pod", ...item }))
}

/** The pods of a service or workload, best first: running, ready, with fewer restarts. */
export async function podsOf(api: ApiClient, obj: Obj): Promise<Obj[]> {
  if (obj["kind"] === "Pod") return [obj]
  const namespace = (at(obj, "metadata", "namespace") ?? "") as string
  return podsBySelector(api, namespace, podSelectorOf(obj))
}

const phaseRank: Readonly<Record<string, number>> = tableOf({ Pending: 0, Unknown: 1, Running: 2 })

function restarts(pod: Obj): number {
  const statuses = (at(pod, "status", "containerStatuses") ?? []) as Obj[]
  return Math.max(0, ...statuses.map((one) => one["restartCount"] as number))
}

/** Worst first, as a controller would choose pods to give up. Mirrors: controller.ActivePods */
function compareActivity(a: Obj, b: Obj): number {
  const assigned = (pod: Obj): number => (at(pod, "spec", "nodeName") ? 1 : 0)
  const rank = (pod: Obj): number => phaseRank[at(pod, "status", "phase") as string] ?? 3
  const ready = (pod: Obj): number => (isPodReady(pod) ? 1 : 0)
  const created = (pod: Obj): string => at(pod, "metadata", "creationTimestamp") as string
  return (
    assigned(a) - assigned(b) ||
    rank(a) - rank(b) ||
    ready(a) - ready(b) ||
    restarts(b) - restarts(a) ||
    (created(a) < created(b) ? 1 : created(a) > created(b) ? -1 : 0)
  )
}

/** One pod of an object: itself, or the best of its pods. Waits until there is one. Throws after the time. */
export async function attachablePod(ctx: CommandContext, info: Info, timeoutMs: number): Promise<Obj> {
  if (info.object["kind"] === "Pod") return info.object
  const api = await ctx.factory.api()
  const { clock } = ctx.io
  const end = clock.monotonic() + timeoutMs
  for (;;) {
    const pods = await podsOf(api, info.object)
    if (pods.length > 0) return pods.toSorted(compareActivity).at(-1)!
    if (clock.monotonic() >= end) throw new Error("timed out waiting for the condition")
    await clock.sleep(500, ctx.signal)
  }
}

/** Every container of a pod: init, ordinary, ephemeral. */
export function containersOf(pod: Obj): { name: string; type: "init" | "" | "ephem" }[] {
  const spec = (pod["spec"] ?? {}) as Obj
  const named = (
    list: unknown,
    type: "init" | "" | "ephem",
  ): { name: string; type: "init" | "" | "ephem" }[] =>
    ((list ?? []) as Obj[]).map((one) => ({ name: one["name"] as string, type }))
  return [
    ...named(spec["containers"], ""),
    ...named(spec["ephemeralContainers"], "ephem"),
    ...named(spec["initContainers"], "init"),
  ]
}

/** The container asked for, or the default one; says so when there is a choice. */
export function chooseContainer(ctx: CommandContext, pod: Obj, wanted: string, quiet: boolean): string {
  const all = containersOf(pod)
  const podName = pod["metadata"].name as string
  if (wanted !== "") {
    if (all.some((one) => one.name === wanted)) return wanted
    throw new Error(`container ${wanted} not found in pod ${podName}`)
  }
  const annotated = at(pod, "metadata", "annotations", defaultContainerAnnotation) as string | undefined
  if (annotated) {
    if (all.some((one) => one.name === annotated)) return annotated
    ctx.err(`Default container name ${goQuote(annotated)} not found in pod ${podName}\n`)
  }
  const first = all[0]
  if (!first) throw new Error(`no containers in pod ${podName}`)
  if (!quiet && all.length > 1) {
    const names = all.map((one) => (one.type === "" ? one.name : `${one.name} (${one.type})`))
    ctx.err(`Defaulted container ${goQuote(first.name)} out of: ${names.join(", ")}\n`)
  }
  return first.name
}

/** The path of a pod's subresource. */
export async function podPath(ctx: CommandContext, pod: Obj, subresource: string): Promise<string> {
  const resource = await (await ctx.factory.mapper()).resource("pods")
  const { name, namespace } = pod["metadata"] as { name: string; namespace: string }
  return resourcePath(resource, namespace, name, subresource)
}
