import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { kinds } from "@knarr/api"
import type { KeyPair } from "@knarr/base"
import { startRawServer, startStreamFixture, type RawServer, type StreamFixture } from "./testing.ts"

const everything = { apiGroups: ["*"], resources: ["*"], verbs: ["*"] }
const reading = { ...everything, verbs: ["get", "list", "watch"] }
const pods = "/api/v1/namespaces/default/pods"

const transports: Readonly<Record<string, string>> = {
  plain: "",
  SPDY: "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n",
  WebSocket:
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n",
}

describe("What is authorised is what is served", () => {
  /** Nobody here may reach it: it counts who does. */
  let kubelet: RawServer
  let fixture: StreamFixture
  let nsadmin: KeyPair
  let reader: KeyPair
  let writer: KeyPair
  let nobody: KeyPair

  before(async () => {
    kubelet = await startRawServer("127.0.0.1", (socket) => socket.destroy())
    fixture = await startStreamFixture(kubelet.port)
    nsadmin = await fixture.user("nsadmin", [everything])
    reader = await fixture.user("reader", [reading])
    writer = await fixture.user("writer", [{ ...everything, verbs: ["update", "patch", "delete"] }])
    nobody = fixture.certificates.client("nobody")
  })
  after(async () => {
    await fixture[Symbol.asyncDispose]()
    await kubelet[Symbol.asyncDispose]()
  })

  async function status(method: string, path: string, as: KeyPair, headers = ""): Promise<number> {
    const text = `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`
    // One `Connection` line says both.
    const answer = await fixture.raw(
      headers.includes("Upgrade") ? text.replace("Connection: close\r\n", "") : text,
      as,
      /^HTTP\/1\.1 \d+ [^]*\r\n\r\n/,
    )
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
  }

  it("a namespace leads to nothing of the cluster", async () => {
    const asked: string[] = []
    for (const kind of kinds.filter(({ namespaced }) => !namespaced)) {
      const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
      const path = `${root}/namespaces/default/${kind.plural}`
      asked.push(`GET ${path}`, `POST ${path}`, `DELETE ${path}`, `GET ${path}/n1`, `PATCH ${path}/n1`)
      asked.push(
        `DELETE ${path}/n1`,
        `PUT ${path}/n1/status`,
        `GET ${root}/watch/namespaces/default/${kind.plural}`,
      )
    }
    // Few enough at a time that one connection takes them all at once.
    for (let at = 0; at < asked.length; at += 8) {
      const some = asked.slice(at, at + 8)
      const requests = some.map((line) => `${line} HTTP/1.1\r\nHost: x\r\n\r\n`)
      requests.push("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      const answer = await fixture.raw(requests.join(""), nsadmin)
      const codes = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code)
      assert.deepEqual(
        codes.map((code, i) => `${some[i] ?? "GET /livez"} ${code}`),
        [...some.map((line) => `${line} 404`), "GET /livez 200"],
      )
    }
  })

  it("nor do a node's streams, in any way of asking", async () => {
    for (const path of [
      "/api/v1/namespaces/default/nodes/n1/proxy/run/default/p/a?cmd=id",
      "/api/v1/namespaces/default/nodes/n1/proxy/exec/default/p/a?command=id&output=1",
      `/api/v1/namespaces/default/nodes/n1:${kubelet.port}/proxy/pods`,
    ])
      for (const method of ["GET", "POST", "OPTIONS"])
        for (const name in transports)
          assert.equal(
            await status(method, path, nsadmin, transports[name]),
            404,
            `${method} ${path} ${name}`,
          )
    assert.equal(kubelet.accepted, 0)
  })

  it("says nothing to who has no rights there", async () => {
    for (const path of [
      "/api/v1/namespaces/default/nodes",
      `${pods}/p/exec`,
      `/api/v1/watch${pods.slice(7)}/p/exec`,
    ])
      assert.equal(await status("GET", path, nobody), 403, path)
  })

  it("who may not create gets into no pod, by any method and transport", async () => {
    for (const sub of ["exec?command=id&stdout=1", "attach?stdout=1", "portforward?ports=80"])
      for (const method of ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
        for (const name in transports) {
          const headers = transports[name]!
          for (const [prefix, as] of [
            ["", reader],
            ["watch/", reader],
            ["", writer],
            ["watch/", writer],
          ] as const) {
            const path = `/api/v1/${prefix}namespaces/default/pods/p/${sub}`
            const code = await status(method, path, as, headers)
            assert.ok(
              [403, 404, 405].includes(code),
              `${method} ${path} ${name} as ${as === reader ? "reader" : "writer"}: ${code}`,
            )
          }
        }
    assert.equal(
      await status("GET", `${pods}/p/exec?command=id&stdout=1`, reader, transports["WebSocket"]),
      403,
    )
    assert.equal(await status("GET", `${pods}/p/exec?command=id&stdout=1`, reader, transports["SPDY"]), 403)
    assert.equal(await status("HEAD", `${pods}/p/exec?command=id&stdout=1`, reader, transports["SPDY"]), 405)
    assert.equal(kubelet.accepted, 0)
  })

  it("a handshake that cannot succeed reaches no kubelet", async () => {
    const good = transports["WebSocket"]!
    for (const bad of [
      good.replace("Version: 13", "Version: 99"),
      good.replace("Sec-WebSocket-Version: 13\r\n", ""),
      good.replace("Key: AAAAAAAAAAAAAAAAAAAAAA==", "Key: short"),
      good.replace("Protocol: v5.channel.k8s.io", "Protocol: v5.channel.k8s.io, v5.channel.k8s.io"),
      good.replace("Protocol: v5.channel.k8s.io", "Protocol: (bad)"),
      good.replace("Protocol: v5.channel.k8s.io", "Protocol: unknown"),
    ])
      for (const sub of ["exec?command=id&stdout=1", "attach?stdout=1", "portforward?ports=80", "log"])
        if (sub !== "log" || !bad.includes("unknown"))
          assert.equal(await status("GET", `${pods}/p/${sub}`, nsadmin, bad), 400, `${sub} ${bad}`)
    assert.equal(kubelet.accepted, 0)
  })

  it("who wishes for a protocol that a path has not gets its plain answer", async () => {
    assert.equal(await status("GET", "/livez", nobody, "Connection: Upgrade\r\nUpgrade: h2c\r\n"), 200)
    assert.equal(await status("GET", `${pods}/p`, reader, transports["WebSocket"]), 200)
  })
})
