import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, secret } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import { OwnerGraph } from "./graph.ts"

const object = (uid: string, ...owners: string[]): KubeObject =>
  ({
    metadata: {
      namespace: "n",
      name: uid,
      uid,
      ownerReferences: owners.map((owner) => ({ apiVersion: "v1", kind: "Secret", name: owner, uid: owner })),
    },
  }) as unknown as KubeObject

test("of a kind that is served no more only owners stay, as what others say of them", () => {
  let isServed = true
  const graph = new OwnerGraph((_apiVersion, kind) => (kind === "Secret" && isServed ? secret : undefined))
  graph.upsert(secret, object("owner"), undefined)
  graph.upsert(secret, object("lonely", "elsewhere"), undefined)
  graph.upsert(configMap, object("owned", "owner"), undefined)
  assert.equal(graph.size, 4)

  isServed = false
  graph.forget(secret)
  assert.equal(graph.get("lonely"), undefined)
  assert.equal(graph.get("elsewhere"), undefined)
  const owner = graph.get("owner")!
  assert.deepEqual(
    [owner.virtual, owner.identity.kind, [...owner.dependents.keys()]],
    [true, undefined, ["owned"]],
  )

  // It comes back with the kind; what it owns is still known.
  isServed = true
  graph.upsert(secret, object("owner"), undefined)
  assert.deepEqual([owner.virtual, owner.identity.kind], [false, secret])
  graph.forget(configMap)
  assert.deepEqual([graph.get("owned"), graph.size], [undefined, 1])
})
