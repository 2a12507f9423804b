import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import { managersOfScaled, scaleManagers } from "./scale-managers.ts"

type Entry = NonNullable<KubeObject["metadata"]["managedFields"]>[number]

const time = "2030-01-01T00:00:00Z"

function entry(manager: string, operation: string, fields: object, more: Partial<Entry> = {}): Entry {
  const spec = { "f:spec": fields }
  return {
    manager,
    operation,
    apiVersion: "apps/v1",
    time,
    fieldsType: "FieldsV1",
    fieldsV1: spec,
    ...more,
  } as Entry
}

function owned(...managedFields: Entry[]): KubeObject {
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d", managedFields } } as KubeObject
}

const inScale = { apiVersion: "autoscaling/v1" }
const replicas = { "f:replicas": {} }

test("the scale shows who set the replicas, and nobody else", () => {
  const object = owned(
    entry("a", "Apply", { ...replicas, "f:paused": {} }),
    entry("b", "Update", { "f:paused": {} }),
    entry("c", "Update", replicas, { apiVersion: "apps/v1beta1" }),
  )
  assert.deepEqual(scaleManagers(deployment, object), [entry("a", "Apply", replicas, inScale)])
})

test("who sets the replicas of the scale takes them from all others", () => {
  const object = owned(
    entry("a", "Apply", { ...replicas, "f:paused": {} }),
    entry("b", "Update", replicas),
    entry("c", "Apply", replicas),
  )
  const scale = owned(
    entry("c", "Apply", replicas, inScale),
    entry("d", "Update", replicas, { ...inScale, subresource: "scale" }),
  )
  const { time: _, ...taken } = entry("d", "Update", replicas, { subresource: "scale" })
  assert.deepEqual(managersOfScaled(deployment, object, scale), [
    entry("a", "Apply", { "f:paused": {} }),
    entry("c", "Apply", replicas),
    taken,
  ])
})
