/** A node part of the test's own, on real sockets: a greeter, and a front that needs it and answers with what it says. */
import assert from "node:assert/strict"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { test } from "node:test"
import { Scope } from "@knarr/base"
import { systemEnv } from "@knarr/testkit"
import { serveHealthz } from "@knarr/kubelet"
import { defineNodePart, startNodeParts, type NodeContext } from "knarr"

const env = systemEnv()

interface Greeter {
  readonly port: number
}

/** What the greeter's requests do to it. */
const moods = { healthy: true }

/** Serves on a free port: `/` greets, `/fail` makes the part fail. */
const greeter = defineNodePart<Greeter>({
  name: "greeter",
  needs: [],
  restart: { firstMs: 10 },
  async start(_env, { local }, { scope }) {
    const server = createServer((request, response) => {
      response.end(`hello from ${local.node}`)
      if (request.url === "/fail")
        scope.run("request", async () => {
          throw new Error("asked to fail")
        })
    })
    const port = await listen(server)
    return {
      provides: { port },
      healthy: () => (moods.healthy ? undefined : "in a bad mood"),
      close: () => close(server),
    }
  },
})

const front = defineNodePart<Greeter>({
  name: "front",
  needs: [greeter],
  async start(_env, _node, { need }) {
    const { port } = need(greeter)
    const server = createServer((request, response) => {
      ask(port, request.url).then(
        (text) => response.end(text),
        () => response.destroy(),
      )
    })
    return { provides: { port: await listen(server) }, close: () => close(server) }
  },
})

/** Tells the test where the front is; starts again with it, as whatever needs it does. */
const ports: number[] = []
const witness = defineNodePart({
  name: "witness",
  needs: [front],
  async start(_env, _node, { need }) {
    ports.push(need(front).port)
    return { provides: undefined }
  },
})

test("a part of one's own is started, tells its health, starts again after a failure and is closed", async () => {
  await using scope = new Scope("node-0", { env })
  const node = { local: { node: "node-0" } } as NodeContext
  const parts = startNodeParts([greeter, front, witness], { env, scope, node })
  await parts.started(scope.signal)
  assert.equal(await ask(ports[0]!), "hello from node-0")

  const healthzPort = await freePort()
  scope.run("healthz", (signal) => serveHealthz(env, healthzPort, parts, signal))
  const health = async (path: string): Promise<string> => ask(healthzPort, path)
  await eventually(async () => (await health("/readyz")) === "ok")
  moods.healthy = false
  assert.match(await health("/healthz"), /\[-\]greeter failed: reason withheld/)
  assert.equal(await health("/healthz/greeter"), "internal server error: in a bad mood\n")
  assert.equal(await health("/healthz/front"), "ok")
  moods.healthy = true

  // The front ends with what it needs, perhaps before it has answered.
  await ask(ports[0]!, "/fail").catch(() => {})
  await eventually(async () => ports.length === 2 && (await ask(ports[1]!)) === "hello from node-0")
  await eventually(async () => (await health("/readyz")) === "ok")
  await scope.close()
  for (const closed of [...ports, healthzPort]) await assert.rejects(ask(closed), TypeError)
})

async function ask(port: number, path = "/"): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } })
  return response.text()
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as AddressInfo).port
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await close(server)
  return port
}

async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await new Promise(setImmediate)
}
