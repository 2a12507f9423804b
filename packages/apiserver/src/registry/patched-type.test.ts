/** A patch never changes what an object is, of no kind, and lists stay well-formed. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, kinds } from "@knarr/api"
import { StatusError, type Kind, type KubeObject } from "@knarr/apimachinery"
import { startTestRegistry } from "./testing.ts"

const asked: readonly {
  readonly type: "merge" | "json" | "strategic" | "apply"
  readonly body: unknown
  readonly code: number
}[] = [
  { type: "merge", body: { kind: "Secret" }, code: 422 },
  { type: "merge", body: { kind: null }, code: 200 },
  { type: "merge", body: { apiVersion: "v2" }, code: 422 },
  { type: "json", body: [{ op: "replace", path: "/kind", value: "Secret" }], code: 422 },
  { type: "json", body: [{ op: "replace", path: "/apiVersion", value: "example.com/v1" }], code: 422 },
  { type: "json", body: [{ op: "remove", path: "/kind" }], code: 200 },
  { type: "json", body: [{ op: "remove", path: "/apiVersion" }], code: 400 },
  { type: "merge", body: { kind: 5 }, code: 422 },
  { type: "strategic", body: { kind: 5 }, code: 422 },
  { type: "strategic", body: null, code: 200 },
  { type: "strategic", body: { kind: "Secret", apiVersion: "v2" }, code: 200 },
  { type: "apply", body: { apiVersion: "v1", kind: "Secret", metadata: { name: "x" } }, code: 400 },
  { type: "apply", body: { apiVersion: "v2", kind: "ConfigMap", metadata: { name: "x" } }, code: 400 },
  { type: "apply", body: {}, code: 400 },
  { type: "apply", body: null, code: 400 },
]

for (const { type, body, code } of asked) {
  test(`a ${type} patch ${JSON.stringify(body)} is answered ${code} and leaves a ConfigMap a ConfigMap`, async () => {
    await using t = await startTestRegistry()
    const { client, registry } = t
    const ref = { namespace: "default", name: "x" }
    await client.create(configMap, { metadata: ref, data: { a: "1" } })
    const patch = client.patch(configMap, ref, type, body as never, { fieldManager: "test" })
    const answered = await patch.then(
      () => 200,
      (thrown: unknown) => (thrown as StatusError).code,
    )
    assert.equal(answered, code)
    const [stored] = registry.list(configMap, "default")
    assert.deepEqual([stored!.apiVersion, stored!.kind], ["v1", "ConfigMap"])
    const bytes = registry.storage(configMap).cache.get("default/x")!.bytes
    assert.equal((JSON.parse(bytes.toString()) as KubeObject).kind, "ConfigMap")
  })
}

test("no kind can be patched into another", async () => {
  await using t = await startTestRegistry()
  let tried = 0
  for (const kind of kinds as readonly Kind[]) {
    if (!kind.verbs.includes("patch") || !kind.verbs.includes("create")) continue
    const ref = { ...(kind.namespaced ? { namespace: "default" } : {}), name: "x" }
    const made = await t.client.create(kind, { metadata: ref } as never).catch(() => undefined)
    if (!made) continue
    tried++
    for (const body of [{ kind: "Other" }, { apiVersion: "other/v1" }])
      await assert.rejects(t.client.patch(kind, ref, "merge", body as never), { code: 422 }, kind.kind)
  }
  assert.ok(tried >= 10, `only ${tried} kinds were tried`)
})
