import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { deployment } from "@knarr/api"
import { parseSelector } from "@knarr/apimachinery"
import { createRestClient, type HttpRequest, type Transport } from "@knarr/client"
import type { ReconcileContext } from "@knarr/controller-kit"
import { virtualEnv } from "@knarr/testkit"
import { computeMetric, type Asked, type MetricFailure } from "./compute-metrics.ts"
import { MetricsClient } from "./metrics-client.ts"

const nowMs = Date.parse("2026-01-01T00:00:00Z")

/** A network on which these paths are answered, all others with 404 as by who serves nothing there. */
function networkOf(answers: Readonly<Record<string, unknown>>, asked: string[]): Transport {
  return {
    server: "http://test",
    async request({ path }: HttpRequest) {
      asked.push(decodeURIComponent(path))
      const answer = answers[path.split("?", 1)[0]!]
      const status = answer === undefined ? 404 : answer === "down" ? 503 : 200
      const text = status === 200 ? JSON.stringify(answer) : "no\n"
      const bytes = Buffer.from(text)
      async function* body(): AsyncGenerator<Buffer> {
        yield bytes
      }
      return { status, headers: {}, body: body(), buffer: () => Promise.resolve(bytes) }
    },
    webSocket: () => Promise.reject(new Error("there are no WebSockets here")),
    [Symbol.dispose]() {},
  }
}

const custom = { group: "custom.metrics.k8s.io", version: "v1beta2", resources: [] }
const customRoot = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default"
const externalRoot = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default"

function value(name: string, amount: string): object {
  return { describedObject: { kind: "Pod", name }, timestamp: "2026-01-01T00:00:00Z", value: amount }
}

const answers: Readonly<Record<string, unknown>> = {
  [`${customRoot}/pods/*/qps`]: { items: [value("a", "20"), value("b", "10"), value("c", "30")] },
  [`${customRoot}/pods/*/none`]: { items: [] },
  [`${customRoot}/ingresses.networking.k8s.io/main/hits`]: { items: [value("main", "20k")] },
  [`${customRoot}/deployments.apps/web/jobs`]: { items: [value("web", "8600m")] },
  [`${customRoot}/metrics/quota`]: { items: [value("default", "20")] },
  [`${externalRoot}/queue`]: { items: [{ value: "10" }, { value: "20" }] },
  [`${externalRoot}/empty`]: { items: null },
  [`${externalRoot}/down`]: "down",
}

/** Three pods that are ready; three replicas. */
function setup(served = true): { asked: string[]; of: Asked } {
  const env = virtualEnv()
  const asked: string[] = []
  const client = createRestClient({ transport: networkOf(answers, asked) })
  const ctx = {
    ...env,
    client: { ...clientOf(client), discover: () => Promise.resolve(served ? [custom] : []) },
    served: {
      find: (apiVersion: string, kind: string) =>
        kind === "Deployment" ? deployment : kind === "Ingress" ? { plural: "ingresses" } : undefined,
    },
    signal: new AbortController().signal,
  } as unknown as ReconcileContext
  const pods = ["a", "b", "c"].map((name) => ({
    metadata: { name },
    spec: { containers: [{ name: "app" }] },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  }))
  const of = {
    autoscaler: { metadata: { namespace: "default", name: "web" } },
    specReplicas: 3,
    statusReplicas: 3,
    selector: parseSelector("app=web"),
    pods,
    tolerances: { up: 0.1, down: 0.1 },
    patience: { cpuInitializationMs: 300_000, initialReadinessMs: 30_000 },
    nowMs,
    metrics: new MetricsClient(ctx),
  } as unknown as Asked
  return { asked, of }
}

function clientOf(client: ReturnType<typeof createRestClient>): object {
  return {
    list: client.list.bind(client),
    getSubresource: client.getSubresource.bind(client),
  }
}

const selector = { matchLabels: { q: "x" } }
const object = (describedObject: object, name: string, target: object): object => ({
  type: "Object",
  object: { describedObject, metric: { name }, target },
})
const external = (name: string, target: object, labels?: object): object => ({
  type: "External",
  external: { metric: { name, ...(labels ? { selector: labels } : {}) }, target },
})
const pods = (name: string): object => ({
  type: "Pods",
  pods: { metric: { name, selector }, target: { type: "AverageValue", averageValue: "15" } },
})
const ingress = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", name: "main" }
const web = { apiVersion: "apps/v1", kind: "Deployment", name: "web" }

describe("custom and external metrics", () => {
  for (const [what, spec, path, replicas, name, current] of [
    [
      "of pods",
      pods("qps"),
      `${customRoot}/pods/*/qps?labelSelector=app=web&metricLabelSelector=q=x`,
      4,
      "pods metric qps",
      { averageValue: "20" },
    ],
    [
      "of an object, as a whole",
      object(ingress, "hits", { type: "Value", value: "10k" }),
      `${customRoot}/ingresses.networking.k8s.io/main/hits`,
      6,
      "Ingress metric hits",
      { value: "20k" },
    ],
    [
      "of an object, for each pod",
      object(web, "jobs", { type: "AverageValue", averageValue: "2150m" }),
      `${customRoot}/deployments.apps/web/jobs`,
      4,
      "external metric jobs(nil)",
      { averageValue: "2867m" },
    ],
    [
      "of the namespace",
      object({ kind: "Namespace", name: "default" }, "quota", { type: "Value", value: "20" }),
      `${customRoot}/metrics/quota`,
      3,
      "Namespace metric quota",
      { value: "20" },
    ],
    [
      "external, as a whole",
      external("queue", { type: "Value", value: "10" }, selector),
      `${externalRoot}/queue?labelSelector=q=x`,
      9,
      "external metric queue(&LabelSelector{MatchLabels:map[string]string{q: x,},MatchExpressions:[]LabelSelectorRequirement{},})",
      { value: "30" },
    ],
    [
      "external, for each pod",
      external("queue", { type: "AverageValue", averageValue: "5" }),
      `${externalRoot}/queue`,
      6,
      "external metric queue(nil)",
      { averageValue: "10" },
    ],
  ] as const)
    it(what, async () => {
      const { asked, of } = setup()
      const answer = await computeMetric(spec as never, of)
      assert.deepEqual(asked, [path])
      assert.deepEqual([answer.replicas, answer.name], [replicas, name])
      const { type, ...status } = answer.status
      assert.equal(type, (spec as { type: string }).type)
      assert.deepEqual((Object.values(status)[0] as { current: object }).current, current)
    })

  for (const [what, spec, served, reason, said, whole] of [
    [
      "nothing of pods",
      pods("none"),
      true,
      "FailedGetPodsMetric",
      "unable to get metric none: no metrics returned from custom metrics API",
      "failed to get pods metric value: ",
    ],
    [
      "nobody serves custom metrics",
      pods("qps"),
      false,
      "FailedGetPodsMetric",
      "unable to get metric qps: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered",
      "failed to get pods metric value: ",
    ],
    [
      "an object that is not measured",
      object(web, "other", { type: "AverageValue", averageValue: "1" }),
      true,
      "FailedGetObjectMetric",
      "unable to get metric other on Deployment default/web: unable to fetch metrics from custom metrics API: " +
        "the server could not find the requested resource (get deployments.apps.custom.metrics.k8s.io web)",
      "failed to get object metric value: failed to get other object metric: ",
    ],
    [
      "nothing external",
      external("empty", { type: "AverageValue", averageValue: "1" }),
      true,
      "FailedGetExternalMetric",
      "unable to get external metric default/empty/nil: no metrics returned from external metrics API",
      "failed to get empty external metric value: failed to get empty external metric: ",
    ],
    [
      "nobody serves external metrics",
      external("unknown", { type: "Value", value: "1" }),
      true,
      "FailedGetExternalMetric",
      "unable to get external metric default/unknown/nil: unable to fetch metrics from external metrics API: " +
        "the server could not find the requested resource (get unknown.external.metrics.k8s.io)",
      "failed to get unknown external metric value: failed to get external metric unknown: ",
    ],
    [
      "no target",
      external("queue", { type: "Value" }),
      true,
      "FailedGetExternalMetric",
      "invalid external metric source: neither a value target nor an average value target was set",
      "failed to get queue external metric value: ",
    ],
    [
      "of a type that is none",
      { type: "Moon" },
      true,
      "InvalidMetricSourceType",
      'unknown metric source type "Moon"',
      "",
    ],
  ] as const)
    it(`says so: ${what}`, async () => {
      const { of } = setup(served)
      await assert.rejects(computeMetric(spec as never, of), (failure: MetricFailure) => {
        assert.deepEqual(
          { reason: failure.reason, said: failure.said, message: failure.message },
          { reason, said, message: `${whole}${said}` },
        )
        return true
      })
    })
})
