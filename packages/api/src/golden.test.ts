/** Compares what kinds make of objects with what the published release answered (testdata/golden.json). */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { applySchemaDefaults, decodeObject, fieldErrorBody } from "@knarr/apimachinery"
import type { FieldError, Kind, KubeObject } from "@knarr/apimachinery"
import { kinds } from "./index.ts"

interface Cause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

interface Golden {
  readonly good: Readonly<
    Record<string, { readonly input: KubeObject; readonly output: KubeObject; readonly warnings?: string[] }>
  >
  readonly bad: Readonly<Record<string, { readonly input: KubeObject; readonly causes: readonly Cause[] }>>
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "testdata/golden.json"), "utf8")) as Golden
const nowMs = Date.UTC(2026, 0, 1)
const uid = "11111111-2222-3333-4444-555555555555"

function kindOf(obj: KubeObject): Kind {
  return kinds.find(({ kind, apiVersion }) => kind === obj.kind && apiVersion === obj.apiVersion)!
}

/** What the API server does to a new object before it is stored, short of admission. */
function create(input: KubeObject): { obj: KubeObject; kind: Kind; errors: FieldError[] } {
  const kind = kindOf(input)
  const obj = decodeObject<KubeObject>(kind.schema, input).object
  applySchemaDefaults(kind.schema, obj)
  kind.setDefaults?.(obj)
  obj.metadata.uid = uid
  const loose = obj as unknown as Record<string, unknown>
  if (kind.subresources.has("status") && kind.kind !== "Node") loose["status"] = {}
  if (kind.hasGeneration) obj.metadata.generation = 1
  kind.prepareForCreate?.(obj, { nowMs })
  return { obj, kind, errors: kind.validate?.(obj) ?? [] }
}

/** Without what differs from run to run, and from one time of day to another. */
function stable(obj: KubeObject): unknown {
  const text = JSON.stringify(obj, (key, value: unknown) => {
    if (value === null) return undefined
    if (key === "uid" || key === "creationTimestamp" || key === "resourceVersion") return undefined
    if (key === "lastTransitionTime" || key === "lastPhaseTransitionTime" || key === "lastProbeTime")
      return "T"
    if (/controller-uid$/.test(key)) return "U"
    return value
  })
  return JSON.parse(text)
}

for (const [name, { input, output }] of Object.entries(golden.good)) {
  test(`golden create: ${name}`, () => {
    const { obj, kind, errors } = create(input)
    assert.deepEqual(errors, [])
    // What is read back is decoded and defaulted again.
    const read = decodeObject<KubeObject>(kind.schema, JSON.parse(JSON.stringify(obj))).object
    applySchemaDefaults(kind.schema, read)
    kind.setDefaults?.(read)
    assert.deepEqual(stable(read), stable(output))
  })
}

for (const [name, { input, causes }] of Object.entries(golden.bad)) {
  test(`golden validation: ${name}`, () => {
    const { errors } = create(input)
    const mine = errors.map((error) => ({
      reason: error.type,
      message: fieldErrorBody(error),
      field: error.field,
    }))
    const sort = (list: readonly Cause[]): string[] =>
      [...new Set(list.map(({ reason, message, field }) => `${field}: ${reason}: ${message}`))].sort()
    assert.deepEqual(sort(mine), sort(causes))
  })
}
