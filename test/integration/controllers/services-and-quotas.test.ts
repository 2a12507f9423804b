import assert from "node:assert/strict"
import { test } from "node:test"
import {
  clusterRole,
  endpoints,
  endpointSlice,
  customResourceDefinition,
  resourceQuota,
  service,
  serviceAccount,
  pod,
} from "@knarr/api"
import { defineKind, schemaOf } from "@knarr/apimachinery"
import { startCluster, template } from "./cluster.ts"

test("hand-made endpoints are mirrored, and the mirror goes with them", async () => {
  await using cluster = await startCluster()
  await cluster.client.create(service, {
    metadata: { name: "db", namespace: "default" },
    spec: { ports: [{ port: 80 }] },
  })
  await cluster.client.create(endpoints, {
    metadata: { name: "db", namespace: "default" },
    subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports: [{ port: 80, name: "http" }] }],
  })
  const slices = (): readonly import("@knarr/api").EndpointSlice[] =>
    cluster
      .list(endpointSlice, "default")
      .filter((one) => one.metadata.labels?.["kubernetes.io/service-name"] === "db")
  await cluster.until("mirror", () => slices().length === 1)
  assert.deepEqual(slices()[0]!.endpoints![0]!.addresses, ["10.1.2.3"])
  const managedBy = slices()[0]!.metadata.labels?.["endpointslice.kubernetes.io/managed-by"]
  assert.equal(managedBy, "endpointslicemirroring-controller.k8s.io")
  await cluster.client.patch(endpoints, { namespace: "default", name: "db" }, "merge", {
    subsets: [{ addresses: [{ ip: "10.1.2.4" }], ports: [{ port: 80, name: "http" }] }],
  })
  await cluster.until("update", () => slices()[0]?.endpoints?.[0]?.addresses[0] === "10.1.2.4")
  await cluster.client.delete(endpoints, { namespace: "default", name: "db" })
  await cluster.until("gone", () => slices().length === 0)
})

test("a quota counts pods and what they ask for, and forgets those that end", async () => {
  await using cluster = await startCluster()
  await cluster.client.create(resourceQuota, {
    metadata: { name: "quota", namespace: "default" },
    spec: {
      hard: { pods: "5", "requests.cpu": "2", "requests.memory": "1Gi", "count/secrets": "3", services: "2" },
    },
  })
  const used = (): Record<string, string> | undefined =>
    cluster.get(resourceQuota, "quota", "default")!.status?.used
  await cluster.until("usage", () => used()?.["pods"] === "0")
  assert.equal(used()!["services"], "1")
  const spec = template({}).spec
  spec.containers[0]!.resources = { requests: { cpu: "250m", memory: "128Mi" } }
  await cluster.client.create(pod, { metadata: { name: "one", namespace: "default" }, spec })
  await cluster.until("counted", () => used()?.["pods"] === "1")
  assert.equal(used()!["requests.cpu"], "250m")
  assert.equal(used()!["requests.memory"], "128Mi")
  await cluster.client.patch(
    pod,
    { namespace: "default", name: "one" },
    "strategic",
    { status: { phase: "Succeeded" } },
    { subresource: "status" },
  )
  await cluster.until("released", () => used()?.["pods"] === "0")
})

test("a quota of custom resources is charged at once, and given back when they go", async () => {
  await using cluster = await startCluster()
  const names = { kind: "Widget", plural: "widgets", singular: "widget", listKind: "WidgetList" }
  await cluster.client.create(customResourceDefinition, {
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      names,
      scope: "Namespaced",
      versions: [
        { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      ],
    },
  })
  const widget = defineKind({
    group: "example.com",
    version: "v1",
    kind: "Widget",
    plural: "widgets",
    namespaced: true,
    schema: { ...schemaOf("io.k8s.api.core.v1.ConfigMap"), name: "com.example.v1.Widget" },
  })
  const { registry } = cluster.plane
  await cluster.until("served", () => registry.find("example.com", "v1", "widgets") !== undefined)
  await cluster.client.create(resourceQuota, {
    metadata: { name: "quota", namespace: "default" },
    spec: { hard: { "count/widgets.example.com": "1" } },
  })
  const used = (): string | undefined =>
    cluster.get(resourceQuota, "quota", "default")!.status?.used?.["count/widgets.example.com"]
  await cluster.until("counted", () => used() === "0")
  const ref = { name: "a", namespace: "default" }
  await cluster.client.create(widget, { metadata: ref })
  assert.equal(used(), "1")
  await cluster.clock.advance(10_000)
  assert.equal(used(), "1")
  await assert.rejects(cluster.client.create(widget, { metadata: { ...ref, name: "b" } }), {
    message:
      'widgets.example.com "b" is forbidden: exceeded quota: quota, requested: count/widgets.example.com=1, ' +
      "used: count/widgets.example.com=1, limited: count/widgets.example.com=1",
  })
  await cluster.client.delete(widget, ref)
  await cluster.until("given back", () => used() === "0")
})

test("an aggregated role gathers the rules of those that it selects", async () => {
  await using cluster = await startCluster()
  const selectors = [{ matchLabels: { "example.com/sum": "yes" } }]
  await cluster.client.create(clusterRole, {
    metadata: { name: "sum" },
    aggregationRule: { clusterRoleSelectors: selectors },
  })
  await cluster.client.create(clusterRole, {
    metadata: { name: "part", labels: { "example.com/sum": "yes" } },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
  })
  await cluster.until("rules", () => cluster.get(clusterRole, "sum")?.rules?.length === 1)
})

test("a default service account that is deleted comes back", async () => {
  await using cluster = await startCluster()
  await cluster.until("account", () => cluster.get(serviceAccount, "default", "default") !== undefined)
  const { uid } = cluster.get(serviceAccount, "default", "default")!.metadata
  await cluster.client.delete(serviceAccount, { namespace: "default", name: "default" })
  await cluster.until("another", () => {
    const now = cluster.get(serviceAccount, "default", "default")
    return now !== undefined && now.metadata.uid !== uid
  })
})
