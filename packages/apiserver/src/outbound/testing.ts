/** A program that answers reviews, and the kubeconfig that leads to it, for tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"

export interface Reviewer {
  readonly configFile: string
  readonly dir: string
  /** Every review so far. */
  readonly asked: Record<string, any>[]
  /** What it answers: a status code, or the `status` of the review. */
  answer: (review: Record<string, any>) => number | object
}

export async function startReviewer(t: TestContext): Promise<Reviewer> {
  const server = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
    request.on("end", () => {
      const review = JSON.parse(body) as Record<string, any>
      reviewer.asked.push({ ...review, path: request.url })
      const said = reviewer.answer(review)
      response.statusCode = typeof said === "number" ? said : 201
      response.end(typeof said === "number" ? "no" : JSON.stringify({ ...review, status: said }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  // A connection that the server ends is one more wait by a clock that the test may not move.
  server.keepAliveTimeout = 600_000
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const dir = mkdtempSync(join(tmpdir(), "knarr-reviewer-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const configFile = join(dir, "kubeconfig")
  const { port } = server.address() as AddressInfo
  writeFileSync(
    configFile,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "a", cluster: { server: `http://127.0.0.1:${port}/review` } }],
      users: [{ name: "a", user: {} }],
      contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
      "current-context": "a",
    }),
  )
  const reviewer: Reviewer = { configFile, dir, asked: [], answer: () => 500 }
  return reviewer
}
