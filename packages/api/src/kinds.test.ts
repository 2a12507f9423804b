/** Every kind against what the published release serves (testdata/served.json), and rules that hold for all kinds. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { applySchemaDefaults, decodeObject } from "@knarr/apimachinery"
import type { Kind, KubeObject, Schema } from "@knarr/apimachinery"
import { seededRandom, type Random } from "@knarr/base"
import { kinds } from "./index.ts"

interface Served {
  readonly kind: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly string[]
  readonly subresources: readonly {
    readonly name: string
    readonly verbs: readonly string[]
    readonly kind: readonly [string, string, string]
  }[]
  readonly columns?: readonly (readonly [string, string, string, number])[]
}

const served = JSON.parse(
  readFileSync(join(import.meta.dirname, "testdata/served.json"), "utf8"),
) as Readonly<Record<string, Served>>

function key(kind: Kind): string {
  return `${kind.apiVersion}/${kind.plural}`
}

const byKey = new Map(kinds.map((kind) => [key(kind), kind]))

function columnsOf(kind: Kind): (string | number)[][] {
  const own = kind.columns
    .filter(({ isUntold = false }) => !isUntold)
    .map(({ name, type, format = "", priority = 0 }) => [name, type, format, priority])
  if (own.length === 0)
    return [
      ["Name", "string", "name", 0],
      ["Created At", "date", "", 0],
    ]
  return own.some(([name]) => name === "Name") ? own : [["Name", "string", "name", 0], ...own]
}

describe("kinds as served", () => {
  for (const [name, facts] of Object.entries(served)) {
    test(name, () => {
      const kind = byKey.get(name)
      assert.ok(kind, `There is no kind for ${name}`)
      assert.equal(kind.kind, facts.kind)
      assert.equal(kind.singular, facts.singular)
      assert.equal(kind.namespaced, facts.namespaced)
      assert.deepEqual(kind.shortNames, facts.shortNames)
      assert.deepEqual(kind.categories, facts.categories)
      assert.deepEqual([...kind.verbs].sort(), facts.verbs)
      const subresources = [...kind.subresources.values()].map((sub) => ({
        name: sub.name,
        verbs: [...sub.verbs].sort(),
        kind: sub.kind?.kind ?? kind.kind,
      }))
      assert.deepEqual(
        subresources.sort((a, b) => (a.name < b.name ? -1 : 1)),
        facts.subresources.map((sub) => ({ name: sub.name, verbs: sub.verbs, kind: sub.kind[2] })),
      )
      if (facts.columns) assert.deepEqual(columnsOf(kind), facts.columns)
    })
  }

  test("nothing else is served", () => {
    const others = kinds.filter((kind) => !served[key(kind)]).map(({ kind }) => kind)
    assert.deepEqual(others.sort(), ["Eviction", "Scale", "TokenRequest"])
  })
})

test("Every kind has a schema that knows its metadata", () => {
  for (const kind of kinds) assert.ok(kind.schema.fields?.has("metadata"), kind.kind)
})

test("Storage prefixes are Kubernetes' own and belong to one kind", () => {
  const prefixes = new Map<string, string>()
  for (const kind of kinds) {
    if (!kind.verbs.includes("list") || kind.storedAs || kind.kind === "ComponentStatus") continue
    assert.equal(prefixes.get(kind.storagePrefix), undefined, kind.storagePrefix)
    prefixes.set(kind.storagePrefix, kind.kind)
  }
  const expected: Readonly<Record<string, string>> = {
    minions: "Node",
    "services/specs": "Service",
    "services/endpoints": "Endpoints",
    controllers: "ReplicationController",
    ingress: "Ingress",
    deployments: "Deployment",
    leases: "Lease",
    clusterroles: "ClusterRole",
    events: "Event",
    "apiextensions.k8s.io/customresourcedefinitions": "CustomResourceDefinition",
    "apiregistration.k8s.io/apiservices": "APIService",
  }
  for (const [prefix, kind] of Object.entries(expected)) assert.equal(prefixes.get(prefix), kind)
})

// ── fuzz ──

/** A value of the shape, with about half of the optional fields and enumerated texts where there are some. */
function randomValue(schema: Schema, random: Random, depth: number, choices?: readonly string[]): unknown {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)]!
  switch (schema.type) {
    case "string":
      return pick(choices ?? ["a", "b-c", "x.y/z"])
    case "integer":
      return Math.floor(random.next() * 100)
    case "number":
      return 1.5
    case "boolean":
      return random.next() < 0.5
    case "bytes":
      return "YWJj"
    case "time":
      return "2024-01-02T03:04:05Z"
    case "micro-time":
      return "2024-01-02T03:04:05.000000Z"
    case "quantity":
      return pick(["1", "100m", "1Gi", "0.5", "1e3", "3n"])
    case "int-or-string":
      return pick<number | string>([1, "25%"])
    case "any":
      return { a: 1 }
    case "array":
      return depth > 7 || !schema.items ? [] : [randomValue(schema.items, random, depth + 1)]
    case "map":
      return depth > 7 || !schema.values ? {} : { k: randomValue(schema.values, random, depth + 1) }
    case "object": {
      const out: Record<string, unknown> = {}
      for (const field of schema.fields?.values() ?? []) {
        if (depth > 7 && !field.required) continue
        if (!field.required && random.next() < 0.5) continue
        out[field.name] = randomValue(field.schema, random, depth + 1, field.enum)
      }
      return out
    }
  }
}

describe("Defaulting is idempotent and survives a round trip", () => {
  for (const kind of kinds) {
    test(key(kind), () => {
      const random = seededRandom(7)
      for (let i = 0; i < 20; i++) {
        const raw = randomValue(kind.schema, random, 0) as KubeObject
        raw.apiVersion = kind.apiVersion
        raw.kind = kind.kind
        const load = (value: unknown): KubeObject => {
          const obj = decodeObject<KubeObject>(kind.schema, value).object
          applySchemaDefaults(kind.schema, obj)
          kind.setDefaults?.(obj, 0)
          return obj
        }
        const once = load(raw)
        const twice = load(JSON.parse(JSON.stringify(once)))
        assert.deepEqual(JSON.parse(JSON.stringify(twice)), JSON.parse(JSON.stringify(once)))
        // No rule or column throws, whatever it is given; and rules do not change what they look at.
        const before = JSON.stringify(once)
        kind.validate?.(once)
        kind.validate?.(once, twice)
        kind.validateUpdate?.(once, twice)
        kind.validateStatusUpdate?.(once, twice, 0)
        kind.warnings?.(once, twice)
        for (const column of kind.columns) column.read(once, 0)
        for (const read of Object.values(kind.selectableFields)) assert.equal(typeof read(once), "string")
        assert.equal(JSON.stringify(once), before)
      }
    })
  }
})

describe("Kinds stored in another version", () => {
  for (const kind of kinds.filter(({ storedAs }) => storedAs)) {
    test(key(kind), () => {
      const random = seededRandom(11)
      for (let i = 0; i < 20; i++) {
        const raw = randomValue(kind.schema, random, 0) as KubeObject
        const obj = decodeObject<KubeObject>(kind.schema, {
          ...raw,
          apiVersion: kind.apiVersion,
          kind: kind.kind,
        }).object
        kind.setDefaults?.(obj, 0)
        const stored = kind.toStored!(obj)
        const back = kind.fromStored!(stored)
        const again = kind.toStored!(back)
        assert.deepEqual({ ...again, apiVersion: "" }, { ...stored, apiVersion: "" })
      }
    })
  }
})
