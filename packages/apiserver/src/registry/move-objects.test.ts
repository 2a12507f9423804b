import assert from "node:assert/strict"
import { test } from "node:test"
import { virtualEnv } from "@knarr/testkit"
import { createMemoryStore, type Store } from "@knarr/store"
import { request } from "../endpoints/testing.ts"
import { itemsOf, moveObjects } from "./move-objects.ts"
import type { StorageFormat } from "./stored-form.ts"
import { allKinds, startTestRegistry, type TestRegistry } from "./testing.ts"

const paths = [
  "/api/v1/namespaces/d/configmaps",
  "/api/v1/namespaces/d/services",
  "/api/v1/namespaces/d/events",
]

async function lists(t: TestRegistry): Promise<unknown[]> {
  const all: unknown[] = []
  for (const path of paths) {
    const { items } = (await request(t, "GET", path)).json()
    for (const item of items) delete item.metadata.resourceVersion
    all.push(items)
  }
  return all
}

test("objects move into another format and back, and are what they were", async () => {
  await using t = await startTestRegistry()
  for (const name of ["a", "b", "c"])
    await request(t, "POST", paths[0]!, { body: { metadata: { name }, data: { name } } })
  await request(t, "POST", paths[1]!, {
    body: { metadata: { name: "s" }, spec: { type: "NodePort", ports: [{ port: 80 }] } },
  })
  await request(t, "POST", paths[2]!, {
    body: {
      metadata: { name: "e" },
      involvedObject: { namespace: "d", name: "a", kind: "ConfigMap" },
      reason: "r",
      message: "m",
      type: "Normal",
    },
  })
  await t.store.put("/registry/things.example.com/things/d/x", Buffer.from('{"kind":"Thing"}\n12345678'))
  const lease = await t.store.grantLease(100)
  await t.store.put("/registry/masterleases/1.2.3.4", Buffer.from("{}"), { lease })
  const before = await lists(t)
  const env = virtualEnv()
  const { clock } = env
  let from: Store = t.store
  for (const format of ["shared", "stamped"] as readonly StorageFormat[]) {
    const to = createMemoryStore({ env })
    const { left } = await moveObjects({ from: itemsOf(from), to, format, kinds: allKinds, clock })
    assert.deepEqual(left, format === "shared" ? ["/registry/masterleases/1.2.3.4"] : [])
    assert.equal(
      (await to.get("/registry/things.example.com/things/d/x"))!.value.toString(),
      '{"kind":"Thing"}',
    )
    assert.notEqual((await to.get("/registry/events/d/e"))!.lease, 0)
    await using moved = await startTestRegistry({ store: to, storageFormat: format })
    assert.deepEqual(await lists(moved), before)
    // The node port is taken there, too.
    const { nodePort } = (before[1] as any)[0].spec.ports[0]
    const again = { type: "NodePort", ports: [{ port: 80, nodePort }] }
    const refused = await request(moved, "POST", paths[1]!, {
      body: { metadata: { name: "t" }, spec: again },
    })
    assert.equal(refused.code, 422)
    from = to
  }
  await assert.rejects(
    moveObjects({ from: itemsOf(t.store), to: from, format: "stamped", kinds: allKinds, clock }),
    /Cannot move objects into a store that has some/,
  )
})
