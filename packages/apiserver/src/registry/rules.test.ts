/** Which rules hold is said on the kind: here of two kinds with the same published shape. */
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { defineKind, type Kind } from "@knarr/apimachinery"
import { request } from "../endpoints/testing.ts"
import { startTestRegistry } from "./testing.ts"

type Rules = Kind["rules"]

const fleet = (rules: Rules): Kind =>
  defineKind({
    group: "example.com",
    version: "v1",
    kind: "Fleet",
    plural: "fleets",
    namespaced: true,
    rules,
    subresources: ["status"],
    schema: "io.k8s.api.apps.v1.Deployment",
  })

const path = "/apis/example.com/v1/namespaces/sea/fleets"
const body = {
  apiVersion: "example.com/v1",
  kind: "Fleet",
  metadata: { name: "f", finalizers: ["unqualified"] },
}

describe("rules of a kind, whatever the name of its shape", () => {
  const cases: {
    rules: Rules
    patched: number
    made: number
    status: unknown
    label: unknown
    item: unknown
  }[] = [
    { rules: "native", patched: 200, made: 422, status: {}, label: "b", item: undefined },
    { rules: "structural", patched: 415, made: 201, status: undefined, label: "a", item: "Fleet" },
  ]
  for (const { rules, patched, made, status, label, item } of cases)
    test(`${rules} rules`, async () => {
      await using t = await startTestRegistry({ kinds: [] })
      await t.registry.addKind(fleet(rules))
      const send = async (method: string, url: string, sent?: object, type = "application/json") =>
        request(t, method, url, { body: sent, headers: { "content-type": type } })
      assert.equal((await send("POST", path, body)).code, made, "a finalizer that is not known")

      const metadata = { name: "g", labels: { of: "a" } }
      const created = (await send("POST", path, { ...body, metadata })).json()
      assert.deepEqual(created.status, status, "a status that is empty")

      const strategic = "application/strategic-merge-patch+json"
      assert.equal((await send("PATCH", `${path}/g`, {}, strategic)).code, patched, "a strategic patch")

      const change = { metadata: { labels: { of: "b" } }, status: { replicas: 1 } }
      const merged = await send("PATCH", `${path}/g/status`, change, "application/merge-patch+json")
      assert.equal(merged.json().status.replicas, 1)
      assert.equal(merged.json().metadata.labels.of, label, "a label that comes with a status")

      const [listed] = (await send("GET", `${path}?labelSelector=of`)).json().items
      assert.equal(listed.kind, item, "the type of an item")
    })
})
