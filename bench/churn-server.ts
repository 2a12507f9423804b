/**
 * The process that `bench churn` watches: the API server on the embedded store, controllers, scheduler and simulated
 * nodes. `node churn-server.ts DIR NODES COMPACTION_MS`. Its first line of output is a kubeconfig; each line of input is
 * answered with its figures. Ends with its standard input.
 */
import { readdirSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout } from "node:timers/promises"
import { setFlagsFromString, writeHeapSnapshot } from "node:v8"
import { runInNewContext } from "node:vm"
import { Meter, createLogger, systemClock, systemRandom } from "@knarr/base"
import { openEmbeddedStore } from "@knarr/store"
import { startControlPlane } from "knarr/testing"
import type { ChurnFigures } from "./churn.ts"

const [dir, nodes, compactionMs] = process.argv.slice(2) as [string, string, string]
setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void
const log = createLogger({ clock: systemClock, level: "warn", write: (line) => process.stderr.write(line) })
const env = { clock: systemClock, random: systemRandom, log, meter: new Meter() }
const store = await openEmbeddedStore({ dir, env })
const server = await startControlPlane({
  store,
  log,
  port: 0,
  nodes: Number(nodes),
  compactionIntervalMs: Number(compactionMs),
})

async function figures(): Promise<ChurnFigures> {
  const resident = process.memoryUsage().rss
  for (let i = 0; i < 3; i++) {
    collect()
    await setTimeout(50)
  }
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
  const { objects, bytes, historyBytes } = server.plane.registry.memory()
  return {
    residentBefore: resident,
    rss,
    heapUsed,
    heapTotal,
    external,
    arrayBuffers,
    storeFile: await store.size(),
    objects,
    cacheBytes: bytes,
    historyBytes,
    files: readdirSync("/proc/self/fd").length,
  }
}

const commands = createInterface({ input: process.stdin })
process.stdout.write(`${JSON.stringify(server.kubeconfig)}\n`)
for await (const line of commands) {
  if (line.startsWith("snapshot ")) writeHeapSnapshot(line.slice("snapshot ".length))
  process.stdout.write(`${JSON.stringify(await figures())}\n`)
}
await server[Symbol.asyncDispose]()
await store[Symbol.asyncDispose]()
