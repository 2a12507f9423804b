import assert from "node:assert/strict"
import { createServer, type IncomingMessage } from "node:http"
import { after, before, describe, test } from "node:test"
import { configMap } from "@knarr/api"
import { isConflict, isNotFound } from "@knarr/apimachinery"
import { Meter, systemClock } from "@knarr/base"
import { createRestClient } from "./rest-client.ts"
import { createTransport, type Transport } from "./transport.ts"

/** What the server says next, and what it was asked. */
let answer: { status: number; body: string; type?: string } = { status: 200, body: "{}" }
let asked: IncomingMessage | undefined

const server = createServer((request, response) => {
  asked = request
  request.resume().on("end", () => {
    response.writeHead(answer.status, { "content-type": answer.type ?? "application/json" })
    response.end(answer.body)
  })
})

const item = { metadata: { name: "a", namespace: "n", labels: { x: "y" } }, data: { k: "v" } }
const ref = { namespace: "n", name: "a" }

describe("the REST client", () => {
  let transport: Transport
  const meter = new Meter()
  const client = () => createRestClient({ transport, env: { clock: systemClock, meter } })

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    transport = createTransport({
      server: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      tls: () => ({}),
    })
  })
  after(() => {
    transport[Symbol.dispose]()
    server.close()
  })

  const whole = { ...item, apiVersion: "v1", kind: "ConfigMap" } as never
  const answers: Record<string, { body: unknown; ask: () => Promise<unknown> }> = {
    get: { body: item, ask: () => client().get(configMap, ref) },
    list: {
      body: { metadata: { resourceVersion: "7" }, items: [item] },
      ask: async () => (await client().list(configMap)).items[0],
    },
    watch: {
      body: { type: "ADDED", object: item },
      async ask() {
        const { signal } = new AbortController()
        for await (const event of client().watch(configMap, { signal })) return event.object
        return undefined
      },
    },
    create: { body: item, ask: () => client().create(configMap, whole) },
    update: { body: item, ask: () => client().update(configMap, whole) },
    patch: { body: item, ask: () => client().patch(configMap, ref, "merge", {}) },
  }
  for (const [verb, { body, ask }] of Object.entries(answers))
    test(`what ${verb} hands out has its type and is frozen, as from the loopback client`, async () => {
      answer = { status: 200, body: JSON.stringify(body) }
      const obj = (await ask()) as { apiVersion: string; kind: string; metadata: { labels: object } }
      assert.deepEqual([obj.apiVersion, obj.kind], ["v1", "ConfigMap"])
      assert.ok(Object.isFrozen(obj) && Object.isFrozen(obj.metadata.labels))
    })

  const refusals: Record<string, { reply: typeof answer; is: (error: unknown) => boolean }> = {
    "a Status": {
      reply: {
        status: 409,
        body: JSON.stringify({
          kind: "Status",
          status: "Failure",
          reason: "Conflict",
          code: 409,
          message: "m",
        }),
      },
      is: isConflict,
    },
    "another program's page": {
      reply: { status: 404, body: "<html>", type: "text/html" },
      is: isNotFound,
    },
  }
  for (const [what, { reply, is }] of Object.entries(refusals))
    test(`${what} outside 2xx becomes the error that it means`, async () => {
      answer = reply
      await assert.rejects(client().get(configMap, ref), is)
      assert.equal(asked?.url, "/api/v1/namespaces/n/configmaps/a")
    })

  test("requests are counted by code, method and host", () => {
    const host = new URL(transport.server).host
    const text = meter.text()
    for (const [labels, count] of [
      [`code="200",method="GET"`, 3],
      [`code="200",method="POST"`, 1],
      [`code="409",method="GET"`, 1],
      [`code="404",method="GET"`, 1],
    ] as const)
      assert.ok(text.includes(`rest_client_requests_total{${labels},host="${host}"} ${count}\n`), labels)
  })
})
