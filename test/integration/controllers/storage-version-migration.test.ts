/** A definition's stored version changes, and a migration writes its objects anew; what a published cluster said to the same. */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  customResourceDefinition,
  storageVersionMigration,
  type CustomResourceDefinitionVersion,
} from "@knarr/api"
import { defineKind, type Kind, type KubeObject } from "@knarr/apimachinery"
import { Meter, seededRandom, silentLogger, VirtualClock } from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import { startControlPlane, type TestControlPlane } from "knarr/testing"

const group = "example.com"
const versionOf = (name: string, storage: boolean): CustomResourceDefinitionVersion => ({
  name,
  storage,
  served: true,
  schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
})
const widget: Kind<KubeObject> = defineKind({
  group,
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  namespaced: true,
  rules: "structural",
  schema: { type: "object", preserveUnknown: true, fields: new Map() },
})

async function migrate(
  { client, clock }: TestControlPlane,
  resource: { readonly group: string; readonly resource: string },
  seconds: number,
): Promise<{ conditions: readonly string[]; resourceVersion: string | undefined }> {
  const name = `m-${resource.resource}`
  await client.create(storageVersionMigration, { metadata: { name }, spec: { resource }, status: {} })
  await clock!.advance(seconds * 1000)
  const { status } = await client.get(storageVersionMigration, { name })
  const conditions = (status.conditions ?? []).map(
    ({ type, status: is, reason, message }) => `${type} ${is} ${reason} ${message}`,
  )
  return { conditions, resourceVersion: status.resourceVersion }
}

const ended = "Running False MigrationCompleted Migration completed"

test("objects come to be stored in the present version, and the definition says that no other is stored", async () => {
  const clock = new VirtualClock()
  const env = { clock, random: seededRandom(1), log: silentLogger, meter: new Meter() }
  const store = createMemoryStore({ env })
  await using cluster = await startControlPlane({ seed: 1, store })
  const { client } = cluster
  const name = `widgets.${group}`
  await client.create(customResourceDefinition, {
    metadata: { name },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget" },
      versions: [versionOf("v1", true), versionOf("v2", false)],
    },
  })
  await cluster.clock!.advance(5000)
  for (const one of ["a", "b", "c"])
    await client.create(widget, { metadata: { namespace: "default", name: one } })
  const versions = [versionOf("v1", false), versionOf("v2", true)]
  await client.patch(customResourceDefinition, { name }, "merge", { spec: { versions } })
  await cluster.clock!.advance(5000)

  const stored = async (): Promise<string[]> => {
    const { kvs } = await store.range({ prefix: `/registry/${group}/widgets/` })
    return kvs.map(({ value }) => /"apiVersion":"([^"]*)"/.exec(value.toString())![1]!)
  }
  assert.deepEqual(await stored(), Array(3).fill(`${group}/v1`))
  const done = await migrate(cluster, { group, resource: "widgets" }, 10)
  assert.deepEqual(done.conditions, [
    ended,
    "Succeeded True StorageVersionMigrationSucceeded Migration completed",
  ])
  assert.match(done.resourceVersion!, /^[1-9]\d*$/)
  assert.deepEqual(await stored(), Array(3).fill(`${group}/v2`))

  const { status } = await client.get(customResourceDefinition, { name })
  assert.deepEqual(status?.storedVersions, ["v2"])
  const { lastTransitionTime: _, ...migrating } = status!.conditions!.find(
    ({ type }) => type === "StorageMigrating",
  )!
  assert.deepEqual(migrating, {
    type: "StorageMigrating",
    status: "False",
    reason: "MigrationSucceeded",
    message: "The migration has succeeded and the stored versions have been updated",
    observedGeneration: 2,
  })

  const verbs =
    'resource "authentication.k8s.io/v1, Resource=selfsubjectreviews" does not support discovery operations: [update patch list]'
  const notStored = { group: "authentication.k8s.io", resource: "selfsubjectreviews" }
  assert.deepEqual((await migrate(cluster, notStored, 10)).conditions, [
    ended,
    `Failed True StorageVersionMigrationFailed ${verbs}`,
  ])
  assert.deepEqual((await migrate(cluster, { group, resource: "nothings" }, 65)).conditions, [
    ended,
    "Failed True StorageVersionMigrationFailed resource does not exist in discovery",
  ])
  assert.equal((await migrate(cluster, { group: "", resource: "configmaps" }, 10)).conditions[0], ended)
})
