import assert from "node:assert/strict"
import { test } from "node:test"
import { connect } from "node:tls"
import { startStreamFixture } from "../endpoints/connect/testing.ts"

test("bodies that never come, and users who want everything, hold nobody else up", async () => {
  await using fixture = await startStreamFixture(1, { limits: { maxMutating: 4, maxBodyBytes: 400_000 } })
  const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }]
  const eve = await fixture.user("eve", rules)
  const bob = await fixture.user("bob", rules)
  const path = "/api/v1/namespaces/default/configmaps"
  const open = Array.from({ length: 8 }, (_, i) => {
    const socket = connect({
      host: "127.0.0.1",
      port: fixture.server.port,
      ca: fixture.certificates.ca.cert,
      cert: eve.cert,
      key: eve.key,
      ALPNProtocols: ["http/1.1"],
    })
    let answer = ""
    socket.on("error", () => {})
    // Most send nothing; some send as much as they may, and never the end.
    const some = i < 4 ? "" : "x".repeat(90_000)
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n${some}`,
    )
    const first = new Promise<string>((resolve) => {
      socket.on("data", (chunk: Buffer) => {
        answer += chunk.toString()
        resolve(answer)
      })
    })
    return { socket, first }
  })
  try {
    // Two of four fit into half of the bytes; the others are told.
    const refused = await Promise.race(open.map(({ first }) => first))
    assert.match(refused, /^HTTP\/1\.1 429 /)
    for (let i = 0; i < 6; i++) {
      const body = JSON.stringify({ metadata: { name: `m${i}` } })
      const text =
        `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`
      assert.match(await fixture.raw(text, bob), /^HTTP\/1\.1 201 /)
    }
  } finally {
    for (const { socket } of open) socket.destroy()
  }
})
