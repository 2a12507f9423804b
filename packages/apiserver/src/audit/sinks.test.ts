import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { gunzipSync } from "node:zlib"
import { Meter, Scope, VirtualClock, seededRandom, silentLogger } from "@knarr/base"
import { testCertificates } from "../testing.ts"
import { BufferedSink } from "./buffered.ts"
import { eventJson, legacyLine, type AuditEvent } from "./event.ts"
import { createLogSink } from "./log-sink.ts"
import { AuditMetrics } from "./sink.ts"
import { createWebhookSink } from "./webhook-sink.ts"

const event: AuditEvent = {
  level: "RequestResponse",
  auditID: "id",
  stage: "ResponseComplete",
  requestURI: "/api/v1/pods?a=<b>",
  verb: "list",
  user: { name: "alice", groups: ["a", "b"] },
  impersonated: { user: { name: "bob", groups: [] }, constraint: "impersonate:user-info" },
  sourceIPs: ["10.0.0.1"],
  userAgent: "agent",
  objectRef: { resource: "pods", namespace: "ns", apiVersion: "v1" },
  responseStatus: { code: 200 },
  requestObject: undefined,
  responseObject: '{"kind":"PodList"}',
  receivedMs: Date.parse("2026-01-02T03:04:05.678Z"),
  stageMs: Date.parse("2026-01-02T03:04:05.679Z"),
  annotations: new Map([["k", "v"]]),
}

interface Room {
  readonly clock: VirtualClock
  readonly meter: Meter
  readonly metrics: AuditMetrics
  readonly env: { clock: VirtualClock; log: typeof silentLogger; random: ReturnType<typeof seededRandom> }
  readonly dir: string
  /** How many events a plugin has lost. */
  lost(plugin: string): string | undefined
}

function room(t: TestContext): Room {
  const clock = new VirtualClock()
  const meter = new Meter()
  const dir = mkdtempSync(join(tmpdir(), "knarr-audit-"))
  t.after(() => rmSync(dir, { recursive: true }))
  return {
    clock,
    meter,
    metrics: new AuditMetrics(meter, silentLogger),
    env: { clock, log: silentLogger, random: seededRandom(1) },
    dir,
    lost: (plugin) =>
      new RegExp(`^apiserver_audit_error_total\\{plugin="${plugin}"\\} (\\d+)$`, "m").exec(meter.text())?.[1],
  }
}

describe("Audit backends", () => {
  it("write an event as Go prints it", () => {
    assert.equal(
      eventJson(event),
      '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"id","stage":"ResponseComplete",' +
        '"requestURI":"/api/v1/pods?a=\\u003cb\\u003e","verb":"list","user":{"username":"alice","groups":["a","b"]},' +
        '"impersonatedUser":{"username":"bob"},"authenticationMetadata":{"impersonationConstraint":"impersonate:user-info"},"sourceIPs":["10.0.0.1"],"userAgent":"agent",' +
        '"objectRef":{"resource":"pods","namespace":"ns","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},' +
        '"responseObject":{"kind":"PodList"},"requestReceivedTimestamp":"2026-01-02T03:04:05.678000Z",' +
        '"stageTimestamp":"2026-01-02T03:04:05.679000Z","annotations":{"k":"v"}}',
    )
    assert.equal(
      legacyLine(event),
      '2026-01-02T03:04:05.678Z AUDIT: id="id" stage="ResponseComplete" ip="10.0.0.1" method="list" user="alice" ' +
        'groups="\\"a\\",\\"b\\"" as="bob" asgroups="<lookup>" user-agent="agent" namespace="ns" ' +
        'uri="/api/v1/pods?a=<b>" response="200"',
    )
  })

  it("put a full log aside, compress it, and keep as many as they are told", async (t) => {
    const { dir, env, metrics, clock } = room(t)
    const path = join(dir, "audit.log")
    {
      await using scope = new Scope("test")
      const options = { path, maxSizeMegabytes: 1, maxBackups: 2, compress: true }
      const sink = createLogSink(options, env, scope, metrics)
      const large = { ...event, responseObject: `"${"x".repeat(600_000)}"` }
      for (let i = 0; i < 5; i++) {
        assert.equal(sink.take({ ...large, auditID: String(i) }), true)
        await clock.advance(1000)
      }
    }
    {
      // What a stop left undone is done at the next start.
      await using scope = new Scope("test")
      createLogSink({ path, maxSizeMegabytes: 1, maxBackups: 2, compress: true }, env, scope, metrics)
      while (readdirSync(dir).length !== 3 || readdirSync(dir).some((name) => !/(gz|audit.log)$/.test(name)))
        await new Promise((resolve) => setImmediate(resolve))
    }
    const files = readdirSync(dir).sort()
    assert.equal(files.length, 3)
    assert.match(files[0]!, /^audit-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log\.gz$/)
    const ids = files.map((name) => {
      const bytes = readFileSync(join(dir, name))
      return /"auditID":"(\d)"/.exec(String(name.endsWith(".gz") ? gunzipSync(bytes) : bytes))?.[1]
    })
    assert.deepEqual(ids, ["2", "3", "4"])
  })

  it("fail a request only in the strict mode", async (t) => {
    const { dir, env, metrics, lost } = room(t)
    for (const [mode, goesOn] of [
      ["blocking", true],
      ["blocking-strict", false],
    ] as const) {
      await using scope = new Scope("test")
      const sink = createLogSink({ path: join(dir, mode), maxSizeMegabytes: 1, mode }, env, scope, metrics)
      assert.equal(sink.take({ ...event, responseObject: `"${"x".repeat(2 ** 20)}"` }), goesOn)
    }
    assert.equal(lost("log"), "2")
  })

  it("leave documents out of events that are too large", async (t) => {
    const { dir, env, metrics, lost } = room(t)
    const path = join(dir, "log")
    await using scope = new Scope("test")
    const sink = createLogSink({ path, truncate: { maxEventBytes: 1000 } }, env, scope, metrics)
    void sink.take({ ...event, responseObject: `"${"x".repeat(1000)}"` })
    void sink.take({ ...event, userAgent: "x".repeat(1000) })
    const written = JSON.parse(readFileSync(path, "utf8")) as {
      responseObject?: unknown
      annotations: object
    }
    assert.equal(written.responseObject, undefined)
    assert.deepEqual(written.annotations, { "audit.k8s.io/truncated": "true", k: "v" })
    assert.equal(lost("truncate"), "1")
  })

  it("hold no more than there is room for, and count what they lose", async (t) => {
    const { clock, metrics, lost } = room(t)
    const sent: number[] = []
    const free = Promise.withResolvers<void>()
    {
      await using scope = new Scope("test")
      const settings = { bufferSize: 3, maxBatchSize: 2, maxWaitMs: 10, throttle: false }
      const sink = new BufferedSink(
        { ...settings, throttleQps: 1, throttleBurst: 1 },
        {
          ...{ clock, scope, metrics, parallel: false },
          async send(events) {
            sent.push(events.length)
            await free.promise
          },
        },
      )
      for (let i = 0; i < 7; i++) sink.take(event)
      assert.deepEqual(sent, [2])
      assert.equal(lost("buffered"), "2")
      free.resolve()
    }
    assert.deepEqual(sent, [2, 2, 1])
  })

  it("send no more batches in a second than they may", async (t) => {
    const { clock, metrics } = room(t)
    const sentAt: number[] = []
    await using scope = new Scope("test")
    const settings = { bufferSize: 9, maxBatchSize: 1, maxWaitMs: 10, throttle: true }
    const sink = new BufferedSink(
      { ...settings, throttleQps: 2, throttleBurst: 2 },
      {
        ...{ clock, scope, metrics, parallel: true },
        send: async () => void sentAt.push(Math.round(clock.monotonic())),
      },
    )
    const start = Math.round(clock.monotonic())
    for (let i = 0; i < 4; i++) sink.take(event)
    await clock.advance(2000)
    assert.deepEqual(
      sentAt.map((at) => at - start),
      [0, 0, 500, 1000],
    )
  })

  it("send lists to a webhook, and try again what failed", async (t) => {
    const { dir, env, metrics, clock, lost } = room(t)
    const { ca, server } = testCertificates()
    const bodies: string[] = []
    const webhook = createServer({ cert: server.cert, key: server.key }, (request, response) => {
      let body = ""
      request.on("data", (chunk: Buffer) => (body += chunk.toString()))
      request.on("end", () => {
        bodies.push(`${request.method} ${request.url} ${body}`)
        response.statusCode = bodies.length === 1 ? 503 : 200
        response.end()
      })
    })
    await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve))
    const { port } = webhook.address() as AddressInfo
    const configFile = join(dir, "webhook.json")
    const cluster = {
      server: `https://127.0.0.1:${port}/audit?to=x`,
      "certificate-authority-data": Buffer.from(ca.cert).toString("base64"),
    }
    writeFileSync(
      configFile,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "c", cluster }],
        contexts: [{ name: "x", context: { cluster: "c", user: "" } }],
        users: [],
        "current-context": "x",
      }),
    )
    {
      await using scope = new Scope("test")
      const sink = await createWebhookSink({ configFile, batch: { maxBatchSize: 2 } }, env, scope, metrics)
      void sink.take(event)
      void sink.take({ ...event, auditID: "second" })
      while (bodies.length < 2) {
        await new Promise((resolve) => setImmediate(resolve))
        await clock.advance(1000)
      }
    }
    await new Promise((resolve) => webhook.close(resolve))
    assert.equal(bodies[1], bodies[0])
    assert.match(
      bodies[0]!,
      /^POST \/audit\S* \{"kind":"EventList","apiVersion":"audit.k8s.io\/v1","metadata":\{\},"items":\[\{"level":.*"id".*\{"level":.*"second"/,
    )
    assert.equal(lost("webhook"), undefined)
  })
})
