/** Compares what kinds make of objects with what the published release answered (testdata/golden.json). */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { applySchemaDefaults, decodeObject, field, fieldErrorBody, semanticEqual } from "@knarr/apimachinery"
import type { FieldError, Kind, KubeObject } from "@knarr/apimachinery"
import { kinds } from "./index.ts"

interface Cause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

interface Golden {
  readonly good: Readonly<
    Record<
      string,
      {
        readonly input: KubeObject
        readonly output: KubeObject
        readonly cells?: readonly unknown[]
        readonly warnings?: readonly string[]
      }
    >
  >
  readonly bad: Readonly<Record<string, { readonly input: KubeObject; readonly causes: readonly Cause[] }>>
  readonly updates: Readonly<
    Record<
      string,
      {
        readonly old: KubeObject
        readonly patch: unknown
        readonly output?: KubeObject
        readonly causes?: readonly Cause[]
      }
    >
  >
  readonly printed: Readonly<
    Record<string, { readonly object: KubeObject; readonly cells: readonly unknown[] }>
  >
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "testdata/golden.json"), "utf8")) as Golden
const ctx = { nowMs: Date.UTC(2026, 0, 1), user: { name: "admin", groups: [] } }
const uid = "11111111-2222-3333-4444-555555555555"

function kindOf(obj: KubeObject): Kind {
  return kinds.find(({ kind, apiVersion }) => kind === obj.kind && apiVersion === obj.apiVersion)!
}

/** What the API server does to a new object before it is stored, short of admission. */
function create(input: KubeObject): { obj: KubeObject; kind: Kind; errors: FieldError[] } {
  const kind = kindOf(input)
  const obj = decodeObject<KubeObject>(kind.schema, input).object
  applySchemaDefaults(kind.schema, obj)
  kind.setDefaults?.(obj, 0)
  obj.metadata.uid = uid
  const loose = obj as unknown as Record<string, unknown>
  if (kind.subresources.has("status") && kind.kind !== "Node") loose["status"] = {}
  if (kind.hasGeneration) obj.metadata.generation = 1
  kind.prepareForCreate?.(obj, ctx)
  const { name } = obj.metadata
  const problems = name ? (kind.validateName?.(name, false, obj) ?? []) : []
  const ofName = problems.map((why) => field.invalid("metadata.name", name, why))
  return { obj, kind, errors: [...ofName, ...(kind.validate?.(obj) ?? [])] }
}

/** Without what differs from run to run, and from one time of day to another. */
function stable(obj: KubeObject): unknown {
  const text = JSON.stringify(obj, (key, value: unknown) => {
    if (value === null) return undefined
    if (key === "uid" || key === "creationTimestamp" || key === "resourceVersion") return undefined
    if (key === "lastTransitionTime" || key === "lastPhaseTransitionTime" || key === "lastProbeTime")
      return "T"
    if (key.endsWith("controller-uid")) return "U"
    return value
  })
  return JSON.parse(text)
}

/** The row of one object as a Table has it. */
function cellsOf(kind: Kind, obj: KubeObject): unknown[] {
  const at = Date.parse(obj.metadata.creationTimestamp)
  const complete = kind.columns.some((column) => column.name === "Name")
  const cells = kind.columns.map((column) => column.read(obj, at))
  if (kind.columns.length === 0) return [obj.metadata.name, obj.metadata.creationTimestamp]
  return complete ? cells : [obj.metadata.name, ...cells]
}

for (const [name, { input, output, cells, warnings = [] }] of Object.entries(golden.good)) {
  test(`golden create: ${name}`, () => {
    const { obj, kind, errors } = create(input)
    assert.deepEqual(errors, [])
    const told = kind.deprecation ? [kind.deprecation] : []
    const warned = [...told, ...(kind.warnings?.(obj) ?? [])].map(
      (warning) => `299 - ${JSON.stringify(warning)}`,
    )
    assert.deepEqual(warned, warnings)
    // What is read back is decoded and defaulted again.
    const read = decodeObject<KubeObject>(kind.schema, JSON.parse(JSON.stringify(obj))).object
    applySchemaDefaults(kind.schema, read)
    kind.setDefaults?.(read, 0)
    assert.deepEqual(stable(read), stable(output))
    // Kinds without columns of their own show when they were created; ages of the fixture would go stale.
    if (!cells || kind.columns.length === 0 || name === "events event") return
    read.metadata.creationTimestamp = "2026-01-01T00:00:00Z"
    const mine = cellsOf(kind, read).map((cell) => (typeof cell === "string" ? cell.replace(uid, "U") : cell))
    const theirs = cells.map((cell) =>
      typeof cell !== "string"
        ? cell
        : cell
            .replace(/controller-uid=[0-9a-f-]{36}/, "controller-uid=U")
            .replace(/^20\d\d-.*Z$/, "2026-01-01T00:00:00Z")
            .replace(/^\d+s$/, "0s"),
    )
    assert.deepEqual(mine, theirs)
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

for (const [name, { object, cells }] of Object.entries(golden.printed)) {
  test(`golden row: ${name}`, () => {
    const kind = kindOf(object)
    const obj = decodeObject<KubeObject>(kind.schema, object).object
    kind.setDefaults?.(obj, 0)
    assert.deepEqual(cellsOf(kind, obj), cells)
  })
}

function merge(value: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch
  const out: Record<string, unknown> = typeof value === "object" && value !== null ? { ...value } : {}
  for (const [key, item] of Object.entries(patch)) {
    if (item === null) delete out[key]
    else out[key] = merge(out[key], item)
  }
  return out
}

for (const [name, { old: raw, patch, output, causes }] of Object.entries(golden.updates)) {
  test(`golden update: ${name}`, () => {
    const kind = kindOf(raw)
    const load = (value: unknown): KubeObject => {
      const obj = decodeObject<KubeObject>(kind.schema, value).object
      applySchemaDefaults(kind.schema, obj)
      kind.setDefaults?.(obj, 0)
      return obj
    }
    const old = load(raw)
    const obj = load(merge(raw, patch))
    const bare = (one: KubeObject): unknown => ({ ...one, metadata: undefined, status: undefined })
    if (kind.hasGeneration && !semanticEqual(bare(obj), bare(old)))
      obj.metadata.generation = (old.metadata.generation ?? 0) + 1
    kind.prepareForUpdate?.(obj, old, ctx)
    const errors = [...(kind.validate?.(obj, old) ?? []), ...(kind.validateUpdate?.(obj, old) ?? [])]
    // Values that are Go structs and diffs of Go structs are not compared.
    const line = ({ reason, message, field }: Cause): string =>
      `${field}: ${reason}: ${message.split("\n")[0]!.replace(/Invalid value: \{.*\}: /, "Invalid value: {}: ")}`
    const mine = errors.map((error) =>
      line({ reason: error.type, message: fieldErrorBody(error), field: error.field }),
    )
    assert.deepEqual([...new Set(mine)].sort(), (causes ?? []).map(line).sort())
    if (output) assert.deepEqual(stable(load(JSON.parse(JSON.stringify(obj)))), stable(output))
  })
}
