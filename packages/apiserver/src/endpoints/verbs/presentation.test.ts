import assert from "node:assert/strict"
import { test } from "node:test"
import { daemonSet, deployment, ipAddress } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { cachedObject } from "../../registry/cached-object.ts"
import { encodeStored } from "../../registry/object-codec.ts"
import { startTestRegistry } from "../../registry/testing.ts"
import { presentationOf, tableOfValue } from "./presentation.ts"
import { TableColumns } from "./table-columns.ts"

const columns = new TableColumns()
const created = "1970-01-01T00:00:00Z"

async function shown(
  kind: Kind,
  as: "PartialObjectMetadata" | "Table",
  rest: object,
): Promise<Record<string, any>> {
  await using t = await startTestRegistry()
  const { view, cache } = t.registry.storage(kind)
  const value = { kind: kind.kind, apiVersion: kind.apiVersion, ...rest } as KubeObject
  const object = cachedObject(cache.form, "a", encodeStored(value), 7)
  const form = { as, version: "v1" } as const
  const presentation = presentationOf(view, form, new URLSearchParams(), () => 60_000, columns)
  return presentation.one(object) as Record<string, any>
}

test("annotations that upstream keeps elsewhere are in objects, and not in their metadata or tables", async () => {
  const internal = "deprecated.daemonset.template.generation"
  for (const [annotations, expected] of [
    [{ [internal]: "1" }, undefined],
    [{ [internal]: "1", a: "b" }, { a: "b" }],
    [{ a: "b" }, { a: "b" }],
  ] as const) {
    const rest = {
      metadata: { name: "a", namespace: "n", annotations },
      spec: { selector: {}, template: {} },
      status: {},
    }
    const metadata = await shown(daemonSet, "PartialObjectMetadata", rest)
    assert.deepEqual(metadata["metadata"].annotations, expected)
    const table = await shown(daemonSet, "Table", rest)
    assert.deepEqual(table["rows"][0].object.metadata.annotations, expected)
  }
})

test("a cell that no column tells of stands at the end", async () => {
  const metadata = { name: "192.0.2.7", creationTimestamp: created }
  const table = await shown(ipAddress, "Table", {
    metadata,
    spec: { parentRef: { resource: "services", namespace: "n", name: "s" } },
  })
  assert.deepEqual(
    table["columnDefinitions"].map(({ name }: { name: string }) => name),
    ["Name", "ParentRef"],
  )
  assert.deepEqual(table["rows"][0].cells, ["192.0.2.7", "services/n/s", "60s"])
})

test("a scale has a table of its own", () => {
  const metadata = { name: "s", uid: "u", namespace: "n", resourceVersion: "7", creationTimestamp: created }
  const scale = { kind: "Scale", apiVersion: "autoscaling/v1", metadata, spec: { replicas: 2 }, status: {} }
  for (const [include, object] of [
    ["", { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }],
    ["Object", scale],
    ["None", null],
  ] as const) {
    const query = new URLSearchParams({ includeObject: include })
    const { content, type } = tableOfValue(scale, "v1", query, 60_000, columns.ofScale(deployment))
    assert.deepEqual(type, { kind: "Table", apiVersion: "meta.k8s.io/v1" })
    const table = content as Record<string, any>
    assert.deepEqual(table["metadata"], { resourceVersion: "7" })
    assert.deepEqual(
      table["columnDefinitions"].map((one: { name: string; type: string }) => [one.name, one.type]),
      [
        ["Name", "string"],
        ["Desired", "integer"],
        ["Available", "integer"],
        ["Age", "string"],
      ],
    )
    assert.deepEqual(table["rows"], [{ cells: ["s", 2, 0, "60s"], object }])
  }
})
