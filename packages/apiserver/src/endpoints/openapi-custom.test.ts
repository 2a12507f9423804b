/** The document of a custom resource as the published API server has it: testdata/custom-openapi.json, without texts. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { gunzipSync } from "node:zlib"
import { kinds, type CustomResourceDefinition } from "@knarr/api"
import type { RequestContext } from "../contract.ts"
import { customKind } from "../crd/custom-kind.ts"
import type { ServerExchange } from "../server/exchange.ts"
import { OpenApi } from "./openapi.ts"

const file = join(import.meta.dirname, "testdata/custom-openapi.json")
const recorded = JSON.parse(readFileSync(file, "utf8")) as {
  readonly definition: CustomResourceDefinition
  readonly info: unknown
  readonly schemas: readonly string[]
  readonly paths: unknown
}

function withoutTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTexts)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, text]) => key !== "description" || typeof text !== "string")
      .map(([key, inner]) => [key, withoutTexts(inner)]),
  )
}

test("a custom resource's document is the published server's", async () => {
  const { definition } = recorded
  definition.status = { acceptedNames: definition.spec.names }
  const made = ["v1", "v1beta1"].map((version) => customKind(definition, version))
  const openApi = new OpenApi([...kinds, ...made])
  const path = "/openapi/v3/apis/example.org/v1"
  let body: Buffer = Buffer.alloc(0)
  const exchange = {
    method: "GET",
    path,
    query: new URLSearchParams(),
    headers: { "accept-encoding": "gzip" },
    setHeader() {},
    respond: (_status: number, _type: string, bytes: Buffer) => void (body = bytes),
  } as unknown as ServerExchange
  await openApi.respondV3(exchange, {} as RequestContext)
  const document = JSON.parse(gunzipSync(body).toString()) as Record<string, any>
  assert.deepEqual(document["info"], recorded.info)
  assert.deepEqual(withoutTexts(document["paths"]), recorded.paths)
  assert.deepEqual(Object.keys(document["components"].schemas).sort(), recorded.schemas)
  assert.deepEqual(Object.keys(document["components"]), ["schemas"])
})
