/** The operations that `bench api` measures, in order. */
import { policyLoads, type BenchWebhook } from "./admission.ts"
import type { Load } from "./load-client.ts"
import { configMapApply, podBody, podMergePatch, podStatusPatch, podStatusUpdate } from "./objects.ts"

/** A bound on how Knarr compares with the reference: Knarr's figure divided by the reference's. */
export interface Goal {
  readonly metric: "throughput" | "cpu"
  readonly atLeast?: number
  readonly atMost?: number
}

export interface Operation {
  readonly name: string
  /** The load of one round; `round` counts from 0, the warm-up is round -1. */
  readonly load: (round: number) => Load
  /** Set: the load's writes are watched by this many watchers, and a figure is per delivered event. */
  readonly watchers?: number
  /** What the server is told before the first round, one after the other; then it has a moment to take it in. */
  readonly before?: readonly Load[]
  readonly goal?: Goal
}

export const namespaces = {
  list: "bench-list",
  create: "bench-create",
  write: "bench-write",
  watch: "bench-watch",
  policy: "bench-policy",
  webhook: "bench-webhook",
}
export const json = "application/json"
const protobuf = "application/vnd.kubernetes.protobuf"
const table = "application/json;as=Table;v=v1;g=meta.k8s.io"
export const listed = 5000
/** How many objects the patches go round: enough that two clients never write the same one at once. */
export const patched = 256

const pods = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`

export const createPods = (namespace: string, clients: number, first: number, requests: number): Load => ({
  method: "POST",
  path: pods(namespace),
  body: podBody,
  contentType: json,
  accept: json,
  clients,
  first,
  requests,
})

/**
 * Writes are counted, so that both servers hold the same afterwards; reads are timed. `size` scales both:
 * 1 is a round of about a second of the reference.
 */
export function operations(size: number, webhook: BenchWebhook): Operation[] {
  const count = (requests: number): number => Math.max(32, Math.round(requests * size))
  const seconds = 1.2 * size
  // Numbers of pods that no other operation or round uses.
  const numbers = (operation: number, round: number): number => (operation * 100 + round + 1) * 100_000
  const creates =
    (
      operation: number,
      clients: number,
      requests: number,
      namespace: string = namespaces.create,
    ): Operation["load"] =>
    (round) =>
      createPods(namespace, clients, numbers(operation, round), count(requests))
  const writes = { accept: json, clients: 16, modulo: patched }
  const read =
    (path: string, clients: number, more: Partial<Load> = {}): Operation["load"] =>
    () => ({
      method: "GET",
      path,
      accept: json,
      clients,
      seconds,
      ...more,
    })
  const all = pods(namespaces.list)
  const one = `${all}/checkout-{i}`
  return [
    { name: "create pod, 1 client", load: creates(1, 1, 400) },
    {
      name: "create pod, 16 clients",
      load: creates(2, 16, 1000),
      goal: { metric: "throughput", atLeast: 2 },
    },
    { name: "create pod, 64 clients", load: creates(3, 64, 1000) },
    { name: "get pod, 1 client", load: read(one, 1, { modulo: listed }) },
    {
      name: "get pod, 32 clients",
      load: read(one, 32, { modulo: listed }),
      goal: { metric: "cpu", atMost: 1 / 9 },
    },
    {
      name: "merge patch, 16 clients",
      load: (round) => ({
        ...writes,
        method: "PATCH",
        path: `${pods(namespaces.write)}/checkout-{i}`,
        body: podMergePatch.replaceAll("{n}", `${round}-{n}`),
        contentType: "application/merge-patch+json",
        requests: count(700),
      }),
      goal: { metric: "throughput", atLeast: 2.5 },
    },
    {
      name: "server-side apply, 16 clients",
      load: (round) => ({
        ...writes,
        method: "PATCH",
        path: `/api/v1/namespaces/${namespaces.write}/configmaps/settings-{i}?fieldManager=bench&force=true`,
        body: configMapApply.replaceAll("{n}", `${round}-{n}`),
        contentType: "application/apply-patch+yaml",
        requests: count(1200),
      }),
    },
    {
      name: "pod status patch, 16 clients",
      load: (round) => ({
        ...writes,
        method: "PATCH",
        path: `${pods(namespaces.write)}/checkout-{i}/status`,
        body: podStatusPatch.replaceAll("{n}", `${round}-{n}`),
        contentType: "application/strategic-merge-patch+json",
        requests: count(700),
      }),
    },
    {
      name: "pod status update, 16 clients",
      load: (round) => ({
        ...writes,
        method: "PUT",
        path: `${pods(namespaces.write)}/checkout-{i}/status`,
        body: podStatusUpdate.replaceAll("{n}", `${round}-{n}`),
        contentType: json,
        requests: count(700),
      }),
      goal: { metric: "throughput", atLeast: 2.5 },
    },
    {
      name: "list 5,000 pods, 4 clients",
      load: read(`${all}?resourceVersion=0`, 4),
      goal: { metric: "throughput", atLeast: 5 },
    },
    { name: "… consistent", load: read(all, 4) },
    {
      name: "… protobuf",
      load: read(`${all}?resourceVersion=0`, 4, { accept: protobuf }),
      goal: { metric: "throughput", atLeast: 3 },
    },
    {
      name: "page of 500, 4 clients",
      load: read(`${all}?limit=500`, 4, { pages: true }),
      goal: { metric: "throughput", atLeast: 3 },
    },
    {
      name: "… as a Table",
      load: read(`${all}?limit=500`, 4, { pages: true, accept: table }),
      goal: { metric: "throughput", atLeast: 1.5 },
    },
    {
      name: "list, selector matches none of 5,000",
      load: read(`${all}?labelSelector=app%3Dnone&resourceVersion=0`, 4),
      goal: { metric: "throughput", atLeast: 3 },
    },
    {
      name: "watch event to 100 watchers",
      watchers: 100,
      load: (round) => createPods(namespaces.watch, 16, numbers(4, round), count(250)),
      goal: { metric: "cpu", atMost: 1 / 3 },
    },
    // The last ones: what stands in their path stays.
    {
      name: "create pod, a policy in the path",
      before: policyLoads(namespaces.policy),
      load: creates(5, 16, 1000, namespaces.policy),
      goal: { metric: "throughput", atLeast: 2 },
    },
    {
      name: "create pod, a webhook in the path",
      before: webhook.loads(namespaces.webhook),
      load: creates(6, 16, 500, namespaces.webhook),
      goal: { metric: "cpu", atMost: 1 },
    },
  ]
}
