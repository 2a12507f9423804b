import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import { test } from "node:test"
import { Meter, Scope, VirtualClock, deferred, seededRandom, silentLogger } from "@knarr/base"
import { healthAnswer, serveHealthz } from "./healthz.ts"

test("health is told as a whole, by check, and in words", () => {
  const well = { name: "syncloop", check: () => undefined }
  const ill = { name: "tasks", check: () => "it waits" }
  const cases = [
    [[], undefined, false, 200, "ok"],
    [[well], undefined, true, 200, "[+]ping ok\n[+]syncloop ok\nhealthz check passed\n"],
    [[well], "syncloop", true, 200, "ok"],
    [
      [well, ill],
      undefined,
      false,
      500,
      "[+]ping ok\n[+]syncloop ok\n[-]tasks failed: reason withheld\nhealthz check failed\n",
    ],
    [[well, ill], "syncloop", false, 200, "ok"],
    [[well, ill], "tasks", false, 500, "internal server error: it waits\n"],
  ] as const
  for (const [checks, name, isVerbose, status, text] of cases)
    assert.deepEqual(healthAnswer(checks, name, isVerbose), { status, text })
  assert.equal(healthAnswer([well], "other", false), undefined)
})

test("health is served on loopback, and as soon as the port is free", async () => {
  const clock = new VirtualClock()
  const env = { clock, log: silentLogger, random: seededRandom(1), meter: new Meter() }
  const other = createServer().listen(0, "127.0.0.1")
  await once(other, "listening")
  const { port } = other.address() as AddressInfo
  await using scope = new Scope("test", { env })
  const refused = deferred()
  const log = { ...silentLogger, warn: () => refused.resolve() }
  const health = { health: [], readiness: [{ name: "dns", check: () => "it is starting" }] }
  scope.run("healthz", (signal) => serveHealthz({ ...env, log }, port, health, signal))
  await refused.promise
  other.close()
  await once(other, "close")
  await clock.advance(5_000)
  const ask = async (path: string): Promise<[number, string]> => {
    for (;;) {
      try {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } })
        return [response.status, await response.text()]
      } catch {
        await new Promise(setImmediate)
      }
    }
  }
  assert.deepEqual(await ask("/healthz"), [200, "ok"])
  assert.deepEqual(await ask("/healthz/ping?verbose"), [200, "ok"])
  assert.deepEqual(await ask("/readyz/dns"), [500, "internal server error: it is starting\n"])
  assert.deepEqual(await ask("/readyz"), [
    500,
    "[+]ping ok\n[-]dns failed: reason withheld\nreadyz check failed\n",
  ])
  assert.deepEqual(await ask("/pods"), [404, "404 page not found\n"])
})
