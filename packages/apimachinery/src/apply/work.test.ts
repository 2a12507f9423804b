import assert from "node:assert/strict"
import { describe, it } from "node:test"
import "../../../api/src/schemas.gen.ts"
import type { JsonObject } from "../patch/json-value.ts"
import { schemaOf } from "../schema.ts"
import type { ManagedFieldsContext } from "./field-updater.ts"
import { applyConfig, updateManagers } from "./managed-fields.ts"

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

const apps: ManagedFieldsContext = {
  schema: schemaOf("io.k8s.api.apps.v1.Deployment"),
  apiVersion: "apps/v1",
  nowText: "2026-01-01T00:00:00Z",
}
const core: ManagedFieldsContext = {
  schema: schemaOf("io.k8s.api.core.v1.ConfigMap"),
  apiVersion: "v1",
  nowText: "2026-01-01T00:00:00Z",
}

function deployment(length: number, value: string): JsonObject {
  const env = Array.from({ length }, (_, i) => ({ name: `E${i}`, value }))
  const spec = { template: { spec: { containers: [{ name: "c", env }] } } }
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec }
}

function manyManagers(length: number, operation: string): JsonObject {
  const managedFields = Array.from({ length }, (_, i) => ({
    manager: `m${i}`,
    operation,
    apiVersion: "v1",
    time: "2025-01-01T00:00:00Z",
    fieldsType: "FieldsV1",
    fieldsV1: { "f:data": { [`f:k${i}`]: {} } },
  }))
  const data = Object.fromEntries(managedFields.map((_, i) => [`k${i}`, "v"]))
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", managedFields }, data }
}

const writes: readonly (readonly [
  name: string,
  write: (length: number, count: { reads: number }) => void,
])[] = [
  [
    "an apply of a long list over what others wrote",
    (length, count) => {
      const live = counted(deployment(length, "old"), count) as JsonObject
      applyConfig(apps, live, counted(deployment(length, "new"), count) as JsonObject, "a", true)
    },
  ],
  [
    "an update of a long list",
    (length, count) => {
      const old = counted(deployment(length, "old"), count) as JsonObject
      updateManagers(apps, old, counted(deployment(length, "new"), count) as JsonObject, "a")
    },
  ],
  [
    "an update of what many have updated",
    (length, count) =>
      void updateManagers(core, {}, counted(manyManagers(length, "Update"), count) as JsonObject, "a"),
  ],
  [
    "an update of what many have applied",
    (length, count) =>
      void updateManagers(core, {}, counted(manyManagers(length, "Apply"), count) as JsonObject, "a"),
  ],
]

describe("The work of managed fields is proportional to the objects, for", () => {
  for (const [name, write] of writes)
    it(name, () => {
      const reads = (length: number): number => {
        const count = { reads: 0 }
        write(length, count)
        return count.reads
      }
      const [once, twice] = [reads(200), reads(400)]
      assert.ok(once > 200 && twice < 2.2 * once, `${once} reads, then ${twice}`)
    })
})

it("the oldest of many updaters become one, which has the fields of them all", () => {
  const same = manyManagers(40, "Update")
  const written = updateManagers(core, same, same, "a") as JsonObject
  const { managedFields } = written["metadata"] as { managedFields: { manager: string; fieldsV1: object }[] }
  assert.equal(managedFields.length, 10)
  const old = managedFields.find(({ manager }) => manager === "ancient-changes")!
  const rest = managedFields.filter((entry) => entry !== old && entry.manager !== "a")
  const fields = old.fieldsV1 as { "f:data": object }
  assert.equal(Object.keys(fields["f:data"]).filter((name) => name !== ".").length + rest.length, 40)
})
