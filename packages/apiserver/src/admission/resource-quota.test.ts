import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  configMap,
  kinds,
  persistentVolumeClaim,
  pod,
  resourceQuota,
  service,
  serviceAccount,
} from "@knarr/api"
import { Scope, createPrivateKeyPem } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import type { Client } from "@knarr/client"
import { createMemoryStore } from "@knarr/store"
import { createControlPlane } from "../control-plane.ts"

const env = virtualEnv()
const namespace = "default"

type Spec = Record<string, unknown>

/** Makes a quota of which nothing is used yet, as its controller would leave it. */
async function createQuota(
  client: Client,
  name: string,
  hard: Record<string, string>,
  scopes?: string[],
): Promise<void> {
  const made = await client.create(resourceQuota, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name, namespace },
    spec: { hard, scopes },
  } as never)
  const used = Object.fromEntries(Object.keys(hard).map((key) => [key, "0"]))
  await client.update(
    resourceQuota,
    { ...structuredClone(made), status: { hard: made.spec.hard, used } },
    { subresource: "status" },
  )
}

function podOf(name: string, resources: Spec = {}, extra: Spec = {}): never {
  const containers = [{ name: "c", image: "i", resources }]
  const spec = { containers, ...extra }
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace }, spec } as never
}

async function withClient(run: (client: Client) => Promise<void>): Promise<void> {
  await using scope = new Scope("test")
  const store = scope.use(createMemoryStore({ env }))
  const serviceAccounts = { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] }
  const plane = await createControlPlane({ env, store, kinds, scope, serviceAccounts })
  await plane.bootstrap()
  const client = plane.client()
  await client.create(serviceAccount, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace },
  } as never)
  await run(client)
}

async function usedOf(client: Client, name: string): Promise<Record<string, string> | undefined> {
  return (await client.get(resourceQuota, { name, namespace })).status.used
}

describe("ResourceQuota", () => {
  it("refuses what is over the limit, in the words of Kubernetes", async () => {
    await withClient(async (client) => {
      await createQuota(client, "q", { pods: "2", "limits.cpu": "1", "requests.memory": "1Gi" })
      const limits = (cpu: string, memory = "100Mi"): Spec => ({ limits: { cpu, memory } })
      await assert.rejects(client.create(pod, podOf("a")), {
        message:
          'pods "a" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.memory for: c',
      })
      await client.create(pod, podOf("a", limits("500m")))
      assert.deepEqual(await usedOf(client, "q"), {
        pods: "1",
        "limits.cpu": "500m",
        "requests.memory": "100Mi",
      })
      await assert.rejects(client.create(pod, podOf("b", limits("2", "1Gi"))), {
        message:
          'pods "b" is forbidden: exceeded quota: q, requested: limits.cpu=2,requests.memory=1Gi, ' +
          "used: limits.cpu=500m,requests.memory=100Mi, limited: limits.cpu=1,requests.memory=1Gi",
      })
      await client.create(pod, podOf("dry", limits("500m")), { dryRun: true })
      await client.create(pod, podOf("b", limits("500m")))
      await assert.rejects(client.create(pod, podOf("c", limits("0"))), {
        message: 'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
      })
    })
  })

  it("never lets concurrent requests through together", async () => {
    await withClient(async (client) => {
      await createQuota(client, "q", { "count/configmaps": "5" })
      await createQuota(client, "also", { configmaps: "7" })
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, async (_, i) =>
          client.create(configMap, {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name: `c${i}`, namespace },
          } as never),
        ),
      )
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 5)
      assert.deepEqual(await usedOf(client, "q"), { "count/configmaps": "5" })
      assert.deepEqual(await usedOf(client, "also"), { configmaps: "5" })
    })
  })

  it("charges an update for what it adds", async () => {
    await withClient(async (client) => {
      await createQuota(client, "q", { "services.nodeports": "1", services: "2", "requests.storage": "1Gi" })
      const ports = [{ port: 80 }]
      const made = await client.create(service, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "s", namespace },
        spec: { ports },
      } as never)
      const next = structuredClone(made)
      next.spec.type = "NodePort"
      next.spec.ports!.push({ name: "b", port: 81 } as never)
      next.spec.ports![0]!.name = "a"
      await assert.rejects(client.update(service, structuredClone(next)), {
        message:
          'services "s" is forbidden: exceeded quota: q, requested: services.nodeports=2, ' +
          "used: services.nodeports=0, limited: services.nodeports=1",
      })
      next.spec.ports!.pop()
      await client.update(service, next)
      const claim = {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "p", namespace },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "500Mi" } } },
      }
      await client.create(persistentVolumeClaim, claim as never)
      assert.deepEqual(await usedOf(client, "q"), {
        "services.nodeports": "1",
        services: "1",
        "requests.storage": "500Mi",
      })
    })
  })

  it("looks only at what is in its scopes, and waits for its controller", async () => {
    await withClient(async (client) => {
      await createQuota(client, "short", { pods: "0" }, ["Terminating"])
      await client.create(pod, podOf("long"))
      await assert.rejects(client.create(pod, podOf("a", {}, { activeDeadlineSeconds: 5 })), {
        message:
          'pods "a" is forbidden: exceeded quota: short, requested: pods=1, used: pods=0, limited: pods=0',
      })
      const quota = structuredClone(await client.get(resourceQuota, { name: "short", namespace }))
      delete quota.status.used
      await client.update(resourceQuota, quota, { subresource: "status" })
      await assert.rejects(client.create(pod, podOf("a", {}, { activeDeadlineSeconds: 5 })), {
        message: 'pods "a" is forbidden: status unknown for quota: short, resources: pods',
      })
    })
  })
})
