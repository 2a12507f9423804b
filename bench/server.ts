/** A server under test: how it is started and when it is ready, the same for both. */
import { readFileSync } from "node:fs"
import { Agent, request } from "node:https"
import type { Credentials } from "./credentials.ts"
import { memoryOf, cpuMs, type Memory } from "./process-stats.ts"
import { sleep, tail, type Process } from "./workspace.ts"

export type Side = "knarr" | "reference"

export interface Server {
  readonly side: Side
  readonly url: string
  readonly credentials: Credentials
  readonly processes: readonly Process[]
  /** From the start of the first process to the first 200 of /readyz. */
  readonly readyMs: number
  /** Of all its processes, since they started. */
  cpuMs(): number
  memory(): Memory
  stop(): Promise<void>
  /** Begins a CPU profile; the call that comes back ends it and writes it. Only where the server can. */
  profile?(): Promise<(file: string) => Promise<void>>
}

/** Waits for /readyz on 127.0.0.1. Throws when a process ends or after 90 s. Resolves to the time since `startedMs`. */
export async function waitUntilReady(
  port: number,
  credentials: Credentials,
  running: readonly Process[],
  startedMs: number,
): Promise<number> {
  const agent = new Agent({
    keepAlive: true,
    ca: readFileSync(credentials.ca),
    cert: readFileSync(credentials.clientCert),
    key: readFileSync(credentials.clientKey),
  })
  try {
    while (performance.now() - startedMs < 90_000) {
      if (await isReady(port, agent)) return performance.now() - startedMs
      const dead = running.find((one) => one.ended)
      if (dead) throw new Error(`${dead.name} ended:\n${tail(dead.log)}`)
      await sleep(5)
    }
    throw new Error(
      `${running.map((one) => one.name).join(", ")} not ready after 90 s:\n${tail(running.at(-1)!.log)}`,
    )
  } finally {
    agent.destroy()
  }
}

function isReady(port: number, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, path: "/readyz", agent, timeout: 5000 }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode === 200))
      response.once("error", () => resolve(false))
    })
    call.once("error", () => resolve(false)).once("timeout", () => call.destroy())
    call.end()
  })
}

export function describeServer(
  side: Side,
  port: number,
  credentials: Credentials,
  running: readonly Process[],
  readyMs: number,
): Server {
  const pids = running.map((one) => one.pid)
  return {
    side,
    url: `https://127.0.0.1:${port}`,
    credentials,
    processes: running,
    readyMs,
    cpuMs: () => cpuMs(pids),
    memory: () => memoryOf(pids),
    async stop() {
      for (const one of running.toReversed()) await one.stop()
    },
  }
}
