/** Replays writes whose managed fields were recorded from Kubernetes 1.37. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import "../../../api/src/schemas.gen.ts"
import type { JsonObject } from "../patch/json-value.ts"
import { schemaOf, type Schema } from "../schema.ts"
import { StatusError } from "../status.ts"
import { FieldSet } from "./field-set.ts"
import { applyConfig, updateManagers } from "./managed-fields.ts"
import { deducedSchema } from "./shape.ts"

interface Write {
  label: string
  method: "APPLY" | "PATCH" | "PUT" | "POST"
  manager: string
  force: boolean
  subresource: string
  body: JsonObject
  code: number
  message?: string
  causes?: unknown
  result?: JsonObject & { metadata: JsonObject; kind: string; apiVersion: string }
}
const writes = JSON.parse(readFileSync(new URL("testdata/writes.json", import.meta.url), "utf8")) as Write[]
const meta = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
const thing: Schema = {
  type: "object",
  preserveUnknown: true,
  fields: new Map(
    (["apiVersion", "kind"] as const)
      .map((name) => [name, { name, schema: { type: "string" } as Schema, required: false }] as const)
      .concat([["metadata", { name: "metadata", schema: meta, required: false }] as never]),
  ),
}
const schemas: Record<string, Schema> = {
  Thing: thing,
  Deployment: schemaOf("io.k8s.api.apps.v1.Deployment"),
  ControllerRevision: schemaOf("io.k8s.api.apps.v1.ControllerRevision"),
  Service: schemaOf("io.k8s.api.core.v1.Service"),
  Role: schemaOf("io.k8s.api.rbac.v1.Role"),
}
const timeless = (obj: JsonObject): unknown =>
  ((obj["metadata"] as JsonObject)["managedFields"] as { time?: string }[] | undefined)
    ?.map((entry) => {
      const { fieldsV1, ...rest } = {
        ...entry,
        time: entry.time === undefined ? undefined : "now",
      } as JsonObject
      return JSON.stringify(Object.entries(rest).sort()) + JSON.stringify(fieldsV1)
    })
    .sort() ?? []

const live = new Map<string, JsonObject>()
for (const write of writes) {
  const { label, body, manager, subresource, result } = write
  const metadata = body["metadata"] as JsonObject | undefined
  const kind =
    (body["kind"] as string | undefined) ??
    (label.startsWith("custom") || label.startsWith("many") ? "Thing" : "Deployment")
  const name = (metadata?.["name"] as string | undefined) ?? (label === "update untracked" ? "up" : "ssa")
  const key = `${kind}/${name}`
  const old = live.get(key)
  if (result) live.set(key, result)
  test(`managed fields: ${label}`, () => {
    const apiVersion = kind === "Thing" ? "t.io/v1" : (result?.apiVersion ?? "apps/v1")
    const reset =
      subresource === "status" ? FieldSet.of(["f:spec"], ["f:metadata"]) : FieldSet.of(["f:status"])
    const ctx = {
      schema: schemas[kind] ?? deducedSchema,
      apiVersion,
      subresource,
      nowText: "2030-01-01T00:00:00Z",
      ...(kind === "Deployment" || kind === "Service" ? { resetFields: reset } : {}),
    }
    if (write.method === "APPLY") {
      const apply = (): JsonObject => applyConfig(ctx, old, body, manager, write.force).object
      if (result) return assert.deepEqual(timeless(apply()), timeless(result))
      assert.throws(apply, (thrown: unknown) => {
        assert.ok(thrown instanceof StatusError, String(thrown))
        const sort = (text = ""): string[] => text.split("\n").sort()
        assert.deepEqual(sort(thrown.message), sort(write.message))
        assert.equal(thrown.code, write.code)
        return true
      })
      return
    }
    assert.ok(result)
    const sent = write.method === "PUT" ? (metadata?.["managedFields"] ?? null) : null
    const after = { ...result, metadata: { ...result.metadata, managedFields: sent } }
    if (sent === null) delete (after.metadata as JsonObject)["managedFields"]
    assert.deepEqual(timeless(updateManagers(ctx, old, after, manager)), timeless(result))
  })
}
