import assert from "node:assert/strict"
import { describe, it } from "node:test"
import "../../../api/src/schemas.gen.ts"
import { schemaOf } from "../schema.ts"
import type { JsonObject } from "./json-value.ts"
import { applyStrategicMergePatch } from "./strategic.ts"

/** The value, which counts how often something of it is read. */
function counted(value: unknown, count: { reads: number }): unknown {
  if (typeof value !== "object" || value === null) return value
  return new Proxy(value, {
    get(target, key) {
      count.reads++
      return counted(Reflect.get(target, key), count)
    },
  })
}

const schema = schemaOf("io.k8s.api.apps.v1.Deployment")
const deployment = (env: unknown[], more: JsonObject = {}): JsonObject => ({
  metadata: { finalizers: env.map((_, i) => `x.io/f${i}`) },
  spec: { template: { spec: { containers: [{ name: "c", env, ...more }] } } },
})
const names = (length: number): JsonObject[] => Array.from({ length }, (_, i) => ({ name: `E${i}` }))

const patches: readonly (readonly [name: string, patch: (length: number) => JsonObject])[] = [
  ["the same items", (n) => deployment(names(n))],
  ["the same items, the other way round", (n) => deployment(names(n).reverse())],
  ["other items", (n) => deployment(names(2 * n).slice(n))],
  ["an order", (n) => deployment(names(n).reverse(), { "$setElementOrder/env": names(n).reverse() })],
  ["a deletion of every item", (n) => deployment(names(n).map((item) => ({ ...item, $patch: "delete" })))],
  [
    "deletions, items and an order",
    (n) =>
      deployment(
        names(2 * n).map((item, i) => (i < n / 2 ? { ...item, $patch: "delete" } : item)),
        { "$setElementOrder/env": names(2 * n).slice(n / 2) },
      ),
  ],
]

describe("A strategic patch looks at a list as often as it is long, with", () => {
  for (const [name, patch] of patches)
    it(name, () => {
      const reads = (length: number): number => {
        const count = { reads: 0 }
        const original = counted(deployment(names(length)), count) as JsonObject
        applyStrategicMergePatch(schema, original, patch(length))
        return count.reads
      }
      const [once, twice] = [reads(200), reads(400)]
      assert.ok(twice < 2.1 * once, `${once} reads, then ${twice}`)
    })
})
