/** What the tests of streams and proxies share: a server with one node and one pod, and raw back ends. */
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net"
import { networkInterfaces } from "node:os"
import type { AddressInfo } from "node:net"
import { connect as connectTls } from "node:tls"
import { clusterRole, node, pod, roleBinding, serviceAccount, type PolicyRule } from "@knarr/api"
import { Scope, type KeyPair } from "@knarr/base"
import { type ApiServer } from "../../api-server.ts"
import type { InFlightLimits } from "../../server/in-flight.ts"
import { testCertificates, type TestCertificates, startTestServer } from "../../testing.ts"

/** An address of this machine that proxies may lead to; undefined when it has only loopback. */
export const outsideAddress: string | undefined = Object.values(networkInterfaces())
  .flat()
  .find((a) => a !== undefined && !a.internal && a.family === "IPv4")?.address

export interface StreamFixture extends AsyncDisposable {
  readonly server: ApiServer
  readonly certificates: TestCertificates
  readonly admin: KeyPair
  /** A certificate of somebody who may do `rules`, and only in `default`. */
  user(name: string, rules: readonly PolicyRule[]): Promise<KeyPair>
  /** Sends bytes as `as` and collects what comes until the connection ends, or `until` matches. */
  raw(text: string, as: KeyPair | undefined, until?: RegExp): Promise<string>
}

export interface StreamFixtureOptions {
  readonly podIP?: string | undefined
  readonly limits?: InFlightLimits
  /** Of the kubelet, before it answers; default: the server's. */
  readonly silenceMs?: number
  /** Default: new ones. */
  readonly certificates?: TestCertificates
}

/** Pod `default/p`, container `a`, on node `n1`, whose kubelet is at `kubeletPort` of loopback. */
export async function startStreamFixture(
  kubeletPort: number,
  { podIP, limits, silenceMs, certificates = testCertificates() }: StreamFixtureOptions = {},
): Promise<StreamFixture> {
  const scope = new Scope("test")
  const admin = certificates.client("admin", "system:masters")
  const server = await startTestServer(scope, certificates, {
    kubelet: { clientCert: admin.cert, clientKey: admin.key, ca: certificates.ca.cert, silenceMs },
    shutdownGraceSeconds: 0.2,
    limits,
  })
  const client = server.client()
  await client.create(serviceAccount, { metadata: { namespace: "default", name: "default" } })
  await client.create(node, { metadata: { name: "n1" }, spec: {} })
  const nodeStatus = {
    addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
  }
  await client.patch(node, { name: "n1" }, "merge", { status: nodeStatus }, { subresource: "status" })
  const at = { namespace: "default", name: "p" }
  await client.create(pod, {
    metadata: at,
    spec: { nodeName: "n1", containers: [{ name: "a", image: "x" }] },
  })
  if (podIP) await client.patch(pod, at, "merge", { status: { podIP } }, { subresource: "status" })
  return {
    server,
    certificates,
    admin,
    async user(name, rules) {
      await client.create(clusterRole, { metadata: { name }, rules: [...rules] })
      await client.create(roleBinding, {
        metadata: { namespace: "default", name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
        subjects: [{ kind: "User", name }],
      })
      return certificates.client(name)
    },
    raw(text, as, until) {
      return new Promise((resolve, reject) => {
        const socket = connectTls({
          host: "127.0.0.1",
          port: server.port,
          ca: certificates.ca.cert,
          ALPNProtocols: ["http/1.1"],
          ...(as ? { cert: as.cert, key: as.key } : {}),
        })
        let answer = ""
        socket.on("data", (chunk: Buffer) => {
          answer += chunk.toString("latin1")
          if (until?.test(answer)) socket.destroy()
        })
        socket.on("error", reject)
        socket.on("close", () => resolve(answer))
        socket.on("end", () => socket.end())
        socket.write(text)
      })
    },
    [Symbol.asyncDispose]: () => scope.close(),
  }
}

export interface RawServer extends AsyncDisposable {
  readonly port: number
  /** Connections so far, and those that are open. */
  readonly accepted: number
  readonly open: number
}

/** Listens on `host`; `serve` gets each connection's first bytes. */
export async function startRawServer(
  host: string,
  serve: (socket: Socket, first: string) => void,
): Promise<RawServer> {
  const sockets = new Set<Socket>()
  let accepted = 0
  const server: TcpServer = createTcpServer((socket) => {
    accepted++
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => {})
    socket.on("data", (chunk: Buffer) => serve(socket, chunk.toString("latin1")))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted
    },
    get open() {
      return sockets.size
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
