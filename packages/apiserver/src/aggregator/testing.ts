/** What this folder's tests share: an API server with an aggregated one behind it. */
import { createSecureServer, type Http2SecureServer } from "node:http2"
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2"
import { request } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { apiService, service, type APIService } from "@knarr/api"
import { Scope, issueCertificate, systemRandom, type KeyPair } from "@knarr/base"
import { type ApiServer } from "../api-server.ts"
import { testCertificates, startTestServer } from "../testing.ts"

const certificates = testCertificates()
const proxies = testCertificates()
const admin = certificates.client("admin", "system:masters")

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  json<T = any>(): T
}

export type Serve = (request: Http2ServerRequest, response: Http2ServerResponse) => void

export interface AggregatedFixture extends AsyncDisposable {
  readonly server: ApiServer
  readonly port: number
  /** The port of the aggregated server. */
  readonly remotePort: number
  readonly remote: Http2SecureServer
  readonly caBundle: string
  ask(path: string, options?: AskOptions): Promise<Reply>
  /** Registers `v1` of `things.example.com` at the aggregated server, by a service that is its name. */
  register(spec?: Partial<APIService["spec"]>): Promise<APIService>
  /** The condition, once it says `reason`. */
  untilReason(reason: string): Promise<{ status: string; message?: string | undefined }>
}

export interface AskOptions {
  readonly method?: string
  readonly as?: KeyPair
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export const serviceName = "v1.things.example.com"

export async function startAggregated(serve: Serve): Promise<AggregatedFixture> {
  const scope = new Scope("test")
  const day = 86_400_000
  const pair = issueCertificate(certificates.ca, {
    subject: { commonName: "ext" },
    serial: systemRandom.bytes(16),
    notBeforeMs: Date.parse("2024-01-01T00:00:00Z"),
    notAfterMs: Date.parse("2024-01-01T00:00:00Z") + 5000 * day,
    dnsNames: ["ext.default.svc"],
    usages: ["serverAuth"],
  })
  const remote = createSecureServer(
    { ...pair, allowHTTP1: true, requestCert: true, rejectUnauthorized: false, ca: proxies.ca.cert },
    serve,
  )
  const sockets = new Set<Socket>()
  remote.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => remote.listen(0, "127.0.0.1", resolve))
  const remotePort = (remote.address() as AddressInfo).port
  const server = await startTestServer(scope, certificates, {
    requestHeader: { clientCA: proxies.ca.cert, allowedNames: ["front-proxy-client"] },
    frontProxyClient: () => frontProxy,
    shutdownGraceSeconds: 0.2,
  })
  const frontProxy = proxies.client("front-proxy-client")
  const client = server.client()
  const caBundle = Buffer.from(certificates.ca.cert).toString("base64")
  return {
    server,
    port: server.port,
    remote,
    remotePort,
    caBundle,
    ask(path, { method = "GET", as = admin, headers = {}, body } = {}) {
      return new Promise((resolve, reject) => {
        const sent = request(
          {
            host: "127.0.0.1",
            port: server.port,
            method,
            path,
            headers,
            ca: certificates.ca.cert,
            agent: false,
            ...as,
          },
          (response) => {
            let text = ""
            response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
            response.on("error", reject)
            response.on("end", () =>
              resolve({
                status: response.statusCode!,
                headers: response.headers,
                text,
                json: () => JSON.parse(text) as any,
              }),
            )
          },
        )
        sent.on("error", reject)
        sent.end(body)
      })
    },
    async register(spec = {}) {
      await client.create(service, {
        metadata: { namespace: "default", name: "ext" },
        spec: { type: "ExternalName", externalName: "localhost" },
      })
      return client.create(apiService, {
        metadata: { name: serviceName },
        spec: {
          group: "things.example.com",
          version: "v1",
          groupPriorityMinimum: 2000,
          versionPriority: 10,
          service: { namespace: "default", name: "ext", port: remotePort },
          caBundle,
          ...spec,
        },
      })
    },
    async untilReason(reason) {
      const { signal } = scope
      for await (const { object } of client.watch(apiService, { signal })) {
        if (!("spec" in object) || object.metadata.name !== serviceName) continue
        const found = object.status.conditions?.find((one) => one.reason === reason)
        if (found) return found
      }
      throw new Error("the watch ended")
    },
    async [Symbol.asyncDispose]() {
      await scope.close()
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => remote.close(() => resolve()))
    },
  }
}
