import assert from "node:assert/strict"
import { test } from "node:test"
import { startRawServer, startStreamFixture } from "./testing.ts"

test("a kubelet that says nothing ends the request, and no other", { timeout: 30_000 }, async () => {
  await using kubelet = await startRawServer("127.0.0.1", () => {})
  await using fixture = await startStreamFixture(kubelet.port, { silenceMs: 200 })
  const ask = (method: string, path: string, headers = ""): Promise<string> =>
    fixture.raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`, fixture.admin)
  const pod = "/api/v1/namespaces/default/pods/p"
  const [log, exec, other] = await Promise.all([
    ask("GET", `${pod}/log`),
    ask("POST", `${pod}/exec?command=x&stdout=1`, "Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\n"),
    ask("GET", pod),
  ])
  for (const answer of [log, exec]) {
    assert.match(answer, /^HTTP\/1\.1 500 /)
    assert.match(answer, /"message":"Internal error occurred: Get .*\/default\/p\/a.*: i\/o timeout"/)
  }
  assert.match(other, /^HTTP\/1\.1 200 /)
})
