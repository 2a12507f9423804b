import assert from "node:assert/strict"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { after, before, test } from "node:test"
import type { EndpointSlice, Service } from "@knarr/api"
import {
  CancelledError,
  createCA,
  issueCertificate,
  Meter,
  systemClock,
  systemRandom,
  TimeoutError,
} from "@knarr/base"
import type { OutboundTarget } from "../contract.ts"
import { testCertificates } from "../testing.ts"
import { createOutbound } from "./call.ts"
import { createServiceResolver, type Place, type ServiceRouting } from "./service-resolver.ts"

const { ca } = testCertificates()
const validity = { notBeforeMs: Date.parse("2020-01-01"), notAfterMs: Date.parse("2100-01-01") }
const { cert, key } = issueCertificate(ca, {
  subject: { commonName: "hook" },
  serial: systemRandom.bytes(16),
  ...validity,
  dnsNames: ["hook.tools.svc", "localhost"],
  usages: ["serverAuth"],
})
const stranger = createCA({
  subject: { commonName: "stranger" },
  serial: systemRandom.bytes(16),
  ...validity,
})
const never = new AbortController().signal

let held: ServerResponse | undefined
const connections = new Set<unknown>()
const server = createServer({ cert, key }, (request: IncomingMessage, response: ServerResponse) => {
  connections.add(request.socket)
  let text = ""
  request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
  request.on("end", () => {
    if (request.url === "/hangs") return void (held = response)
    if (request.url === "/long") return void response.end(Buffer.alloc(5000, "x"))
    if (request.url === "/drops") return void request.socket.destroy()
    if (request.url === "/elsewhere") response.writeHead(307, { location: "/again" })
    else if (request.url === "/refuses") response.writeHead(503)
    if (request.url === "/last") response.setHeader("connection", "close")
    response.end(`${request.method} ${request.headers.host} ${request.url} ${text}`)
  })
})
let port = 0
before(async () => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  port = (server.address() as AddressInfo).port
})
after(() => {
  held?.destroy()
  server.closeAllConnections()
  server.close()
})

const service = (path: string): OutboundTarget => ({
  service: { namespace: "tools", name: "hook", port: 8443, path },
})

test("a service is called where it is, under the name that its certificate has, on a kept connection", async () => {
  const asked: unknown[] = []
  using outbound = createOutbound({
    clock: systemClock,
    meter: new Meter(),
    resolve(...what) {
      asked.push(what)
      return { host: "127.0.0.1", port }
    },
  })
  const options = { caBundle: ca.cert, timeoutMs: 10_000 }
  const seen = connections.size
  for (const path of ["/a?b=c", "d"]) {
    const { status, body } = await outbound.call(service(path), '{"x":1}', options, never)
    assert.equal(status, 200)
    assert.equal(
      body.toString(),
      `POST hook.tools.svc:8443 ${path.startsWith("/") ? path : `/${path}`} {"x":1}`,
    )
  }
  assert.deepEqual(asked, [
    ["tools", "hook", 8443],
    ["tools", "hook", 8443],
  ])
  assert.equal(connections.size, seen + 1)
  const itself = { caBundle: cert, timeoutMs: 10_000 }
  assert.equal((await outbound.call(service("/"), "{}", itself, never)).status, 200)
  const { body } = await outbound.call({ url: `https://localhost:${port}//u/./v/?w=/` }, "{}", options, never)
  assert.equal(body.toString(), `POST localhost:${port} /u/v?w=/ {}`)
})

test("what is wrong with a program outside is said, and is over at once", async () => {
  using outbound = createOutbound({
    clock: systemClock,
    meter: new Meter(),
    resolve: () => ({ host: "127.0.0.1", port }),
  })
  const options = { caBundle: ca.cert, timeoutMs: 10_000, maxAnswerBytes: 4096 }
  const at = (path: string): string => `Post "https://hook.tools.svc:8443${path}": `
  assert.equal((await outbound.call(service("/elsewhere"), "{}", options, never)).status, 307)
  assert.equal((await outbound.call(service("/refuses"), "{}", options, never)).status, 503)
  await assert.rejects(outbound.call(service("/long"), "{}", options, never), {
    message: `${at("/long")}the answer is longer than 4096 bytes`,
  })
  await assert.rejects(outbound.call(service("/drops"), "{}", options, never), {
    message: `${at("/drops")}socket hang up`,
  })
  await assert.rejects(
    outbound.call(service("/"), "{}", { ...options, caBundle: stranger.cert }, never),
    (thrown: Error) => /certificate/.test(thrown.message),
  )
  await assert.rejects(
    outbound.call({ url: `https://127.0.0.1:${port}/` }, "{}", options, never),
    (thrown: Error) => /IP: 127.0.0.1 is not in the cert's list/.test(thrown.message),
  )
  await assert.rejects(
    outbound.call({ url: `http://127.0.0.1:${port}/` }, "{}", options, never),
    /it is not HTTPS/,
  )
  await assert.rejects(
    outbound.call(service("/hangs"), "{}", { ...options, timeoutMs: 50 }, never),
    TimeoutError,
  )
  const gone = new AbortController()
  const waiting = outbound.call(service("/hangs"), "{}", options, gone.signal)
  gone.abort(new CancelledError("the request"))
  await assert.rejects(waiting, CancelledError)
})

test("a service's place: its address, or an endpoint that is ready", () => {
  const services: Record<string, Partial<Service["spec"]>> = {
    plain: { type: "ClusterIP", clusterIP: "10.0.0.1", ipFamilies: ["IPv4"] },
    headless: { type: "ClusterIP", clusterIP: "None" },
    elsewhere: { type: "ExternalName", externalName: "example.com" },
    strange: { type: "Strange" as never, clusterIP: "10.0.0.2" },
  }
  const ports = [{ name: "web", port: 443 }]
  const slice = (
    addressType: string,
    address: string,
    ready: boolean,
    owner = "plain",
  ): Partial<EndpointSlice> => ({
    metadata: { labels: { "kubernetes.io/service-name": owner } } as never,
    addressType,
    ports: [{ name: "web", port: 8443 }],
    endpoints: [{ addresses: [address], conditions: { ready } }],
  })
  const slices = [
    slice("IPv6", "fd00::1", true),
    slice("IPv4", "10.1.0.1", false),
    slice("IPv4", "10.1.0.2", true),
    slice("IPv4", "10.1.0.3", true, "other"),
  ]
  const reader = {
    get: (_kind: unknown, { name }: { name: string }) =>
      services[name] && ({ metadata: { name }, spec: { ports, ...services[name] } } as never),
    list: () => slices as never,
  }
  const rows: [ServiceRouting, string, number, Place | string][] = [
    ["clusterIP", "plain", 443, { host: "10.0.0.1", port: 443 }],
    ["clusterIP", "plain", 80, 'no service port 80 found for service "plain"'],
    ["clusterIP", "headless", 443, 'cannot route to service with ClusterIP "None"'],
    ["clusterIP", "elsewhere", 444, { host: "example.com", port: 444 }],
    ["clusterIP", "strange", 443, 'unsupported service type "Strange"'],
    ["clusterIP", "missing", 443, 'services "missing" not found'],
    ["endpoints", "plain", 443, { host: "10.1.0.2", port: 8443 }],
    ["endpoints", "headless", 443, 'no endpoints available for service "headless"'],
    ["endpoints", "elsewhere", 443, 'unsupported service type "ExternalName"'],
  ]
  for (const [routing, name, at, expected] of rows) {
    const resolve = createServiceResolver(reader, systemRandom, routing)
    if (typeof expected === "string") assert.throws(() => resolve("tools", name, at), { message: expected })
    else assert.deepEqual(resolve("tools", name, at), expected)
  }
})

test("a certificate that has its name in its subject alone is refused, and counted", async () => {
  const old = issueCertificate(ca, {
    subject: { commonName: "localhost" },
    serial: systemRandom.bytes(16),
    ...validity,
    usages: ["serverAuth"],
  })
  const plain = createServer(old, (_, response) => response.end())
  await new Promise<void>((resolve) => void plain.listen(0, "127.0.0.1", resolve))
  const meter = new Meter()
  try {
    using outbound = createOutbound({
      ...{ clock: systemClock, meter },
      resolve: () => assert.fail("it is no service"),
    })
    const url = `https://localhost:${(plain.address() as AddressInfo).port}/`
    await assert.rejects(outbound.call({ url }, "{}", { caBundle: ca.cert, timeoutMs: 10_000 }, never), {
      message: `Post "${url}": tls: failed to verify certificate: x509: certificate relies on legacy Common Name field, use SANs instead`,
    })
  } finally {
    plain.close()
  }
  assert.match(meter.text(), /^apiserver_webhooks_x509_missing_san_total 1$/m)
  assert.match(meter.text(), /^apiserver_webhooks_x509_insecure_sha1_total 0$/m)
})
