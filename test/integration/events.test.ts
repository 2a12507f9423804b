import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, event, namespace as namespaceKind } from "@knarr/api"
import { createEventRecorder } from "@knarr/client"
import { startControlPlane } from "knarr/testing"

test("repeated events count up, similar ones are combined, and what cannot be sent holds nothing up", async () => {
  await using cluster = await startControlPlane({ seed: 1 })
  const { client, clock, env, scope } = cluster
  const recorder = createEventRecorder({ client, env, scope, component: "tester" })
  await client.create(namespaceKind, { metadata: { name: "gone" }, spec: {} })
  const here = await client.create(configMap, { metadata: { namespace: "default", name: "here" } })
  const lost = await client.create(configMap, { metadata: { namespace: "gone", name: "lost" } })
  const all = async (namespace: string): Promise<[string, number][]> => {
    await clock!.advance(1_000)
    const { items } = await client.list(event, { namespace })
    return items.filter((one) => one.source?.component === "tester").map((one) => [one.message!, one.count!])
  }

  for (let i = 0; i < 3; i++) recorder.event(here, "Normal", "Same", "the same")
  assert.deepEqual(await all("default"), [["the same", 3]])

  recorder.event(lost, "Normal", "Before", "counted up later")
  assert.deepEqual(await all("gone"), [["counted up later", 1]])
  await client.delete(namespaceKind, { name: "gone" })
  await clock!.advance(10_000)
  // Its event is gone with the namespace: neither patch nor create can succeed.
  recorder.event(lost, "Normal", "Before", "counted up later")
  recorder.event(here, "Normal", "After", "still heard")
  assert.deepEqual((await all("default")).at(-1), ["still heard", 1])

  for (let i = 0; i < 12; i++) recorder.event(here, "Warning", "Many", `number ${i}`)
  const many = (await all("default")).map(([message]) => message)
  assert.ok(many.includes("(combined from similar events): number 11"), many.join())
  // After 25 at once only one in five minutes is let through.
  for (let i = 0; i < 40; i++) recorder.event(here, "Normal", "Flood", `flood ${i}`)
  const flood = (await all("default")).filter(([message]) => message.includes("flood"))
  assert.ok(flood.length <= 10, `${flood.length} came through`)
})
