/** Requests that ask for another protocol and announce a body, which may never come. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { startStreamFixture } from "./testing.ts"

describe("An upgrade that announces a body is a request like any other", () => {
  it("for every method, protocol, path and user, and the server lives", async () => {
    await using fixture = await startStreamFixture(1)
    const paths = ["exec", "attach", "portforward", "proxy/", "log"].map(
      (part) => `/api/v1/namespaces/default/pods/p/${part}`,
    )
    const asked: Promise<void>[] = []
    for (const path of [...paths, "/api/v1/nodes/n1/proxy/pods"])
      for (const protocol of ["websocket", "SPDY/3.1"])
        for (const length of ["Content-Length: 5", "Transfer-Encoding: chunked"])
          for (const as of [undefined, fixture.admin])
            for (const method of ["GET", "POST"]) {
              const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n`
              const ask = async (): Promise<void> => {
                const text = await fixture.raw(`${head}${length}\r\n\r\n`, as, /\r\n\r\n/)
                assert.match(text, as ? /^HTTP\/1\.1 [45]\d\d/ : /^HTTP\/1\.1 403/, head + length)
              }
              asked.push(ask())
            }
    await Promise.all(asked)
    assert.match(await fixture.raw("GET /livez HTTP/1.0\r\n\r\n", fixture.admin), /ok$/)
  })
})
