import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { brotliCompressSync, gunzipSync } from "node:zlib"
import { configMap, pod } from "@knarr/api"
import { defineKind } from "@knarr/apimachinery"
import type { RequestContext } from "../contract.ts"
import type { ServerExchange } from "../server/exchange.ts"
import { readOpenApiDocs, type OpenApiDocs } from "./openapi-docs.ts"
import { OpenApi } from "./openapi.ts"

const core = "io.k8s.api.core.v1"
const standard = { apiVersion: "Which version.", kind: "Which kind.", metadata: "Standard metadata." }
const texts = {
  [`${core}.ConfigMap`]: { "": "ConfigMap holds data.", data: "The data.", ...standard },
  [`${core}.ConfigMapList`]: { "": "Several.", items: "The ConfigMaps.", metadata: "Of the list." },
  [`${core}.Pod`]: standard,
  [`${core}.PodList`]: { items: "List of pods. More.", metadata: "Standard list metadata." },
}
const docs = readOpenApiDocs(brotliCompressSync(JSON.stringify(texts)))

const widget = defineKind({
  group: "example.com",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  namespaced: true,
  rules: "structural",
  schema: {
    type: "object",
    fields: new Map([
      ["kind", { name: "kind", required: false, schema: { type: "string" } }],
      ["spec", { name: "spec", required: false, schema: { type: "any" } }],
    ]),
  },
})

async function get(
  openApi: OpenApi,
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Record<string, string>; json: any; type: string }> {
  const { pathname, searchParams } = new URL(url, "https://x")
  const answer = { status: 0, headers: {} as Record<string, string>, json: undefined as any, type: "" }
  const exchange = {
    method: "GET",
    path: pathname,
    query: searchParams,
    headers,
    setHeader: (name: string, value: string) => void (answer.headers[name.toLowerCase()] = value),
    respond(status: number, type: string, body: Buffer | string) {
      answer.status = status
      answer.type = type
      const bytes = Buffer.from(body)
      const text = answer.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes
      if (type === "application/json" || pathname === "/openapi/v3") answer.json = JSON.parse(text.toString())
    },
  } as unknown as ServerExchange
  if (pathname.startsWith("/openapi/v2")) await openApi.respondV2(exchange)
  else await openApi.respondV3(exchange, {} as RequestContext)
  return answer
}

describe("texts in OpenAPI", () => {
  it("describe types, fields and lists", async () => {
    const { json } = await get(new OpenApi([configMap], () => docs), "/openapi/v3/api/v1")
    const { ConfigMap, ConfigMapList, ObjectMeta } = Object.fromEntries(
      Object.entries<any>(json.components.schemas).map(([name, schema]) => [name.split(".").pop(), schema]),
    )
    assert.equal(ConfigMap.description, "ConfigMap holds data.")
    assert.equal(ConfigMap.properties.data.description, "The data.")
    assert.equal(ConfigMap.properties.metadata.description, "Standard metadata.")
    assert.equal("description" in ConfigMap.properties.immutable, false)
    assert.equal("description" in ObjectMeta, false)
    assert.equal(ConfigMapList.description, "Several.")
    assert.equal(ConfigMapList.properties.items.description, "The ConfigMaps.")
    assert.equal(ConfigMapList.properties.metadata.description, "Of the list.")
  })

  it("describe the standard fields of custom kinds", async () => {
    const { json } = await get(new OpenApi([widget], () => docs), "/openapi/v3/apis/example.com/v1")
    const schemas = json.components.schemas
    assert.deepEqual(schemas["com.example.v1.Widget"].properties.kind, {
      description: "Which kind.",
      type: "string",
    })
    const list = schemas["com.example.v1.WidgetList"]
    assert.equal(list.description, "WidgetList is a list of Widget")
    assert.equal(list.properties.items.description, "List of widgets. More.")
    assert.equal(list.properties.metadata.description, "Standard list metadata.")
  })

  it("are in version 2 as well", async () => {
    const { json } = await get(new OpenApi([configMap], () => docs), "/openapi/v2")
    assert.equal(json.definitions[`${core}.ConfigMap`].properties.data.description, "The data.")
  })

  it("are absent without the file", async () => {
    const { json } = await get(new OpenApi([configMap]), "/openapi/v3/api/v1")
    assert.equal("description" in json.components.schemas[`${core}.ConfigMap`], false)
  })

  it("are unpacked when a document is made, and at no other time", async () => {
    let unpacked = 0
    const counting: OpenApiDocs = {
      version: "1",
      unpack() {
        unpacked++
        return docs.unpack()
      },
    }
    const openApi = new OpenApi([configMap, pod], () => counting)
    const { json } = await get(openApi, "/openapi/v3")
    assert.equal(unpacked, 0)
    const url = json.paths["api/v1"].serverRelativeURL
    for (let i = 0; i < 3; i++) assert.equal((await get(openApi, url)).status, 200)
    assert.equal(unpacked, 1)
  })

  it("have a part in the hash, by which clients cache", async () => {
    const url = async (openApi: OpenApi): Promise<string> =>
      (await get(openApi, "/openapi/v3")).json.paths["api/v1"].serverRelativeURL
    const plain = new OpenApi([configMap])
    const described = new OpenApi([configMap], () => docs)
    assert.notEqual(await url(plain), await url(described))
    const moved = await get(described, await url(plain))
    assert.deepEqual([moved.status, moved.headers["location"]], [301, await url(described)])
  })
})

describe("OpenAPI documents", () => {
  it("say once for a path what all of its operations take, and refer to definitions that are there", async () => {
    const { json } = await get(new OpenApi([configMap, pod]), "/openapi/v2")
    for (const [path, item] of Object.entries<any>(json.paths)) {
      const ofPath = (item.parameters ?? []).map((one: any) => JSON.stringify(one))
      for (const [method, operation] of Object.entries<any>(item)) {
        if (method === "parameters") continue
        for (const one of operation.parameters ?? [])
          assert.equal(ofPath.includes(JSON.stringify(one)), false, `${method} ${path}`)
      }
    }
    for (const [, section, name] of JSON.stringify(json).matchAll(/"#\/(\w+)\/([^"]+)"/g))
      assert.ok(json[section!][name!], `#/${section}/${name}`)
  })

  it("have nothing that no path refers to", async () => {
    const { json } = await get(new OpenApi([configMap]), "/openapi/v3/api/v1")
    const text = JSON.stringify(json)
    for (const name of Object.keys(json.components.schemas))
      assert.ok(text.includes(`"#/components/schemas/${name}"`), name)
  })

  it("are there for every group, version and what tells of the server", async () => {
    const { json } = await get(new OpenApi([configMap, widget]), "/openapi/v3")
    assert.deepEqual(Object.keys(json.paths), [
      ".well-known/openid-configuration",
      "api",
      "api/v1",
      "apis",
      "apis/example.com/v1",
      "openid/v1/jwks",
      "version",
    ])
  })

  it("are compressed for those who take it", async () => {
    const openApi = new OpenApi([configMap])
    const plain = await get(openApi, "/openapi/v3/api/v1")
    const packed = await get(openApi, "/openapi/v3/api/v1", { "accept-encoding": "gzip" })
    assert.equal(plain.headers["content-encoding"], undefined)
    assert.equal(packed.headers["content-encoding"], "gzip")
    assert.deepEqual(plain.json, packed.json)
    const etag = packed.headers["etag"]!
    assert.equal((await get(openApi, "/openapi/v3/api/v1", { "if-none-match": etag })).status, 304)
  })

  it("are in the forms that there are", async () => {
    const openApi = new OpenApi([configMap])
    assert.equal((await get(openApi, "/openapi/v3/api/v1", { accept: "text/plain" })).status, 406)
    assert.equal((await get(openApi, "/openapi/v2", { accept: "text/plain" })).status, 406)
    const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    const { status, type } = await get(openApi, "/openapi/v2", { accept })
    assert.deepEqual([status, type], [200, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"])
    assert.equal((await get(openApi, "/openapi/v3/apis/nope/v1")).status, 404)
  })
})
