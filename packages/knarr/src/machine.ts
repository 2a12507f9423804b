/** What clusters on one machine share: a folder for what lasts until it is restarted, and ports. */
import { createServer } from "node:net"
import { join } from "node:path"
import { deferred } from "@knarr/base"
import { UsageError } from "./cluster-home.ts"

/** Has a folder per number of a cluster; see cluster-numbers.ts. */
export const machineDir = "/run/knarr"

/** Where the sockets of the cluster with this number are. */
export function runDirOf(index: number): string {
  return join(machineDir, String(index))
}

/** True when nothing on this machine listens on the loopback port. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer()
  const result = deferred<boolean>()
  server.once("error", () => result.resolve(false))
  server.listen(port, "127.0.0.1", () => server.close(() => result.resolve(true)))
  return result.promise
}

/** The first free port at or after `from` that is not among `taken`: clusters' that do not listen at this moment. */
export async function freePort(from: number, taken: ReadonlySet<number> = new Set()): Promise<number> {
  for (let port = from; port < from + 1000; port++)
    if (!taken.has(port) && (await isPortFree(port))) return port
  throw new UsageError(`no free port between ${from} and ${from + 999}`)
}
