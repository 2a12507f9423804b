import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { systemEnv, TestEtcd } from "@knarr/testkit"
import { storeConformance } from "../store.conformance.ts"
import { bytes, keysOf, never, take } from "../store-cases.conformance.ts"
import { NoSpaceError, type Store, StoreFailedError } from "../store.ts"
import { isEtcdSnapshot, readEtcdSnapshot, saveEtcdSnapshot } from "./etcd-snapshot.ts"
import { openEtcdStore } from "./etcd-store.ts"

const env = systemEnv()

const open = (etcd: TestEtcd, watchBuffer = 10_000, prefix?: string): Promise<Store> =>
  openEtcdStore({ env, endpoints: [etcd.endpoint], watchBuffer, prefix })

storeConformance("etcd store", {
  remote: true,
  async open({ watchBuffer }) {
    const etcd = await new TestEtcd().start()
    let store = await open(etcd, watchBuffer)
    return {
      store,
      async reopen() {
        await store[Symbol.asyncDispose]()
        return (store = await open(etcd, watchBuffer))
      },
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]()
        await etcd[Symbol.asyncDispose]()
      },
    }
  },
})

describe("etcd", () => {
  it("may be killed at any moment: nothing acknowledged is lost, and a watch goes on from where it was", async () => {
    await using etcd = await new TestEtcd().start()
    await using store = await open(etcd)
    const acknowledged: string[] = []
    let stop = false
    const writing = (async () => {
      for (let i = 0; !stop; i++) {
        const key = `/registry/k/${i}`
        try {
          await store.put(key, bytes(key), { expected: 0 })
          acknowledged.push(key)
        } catch (thrown) {
          assert.ok(thrown instanceof StoreFailedError, String(thrown))
        }
      }
    })()
    let seen = 1
    const keys = new Set<string>()
    const follow = async (): Promise<void> => {
      for await (const batch of store.watch({ prefix: "", from: seen + 1, signal: never() })) {
        for (const { key, revision } of batch) {
          assert.equal(revision, seen + 1)
          seen = revision
          keys.add(key)
        }
        if (stop && seen >= (await store.currentRevision())) return
      }
    }
    const ended = assert.rejects(follow(), StoreFailedError)
    while (acknowledged.length < 50) await store.currentRevision()
    await etcd.kill()
    await ended
    await etcd.start()
    const before = acknowledged.length
    while (acknowledged.length < before + 50) await store.currentRevision()
    stop = true
    await writing
    await store.put("/registry/last", bytes("x"))
    await follow()
    for (const key of acknowledged) assert.ok(keys.has(key), key)
    const { kvs } = await store.range({ prefix: "/registry/k/" })
    assert.deepEqual(new Set(keysOf(kvs)), new Set([...keys].filter((key) => key !== "/registry/last")))
  })

  it("that is full refuses writes, and answers reads", async () => {
    await using etcd = await new TestEtcd(["--quota-backend-bytes", String(4 * 1024 * 1024)]).start()
    await using store = await open(etcd)
    const large = Buffer.alloc(1024 * 1024, "large")
    await assert.rejects(async () => {
      for (let i = 0; i < 20; i++) await store.put(`/registry/${i}`, large)
    }, NoSpaceError)
    assert.ok((await store.get("/registry/0"))!.value.equals(large))
  })

  it("is asked at the member that answers, and writes what is too large to none", async () => {
    await using etcd = await new TestEtcd().start()
    const endpoints = ["http://127.0.0.1:1", etcd.endpoint]
    await using store = await openEtcdStore({ env, endpoints })
    assert.equal((await store.put("/a", bytes("1"))).revision, 2)
    await assert.rejects(
      store.put("/b", Buffer.alloc(1_900_000)),
      /^StoreFailedError: etcdserver: request is too large$/,
    )
  })

  it("keeps a cluster under its prefix, and another one's objects apart", async () => {
    await using etcd = await new TestEtcd().start()
    await using one = await open(etcd, 100, "/one/")
    await using two = await open(etcd, 100)
    await one.put("/registry/pods/a", bytes("1"))
    await two.put("/registry/pods/b", bytes("2"))
    assert.deepEqual(keysOf((await one.range({ prefix: "/registry/" })).kvs), ["/registry/pods/a"])
    assert.deepEqual(keysOf((await two.range({ prefix: "" })).kvs), ["/one/pods/a", "/registry/pods/b"])
    const events = await take(one.watch({ prefix: "", from: 2, signal: never() }), 2)
    assert.deepEqual(
      events.map(({ key }) => key),
      ["/registry/pods/a", "foreign:/registry/pods/b"],
    )
  })

  it("is saved in a file of its own kind, which is read again, and refused when it is damaged", async () => {
    await using etcd = await new TestEtcd().start()
    await using store = await open(etcd)
    const lease = await store.grantLease(3600)
    const large = Buffer.alloc(100_000, "large")
    await Promise.all(
      Array.from({ length: 600 }, (_, i) => store.put(`/registry/n/${i % 300}`, bytes(`${i}`))),
    )
    await store.put("/registry/large", large, { lease })
    await store.put("/registry/gone", bytes("x"))
    await store.delete("/registry/gone")
    const file = join(etcd.dir, "snapshot.db")
    await saveEtcdSnapshot({ env, endpoints: [etcd.endpoint] }, file, never())
    assert.ok(await isEtcdSnapshot(file))
    const read = async (path: string): Promise<Map<string, { value: string; lease: number }>> => {
      const found = new Map<string, { value: string; lease: number }>()
      for await (const { key, value, lease: of } of readEtcdSnapshot(path))
        found.set(key, { value: value.toString(), lease: of })
      return found
    }
    const { kvs } = await store.range({ prefix: "" })
    assert.deepEqual(
      await read(file),
      new Map(kvs.map(({ key, value, lease: of }) => [key, { value: value.toString(), lease: of }])),
    )
    const whole = readFileSync(file)
    whole[Math.floor(whole.length / 2)]! ^= 1
    writeFileSync(file, whole)
    await assert.rejects(read(file), /its checksum is wrong/)
    writeFileSync(file, whole.subarray(0, whole.length - 5))
    await assert.rejects(read(file), /its end is missing/)
    writeFileSync(file, Buffer.alloc(8192))
    await assert.rejects(read(file), /it is not a database of etcd/)
  })
})
