import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect, type ClientHttp2Session } from "node:http2"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import type { TLSSocket } from "node:tls"
import { kinds } from "@knarr/api"
import { Meter, Scope, VirtualClock, createPrivateKeyPem, silentLogger, systemRandom } from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import { startApiServer, type ApiServer, type ApiServerOptions } from "../api-server.ts"
import { testCertificates, type TestCertificates } from "../testing.ts"

interface Room extends AsyncDisposable {
  readonly server: ApiServer
  readonly scope: Scope
  readonly clock: VirtualClock
  readonly certificates: TestCertificates
  session(): ClientHttp2Session
}

async function start(options: Partial<ApiServerOptions>, certificates = testCertificates()): Promise<Room> {
  const clock = new VirtualClock()
  const env = { clock, random: systemRandom, log: silentLogger, meter: new Meter() }
  const scope = new Scope("test")
  const server = await startApiServer({
    env,
    scope: scope.child("server"),
    store: createMemoryStore({ env }),
    kinds,
    bindAddresses: ["127.0.0.1"],
    port: 0,
    certificates: { ...certificates.server, clientCA: certificates.ca.cert },
    serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
    shutdownGraceSeconds: 0.2,
    staticTokens: new Map([["admin", { name: "admin", groups: ["system:masters"] }]]),
    ...options,
  })
  return {
    server,
    scope,
    clock,
    certificates,
    session() {
      const session = connect(`https://127.0.0.1:${server.port}`, { ca: certificates.ca.cert })
      session.on("error", () => {})
      return session
    },
    [Symbol.asyncDispose]: () => passUntil(clock, scope.close()),
  }
}

function get(
  session: ClientHttp2Session,
  path: string,
  accept?: string,
): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const stream = session.request({
    ":path": path,
    authorization: "Bearer admin",
    ...(accept === undefined ? {} : { accept }),
  })
  let status = 0
  let body = ""
  stream.on("response", (headers) => (status = Number(headers[":status"])))
  stream.on("data", (chunk: Buffer) => (body += chunk.toString()))
  stream.on("error", reject)
  stream.on("end", () => resolve({ status, body }))
  stream.end()
  return promise
}

/** Lets time pass, and connections end in their own, until `work` is done. */
async function passUntil(clock: VirtualClock, work: Promise<void>): Promise<void> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  while (!isDone) {
    await clock.advance(500)
    await turn()
  }
  return done
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface MetricFamily {
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
  readonly buckets?: readonly number[]
}

/** What stands in the text form, by name; only what has values. */
function metricFamilies(text: string): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>()
  for (const [, name, help, type, lines] of text.matchAll(
    /^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)\n((?:[^#].*\n)*)/gm,
  )) {
    const labels = new Set<string>()
    const buckets = new Set<string>()
    for (const [, label, value] of lines!.matchAll(/[{,]([a-z_]+)="((?:[^"\\]|\\.)*)"/g))
      if (label === "le") buckets.add(value!)
      else labels.add(label!)
    buckets.delete("+Inf")
    families.set(name!, {
      type: type!,
      help: help!,
      labels: [...labels].sort(),
      ...(type === "histogram" ? { buckets: [...buckets].map(Number) } : {}),
    })
  }
  return families
}

/** Without labels, and of what this server has not: a second way to validate. */
const notCounted = [
  "apiserver_validation_declarative_validation_mismatch_total",
  "apiserver_validation_declarative_validation_panic_total",
]

describe("Serving", () => {
  it("names the parts of its health as the published API server does, each on a path of its own", async () => {
    await using room = await start({})
    const session = room.session()
    const text = readFileSync(join(import.meta.dirname, "testdata/health.json"), "utf8")
    for (const [path, names] of Object.entries(JSON.parse(text) as Record<string, string[]>)) {
      const { body } = await get(session, `/${path}?verbose`)
      const told = [...body.matchAll(/^\[\+\](\S+) ok$/gm)].map(([, name]) => name)
      // What only this server has comes last.
      assert.deepEqual(
        told.filter((name) => name !== "tasks"),
        names,
      )
      for (const name of names) assert.equal((await get(session, `/${path}/${name}`)).body, "ok", name)
    }
    const slis = (await get(session, "/metrics/slis")).body
    assert.match(slis, /^kubernetes_healthcheck\{name="etcd",type="readyz"\} 1$/m)
    assert.match(slis, /^kubernetes_healthchecks_total\{name="etcd",type="livez",status="success"\} 1$/m)
    assert.match(
      (await get(session, "/metrics")).body,
      /^apiserver_storage_events_received_total\{group="",resource="namespaces"\} [1-9]/m,
    )
    const { body } = await get(session, "/readyz?verbose&exclude=etcd&exclude=b&exclude=a")
    assert.match(body, /^\[\+\]etcd excluded: ok$/m)
    assert.match(
      body,
      /\nwarn: some health checks cannot be excluded: no matches for "a","b"\nreadyz check passed\n$/,
    )
    session.destroy()
  })

  it("has the metrics that the published API server promises, and counts in its names, labels and buckets", async () => {
    await using room = await start({})
    const session = room.session()
    await get(session, "/api/v1/namespaces")
    const families = metricFamilies((await get(session, "/metrics")).body)
    const text = readFileSync(join(import.meta.dirname, "testdata/metrics.json"), "utf8")
    const published = new Map(Object.entries(JSON.parse(text) as Record<string, MetricFamily>))
    const shared = [...families].filter(([name]) => published.has(name))
    assert.deepEqual(
      shared,
      shared.map(([name]) => [name, published.get(name)]),
    )
    const missing = [...published].filter(
      ([name, { help, labels }]) =>
        /^\[(STABLE|BETA)\]/.test(help) && labels.length === 0 && !families.has(name),
    )
    assert.deepEqual(
      missing.map(([name]) => name),
      notCounted,
    )
    session.destroy()
  })

  it("tells with which flags it was started and since when it runs, in text or as a document", async () => {
    await using room = await start({ flags: { v: "2", "bind-address": "::" } })
    const session = room.session()
    const as = (kind: string, type: string, version = "v1beta1"): string =>
      `${type};as=${kind};v=${version};g=config.k8s.io`
    const flagz = await get(session, "/flagz")
    assert.match(flagz.body, /^\nkube-apiserver flagz\nWarning: .*\nbind-address=::\nv=2\n$/)
    assert.equal((await get(session, "/flagz", "text/plain")).body, flagz.body)
    assert.deepEqual(JSON.parse((await get(session, "/flagz", as("Flagz", "application/json"))).body), {
      kind: "Flagz",
      apiVersion: "config.k8s.io/v1beta1",
      metadata: { name: "kube-apiserver" },
      flags: { v: "2", "bind-address": "::" },
    })
    assert.match((await get(session, "/statusz")).body, /\nPaths: .*\/healthz .*\/version\n$/)
    const statusz = await get(session, "/statusz", as("Statusz", "application/yaml"))
    assert.match(statusz.body, /^apiVersion: config.k8s.io\/v1beta1\n/)
    for (const accept of [
      "application/json",
      as("Statusz", "application/json"),
      as("Flagz", "application/json", "v1"),
      as("Flagz", "text/plain"),
    ]) {
      const { status, body } = await get(session, "/flagz", accept)
      assert.equal(status, 406, accept)
      assert.equal(
        (JSON.parse(body) as { message: string }).message,
        "only the following media types are accepted: application/json, application/yaml, text/plain",
      )
    }
    const { paths } = JSON.parse((await get(session, "/", "application/json")).body) as { paths: string[] }
    assert.ok(paths.includes("/flagz") && paths.includes("/statusz"))
    assert.deepEqual(
      paths.filter((path) => /tasks|debug/.test(path)),
      [],
    )
    session.destroy()
  })

  it("sends clients to another connection by chance, and answers what is under way", async () => {
    await using room = await start({ goawayChance: 1 })
    const session = room.session()
    const away = new Promise<void>((resolve) => session.once("goaway", () => resolve()))
    const answers = await Promise.all([get(session, "/version"), get(session, "/readyz")])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
    await away
  })

  it("serves on after it was told to stop, for as long as it is told, and is not ready any more", async () => {
    await using room = await start({ shutdownDelaySeconds: 5 })
    const session = room.session()
    await get(session, "/version")
    const closed = room.scope.close()
    while ((await get(session, "/readyz/shutdown")).status === 200) await turn()
    assert.equal((await get(session, "/readyz")).status, 500)
    assert.equal((await get(session, "/livez/ping")).status, 200)
    assert.equal((await get(session, "/version")).status, 200)
    await passUntil(room.clock, closed)
    assert.equal(session.closed, true)
  })

  it("tells browsers how to come again, and clients of another authority are known, too", async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-authorities-"))
    t.after(() => rmSync(dir, { recursive: true }))
    const [own, other] = [testCertificates(), testCertificates()]
    const write = (name: string, text: string): string => {
      writeFileSync(join(dir, name), text)
      return join(dir, name)
    }
    const certificateFiles = {
      cert: write("tls.crt", own.server.cert),
      key: write("tls.key", own.server.key),
      clientCA: [write("own.crt", own.ca.cert), write("other.crt", other.ca.cert)],
    }
    const strictTransportSecurity = ["max-age=60", "preload"]
    await using room = await start({ certificateFiles, strictTransportSecurity }, own)
    for (const { client } of [own, other]) {
      const session = connect(`https://127.0.0.1:${room.server.port}`, {
        ca: own.ca.cert,
        ...client("eve", "system:masters"),
      })
      const stream = session.request({ ":path": "/api/v1/nodes" })
      const headers = await new Promise<Record<string, unknown>>((resolve) =>
        stream.once("response", resolve),
      )
      assert.deepEqual(
        [headers[":status"], headers["strict-transport-security"]],
        [200, "max-age=60; preload"],
      )
      session.destroy()
    }
  })

  it("serves with the certificates that are in the files, and keeps those it has when they do not fit", async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-certificates-"))
    t.after(() => rmSync(dir, { recursive: true }))
    const [first, second] = [testCertificates(), testCertificates()]
    const certificateFiles = { cert: join(dir, "tls.crt"), key: join(dir, "tls.key") }
    const write = (cert: string, key: string): void => {
      writeFileSync(certificateFiles.cert, cert)
      writeFileSync(certificateFiles.key, key)
    }
    write(first.server.cert, first.server.key)
    await using room = await start({ certificateFiles }, first)
    assert.equal(await issuerOf(room, t), true)
    write(second.server.cert, first.server.key)
    await lookAgain(room)
    assert.equal(await issuerOf(room, t), true)
    write(second.server.cert, second.server.key)
    await lookAgain(room)
    for (let i = 0; i < 200 && (await issuerOf(room, t)); i++) await turn()
    assert.equal(await issuerOf(room, t), false)
  })
})

/** The files are read in their own time. */
async function lookAgain({ clock }: Room): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await clock.advance(10_000)
    for (let j = 0; j < 20; j++) await turn()
  }
}

/** Whether a new connection is served with a certificate of the room's authority. */
function issuerOf(room: Room, t: TestContext): Promise<boolean> {
  const session = room.session()
  t.after(() => session.destroy())
  return new Promise((resolve) => {
    session.once("connect", (_, socket) => {
      resolve((socket as TLSSocket).authorized)
      session.destroy()
    })
    session.once("error", () => resolve(false))
  })
}
