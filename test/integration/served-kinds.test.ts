/** A kind is added and removed while informers, garbage collector, namespaces, quota and discovery follow. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, namespace, resourceQuota } from "@knarr/api"
import { defineKind, isNotFound, schemaOf, type Kind, type KubeObject } from "@knarr/apimachinery"
import { Scope } from "@knarr/base"
import { createServedKinds } from "@knarr/client"
import { startCluster, type TestCluster } from "./controllers/cluster.ts"

const gadgetOf = (version: string): Kind<KubeObject> =>
  defineKind({
    group: "example.com",
    version,
    kind: "Gadget",
    plural: "gadgets",
    namespaced: true,
    storagePrefix: "example.com/gadgets",
    schema: { ...schemaOf("io.k8s.api.core.v1.ConfigMap"), name: `com.example.${version}.Gadget` },
  })

/** As the API is asked for discovery at the least. */
const askedAgainSeconds = 40

async function settle({ clock }: TestCluster): Promise<void> {
  await clock.advance(askedAgainSeconds * 1000)
}

test("a kind that comes is followed, and one that goes is let go of, with what is known of its objects", async () => {
  await using cluster = await startCluster()
  const { client, env, informers, plane } = cluster
  const log: string[] = []
  await using own = new Scope("test", { env })
  const served = createServedKinds({ client, informers, env, scope: own })
  await served.waitForSync(own.signal)
  served.subscribe({
    added: (kind) => kind.group === "example.com" && log.push(`+${kind.id}`),
    removed: (kind) => kind.group === "example.com" && log.push(`-${kind.id}`),
  })
  const ref = { namespace: "default", name: "a" }

  // It comes: found in discovery, as a kind of which only the metadata is known.
  const gadget = gadgetOf("v1")
  await plane.registry.addKind(gadget)
  await settle(cluster)
  assert.deepEqual(log, ["+example.com/v1/Gadget"])
  const found = served.find("example.com/v1", "Gadget")!
  assert.notEqual(found, gadget)
  assert.deepEqual([found.id, found.namespaced, found.plural], [gadget.id, true, "gadgets"])
  assert.equal(served.find("example.com/v1beta1", "Gadget"), found)
  await served.refresh(own.signal)
  assert.equal(served.find("example.com/v1", "Gadget"), found)

  // An informer of it follows.
  const lease = informers.lease(found)
  await lease.informer.waitForSync(own.signal)
  const owner = await client.create(found, { metadata: ref })
  await cluster.until("the informer has it", () => lease.informer.get(ref) !== undefined)

  // Quota counts it.
  await client.create(resourceQuota, {
    metadata: { name: "quota", namespace: "default" },
    spec: { hard: { "count/gadgets.example.com": "5" } },
  })
  const used = (): string | undefined =>
    cluster.get(resourceQuota, "quota", "default")?.status?.used?.["count/gadgets.example.com"]
  await cluster.until("it is counted", () => used() === "1")

  // The garbage collector knows who owns what.
  const ownerReferences = [
    {
      apiVersion: "example.com/v1",
      kind: "Gadget",
      name: "a",
      uid: owner.metadata.uid!,
      blockOwnerDeletion: true,
    },
  ]
  const owned = async (name: string): Promise<void> => {
    await client.create(configMap, { metadata: { namespace: "default", name, ownerReferences } })
  }
  await owned("first")
  await settle(cluster)
  assert.ok(cluster.get(configMap, "first", "default"))

  // It goes while an object of it owns another: nothing is deleted for an owner that nobody can ask for.
  lease[Symbol.dispose]()
  plane.registry.removeKind(found)
  await settle(cluster)
  assert.deepEqual(log, ["+example.com/v1/Gadget", "-example.com/v1/Gadget"])
  assert.equal(served.find("example.com/v1", "Gadget"), undefined)
  assert.equal(lease.informer.list().length, 0)
  await owned("second")
  await settle(cluster)
  assert.ok(cluster.get(configMap, "first", "default") && cluster.get(configMap, "second", "default"))

  // It comes back in another version: what it owned goes with the owner.
  const later = gadgetOf("v2")
  await plane.registry.addKind(gadget)
  await plane.registry.addKind(later)
  await settle(cluster)
  assert.equal(log.at(-1), "+example.com/v2/Gadget")
  await client.delete(later, ref, { propagationPolicy: "Background" })
  await cluster.until(
    "what it owned is gone",
    () => ["first", "second"].every((name) => cluster.get(configMap, name, "default") === undefined),
    120,
  )
  await cluster.until("it is counted no more", () => used() === "0")

  // A namespace is emptied of it, in the very moment in which it is there.
  await client.create(namespace, { metadata: { name: "doomed" }, spec: {} })
  await client.create(later, { metadata: { namespace: "doomed", name: "b" } })
  await client.delete(namespace, { name: "doomed" })
  await cluster.until("the namespace is gone", () => cluster.get(namespace, "doomed") === undefined)
  await assert.rejects(client.get(later, { namespace: "doomed", name: "b" }), isNotFound)
})
