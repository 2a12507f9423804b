import assert from "node:assert/strict"
import { test } from "node:test"
import { ipAddress, service, type Service } from "@knarr/api"
import { Meter, seededRandom, silentLogger, VirtualClock, type Env } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import type { Client } from "@knarr/client"
import { createMemoryStore, type Store } from "@knarr/store"
import { startTestRegistry } from "./testing.ts"

const ns = "default"
const svc = (name: string, spec: Record<string, unknown>): Service =>
  ({ metadata: { name, namespace: ns }, spec: { ports: [{ port: 80 }], ...spec } }) as unknown as Service

/** Two servers that draw the same lots, on a store with hardly enough to give. */
async function withTwo(
  run: (clients: readonly [Client, Client], names: () => string[]) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock()
  const env = (): Env => ({ clock, random: seededRandom(7), log: silentLogger, meter: new Meter() })
  await using store = createMemoryStore({ env: env() })
  const serviceNetwork = { cidrs: ["10.96.0.0/27"], nodePorts: { first: 30000, last: 30019 } }
  await using one = await startTestRegistry({ store, env: env(), clock, serviceNetwork })
  await using two = await startTestRegistry({ store, env: env(), clock, serviceNetwork })
  await run([one.client, two.client], () => one.registry.list(ipAddress).map(({ metadata }) => metadata.name))
}

test("two servers on one store never give one address or node port twice", async () => {
  await withTwo(async (clients, names) => {
    const writes = Array.from({ length: 20 }, (_, i) =>
      clients[i % 2]!.create(service, svc(`s${i}`, { type: "NodePort" })),
    )
    const made = await Promise.all(writes)
    const ips = made.map(({ spec }) => spec.clusterIP!)
    const ports = made.map(({ spec }) => spec.ports![0]!.nodePort!)
    assert.equal(new Set(ips).size, 20)
    assert.equal(new Set(ports).size, 20)
    assert.deepEqual(names().sort(), [...ips].sort())
    const full = clients[1].create(service, svc("one-too-many", { type: "NodePort" }))
    await assert.rejects(full, /failed to allocate a nodePort: range is full/)
    // Who was refused gave its address back.
    await clients[0].get(service, { namespace: ns, name: "s0" })
    assert.equal(names().length, 20)
  })
})

test("what one server gives back the other can give, and what one has the other refuses", async () => {
  await withTwo(async ([one, two]) => {
    const wanted = { type: "NodePort", clusterIP: "10.96.0.9", ports: [{ port: 80, nodePort: 30005 }] }
    await one.create(service, svc("a", wanted))
    await assert.rejects(
      two.create(service, svc("b", { ...wanted, clusterIP: undefined })),
      /spec\.ports\[0\]\.nodePort: Invalid value: 30005: provided port is already allocated/,
    )
    await assert.rejects(
      two.create(service, svc("b", { clusterIP: "10.96.0.9" })),
      /failed to allocate IP 10\.96\.0\.9: provided IP is already allocated/,
    )
    await one.delete(service, { namespace: ns, name: "a" })
    const made = await two.create(service, svc("b", wanted))
    assert.equal(made.spec.clusterIP, "10.96.0.9")
    const plain = await two.patch(service, { namespace: ns, name: "b" }, "merge", {
      spec: { type: "ClusterIP", ports: [{ port: 80 }] },
    })
    assert.equal(plain.spec.ports![0]!.nodePort, undefined)
    await one.create(service, svc("c", { type: "NodePort", ports: [{ port: 80, nodePort: 30005 }] }))
  })
})

test("both ask for one address and one port at the same time: one of them has each", async () => {
  await withTwo(async (clients) => {
    const wanted = { type: "NodePort", clusterIP: "10.96.0.20", ports: [{ port: 80, nodePort: 30010 }] }
    const results = await Promise.allSettled(
      clients.map((client, i) => client.create(service, svc(`s${i}`, wanted))),
    )
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1)
    const winner = results.findIndex(({ status }) => status === "fulfilled")
    await clients[winner]!.delete(service, { namespace: ns, name: `s${winner}` })
    await clients[1 - winner]!.create(service, svc("later", wanted))
  })
})

/** The store as one in another process is seen: its revision has to be asked for. */
function elsewhere(store: Store, asked: () => void): Store {
  return new Proxy(store, {
    get(target, property) {
      if (property === "revision") throw new Error("nobody knows it")
      if (property === "currentRevision")
        return async () => {
          asked()
          await new Promise((resolve) => setImmediate(resolve))
          return target.revision
        }
      const value: unknown = Reflect.get(target, property)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

test("where the store has to be asked for its revision, reads see what another server was just told is written", async () => {
  const env = virtualEnv()
  const { clock } = env
  await using inner = createMemoryStore({ env })
  let questions = 0
  const store = elsewhere(inner, () => questions++)
  await using one = await startTestRegistry({ store, env, clock })
  await using two = await startTestRegistry({ store, env, clock })
  const at = { namespace: ns, name: "a" }
  const made = await one.client.create(service, svc("a", {}))
  assert.equal((await two.client.get(service, at)).metadata.uid, made.metadata.uid)
  assert.equal((await two.client.list(service, { namespace: ns })).items.length, 1)
  const before = questions
  await one.client.create(service, svc("b", {}))
  assert.equal(questions, before, "the store itself refuses what is there")
  await assert.rejects(two.client.create(service, svc("b", {})), /services "b" already exists/)
  await one.client.delete(service, { namespace: ns, name: "b" })
  await two.client.delete(service, at)
  assert.ok(questions > before)
  await assert.rejects(one.client.get(service, at), /not found/)
  assert.deepEqual((await one.client.list(service, {})).items, [])
})
