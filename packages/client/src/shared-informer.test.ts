import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, pod, type Pod } from "@knarr/api"
import { Scope } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { ownerIndex } from "./informer.ts"
import { createRestClient } from "./rest-client.ts"
import { ScriptedNetwork } from "./scripted-network.ts"
import { SharedInformer, createInformerFactory } from "./shared-informer.ts"

const env = virtualEnv()

function make(
  name: string,
  version: number,
  change: { uid?: string; node?: string; owner?: string } = {},
): Pod {
  const ownerReferences = change.owner ? [{ uid: change.owner, controller: true }] : undefined
  return {
    metadata: {
      namespace: "ns",
      name,
      uid: change.uid ?? name,
      resourceVersion: String(version),
      ownerReferences,
    },
    spec: { nodeName: change.node },
  } as unknown as Pod
}

test("the copy, its indexes and its handlers follow what happens", () => {
  const informer = new SharedInformer<Pod>(pod, env)
  informer.addIndex("node", (p) => (p.spec.nodeName ? [p.spec.nodeName] : []))
  const log: string[] = []
  informer.replace([make("a", 1, { node: "n1", owner: "o" })])
  informer.subscribe({
    added: (p) => log.push(`+${p.metadata.name}`),
    updated: (p, old) => log.push(`${old.metadata.resourceVersion}>${p.metadata.resourceVersion}`),
    deleted: (p) => log.push(`-${p.metadata.name}`),
  })
  assert.equal(informer.byIndex(ownerIndex, "o").length, 1)
  informer.changed(make("b", 2, { node: "n1" }))
  informer.changed(make("a", 3, { node: "n2" }))
  informer.changed(make("a", 3, { node: "n2" }))
  assert.deepEqual(
    informer.byIndex("node", "n1").map((p) => p.metadata.name),
    ["b"],
  )
  assert.equal(informer.byIndex(ownerIndex, "o").length, 0)
  informer.changed(make("a", 4, { uid: "another" }))
  informer.replace([make("b", 2, { node: "n1" }), make("c", 5)])
  assert.deepEqual(log, ["+a", "+b", "1>3", "-a", "+a", "+c", "-a"])
  assert.deepEqual(
    informer
      .list("ns")
      .map((p) => p.metadata.name)
      .sort(),
    ["b", "c"],
  )
  assert.throws(() => informer.byIndex("nope", "x"), /there is none/)
})

test("a handler that fails does not keep the others from hearing", () => {
  const informer = new SharedInformer<Pod>(pod, env)
  const heard: string[] = []
  informer.subscribe({ added: () => assert.fail("broken") })
  informer.subscribe({ added: (p) => heard.push(p.metadata.name) })
  informer.changed(make("a", 1))
  assert.deepEqual(heard, ["a"])
})

test("an informer ends with its last lease, and not before; one that is kept does not end", async () => {
  const network = new ScriptedNetwork([
    { list: ["a@1"], version: "5" },
    { watch: [], end: "never" },
    { list: ["b@1"], version: "6" },
    { watch: [], end: "never" },
    { list: [], version: "7" },
  ])
  await using scope = new Scope("test", { env })
  const factory = createInformerFactory({ client: createRestClient({ transport: network, env }), scope, env })
  const first = factory.lease(configMap)
  const second = factory.lease(configMap)
  assert.equal(first.informer, second.informer)
  await first.informer.waitForSync(scope.signal)
  const heard: string[] = []
  first.informer.subscribe({ deleted: ({ metadata }) => heard.push(metadata.name) })
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  await env.clock.advance(0)
  assert.equal(second.informer.list().length, 1)
  assert.equal(network.open, 1)
  second[Symbol.dispose]()
  assert.equal(second.informer.list().length, 0)
  await env.clock.advance(0)
  assert.deepEqual([network.open, heard], [0, []])

  const again = factory.lease(configMap)
  await again.informer.waitForSync(scope.signal)
  assert.deepEqual(
    again.informer.list().map(({ metadata }) => metadata.name),
    ["b"],
  )
  assert.equal(factory.informer(configMap), again.informer)
  again[Symbol.dispose]()
  await env.clock.advance(0)
  assert.equal(again.informer.list().length, 1)
  assert.equal(network.open, 1)
})
