/** Objects as kube-apiserver stores them. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { openProtobufEnvelope } from "@knarr/apimachinery"
import { request } from "../endpoints/testing.ts"
import { startTestRegistry } from "./testing.ts"

const maps = "/api/v1/namespaces/d/configmaps"
const sets = "/apis/apps/v1/namespaces/d/statefulsets"
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
const set = {
  metadata: { name: "s" },
  spec: {
    serviceName: "s",
    selector: { matchLabels: { app: "s" } },
    template: { metadata: { labels: { app: "s" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    volumeClaimTemplates: [
      {
        metadata: { name: "v" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
    ],
  },
}

test("kinds of Kubernetes' own are stored in protobuf, definitions in JSON, and answers are the same", async () => {
  await using t = await startTestRegistry({ storageFormat: "shared" })
  await using plain = await startTestRegistry()
  for (const one of [t, plain]) {
    await request(one, "POST", maps, {
      body: { metadata: { name: "a", labels: { x: "y" } }, data: { a: "b" } },
    })
    await request(one, "POST", sets, { body: set })
  }
  for (const path of [`${maps}/a`, `${sets}/s`, maps]) {
    const [left, right] = [await request(t, "GET", path), await request(plain, "GET", path)]
    assert.deepEqual(left.json(), right.json())
  }
  const stored = (await t.store.get("/registry/configmaps/d/a"))!.value
  const { apiVersion, kind } = openProtobufEnvelope(stored)
  assert.deepEqual([apiVersion, kind], ["v1", "ConfigMap"])
  const definition = {
    metadata: { name: "as.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "as", kind: "A" },
      versions: [
        { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      ],
    },
  }
  assert.equal((await request(t, "POST", definitions, { body: definition })).code, 201)
  const key = "/registry/apiextensions.k8s.io/customresourcedefinitions/as.example.com"
  assert.equal(JSON.parse((await t.store.get(key))!.value.toString()).kind, "CustomResourceDefinition")
})

test("a write that changes nothing writes nothing, and what was stored otherwise is written anew", async () => {
  await using stamped = await startTestRegistry()
  await request(stamped, "POST", maps, { body: { metadata: { name: "a" }, data: { a: "b" } } })
  const { store } = stamped
  await using t = await startTestRegistry({ storageFormat: "shared", store })
  const update = { metadata: { name: "a" }, data: { a: "b" } }
  const first = (await request(t, "GET", `${maps}/a`)).json()
  assert.deepEqual([first.data, first.metadata.resourceVersion], [{ a: "b" }, "2"])
  const versions: string[] = []
  for (let i = 0; i < 3; i++)
    versions.push((await request(t, "PUT", `${maps}/a`, { body: update })).json().metadata.resourceVersion)
  assert.deepEqual(versions, ["3", "3", "3"])
  // And back again.
  await using back = await startTestRegistry({ store })
  assert.deepEqual((await request(back, "GET", `${maps}/a`)).json().data, { a: "b" })
})
