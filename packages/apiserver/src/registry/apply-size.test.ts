import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, limitRange, pod } from "@knarr/api"
import { StatusError } from "@knarr/apimachinery"
import { createLoopbackClient } from "../loopback-client.ts"
import { startTestRegistry, type TestRegistry } from "./testing.ts"

function adminOf({ registry }: TestRegistry) {
  const user = { name: "admin", groups: ["system:masters", "system:authenticated"] }
  return createLoopbackClient({ registry, user, userAgent: "test/1.0" })
}

test("server-side apply costs what the list is long, not its square", async () => {
  await using t = await startTestRegistry()
  const client = adminOf(t)
  const env = (length: number) => Array.from({ length }, (_, i) => ({ name: `E${i}`, value: "v" }))
  const cost = async (length: number): Promise<number> => {
    const labels = { a: "b" }
    const spec = { containers: [{ name: "c", image: "i", env: env(length) }] }
    const body = { spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } }
    const metadata = { name: `d${length}`, namespace: "default" }
    const before = process.cpuUsage()
    for (const fieldManager of ["one", "two"])
      await client.patch(
        deployment,
        metadata,
        "apply",
        { apiVersion: "apps/v1", kind: "Deployment", metadata, ...body },
        { fieldManager, force: true },
      )
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  const [small, large] = [await cost(5_000), await cost(20_000)]
  assert.ok(large < 10 * small + 1000, `${small} ms, then ${large} ms`)
})

test("an amount beyond every number is refused like any other that is not whole", async () => {
  await using t = await startTestRegistry()
  const client = adminOf(t)
  const resources = { limits: { "m.io/x": "1e4095" }, requests: { "m.io/x": "1e4095" } }
  const body = {
    metadata: { name: "p", namespace: "default" },
    spec: { containers: [{ name: "c", image: "i", resources }] },
  }
  await assert.rejects(
    client.create(pod, body as never),
    (thrown) =>
      thrown instanceof StatusError && thrown.code === 422 && /must be an integer/.test(thrown.message),
  )
})

test("a value that the schema takes and the kind cannot hold is refused in upstream's words", async () => {
  await using t = await startTestRegistry()
  const client = adminOf(t)
  const ref = { name: "a", namespace: "default" }
  const apply = (storage: unknown): Promise<unknown> =>
    client.patch(
      limitRange,
      ref,
      "apply",
      {
        apiVersion: "v1",
        kind: "LimitRange",
        metadata: ref,
        spec: { limits: [{ type: "PersistentVolumeClaim", min: { storage } }] },
      } as object,
      { fieldManager: "one" },
    )
  for (const storage of [false, "x"])
    await assert.rejects(apply(storage), (error) => {
      assert.ok(error instanceof StatusError)
      assert.equal(error.code, 500)
      assert.equal(
        error.message,
        "failed to convert new object (default/a; /v1, Kind=LimitRange) to proper version: unable to convert " +
          "unstructured object to /v1, Kind=LimitRange: quantities must match the regular expression " +
          "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      )
      return true
    })
  await apply(1.5)
})
