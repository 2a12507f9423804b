/** What clusters on one machine share: numbers that keep their networks apart, and ports. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { basename, dirname, join } from "node:path"
import type { IPv4Network } from "@knarr/apimachinery"
import { deferred } from "@knarr/base"
import { ClusterHome, UsageError } from "./cluster-home.ts"

const indexBound = 100
const runDir = "/run/knarr"

/** The files that last until the machine is restarted: sockets, and which cluster has which number. */
export function runDirOf(index: number): string {
  return join(runDir, String(index))
}

/** Takes the lowest number that no other cluster of this machine has; `wanted` again when it is ours still. */
export function claimIndex(clusterDir: string, wanted: number | undefined): number {
  const candidates = wanted === undefined ? Array.from({ length: indexBound }, (_, i) => i) : [wanted]
  for (const index of candidates) {
    const ownerFile = join(runDirOf(index), "owner")
    mkdirSync(runDirOf(index), { recursive: true, mode: 0o700 })
    try {
      writeFileSync(ownerFile, clusterDir, { flag: "wx" })
      return index
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown
    }
    const owner = readFileSync(ownerFile, "utf8")
    if (owner === clusterDir) return index
    if (!existsSync(join(owner, "cluster.json"))) {
      writeFileSync(ownerFile, clusterDir)
      return index
    }
    if (wanted !== undefined)
      throw new UsageError(
        `the network of this cluster is in use by the cluster in ${owner}: stop that one first`,
      )
  }
  throw new UsageError(`there are ${indexBound} clusters on this machine already`)
}

export function releaseIndex(clusterDir: string, index: number): void {
  const ownerFile = join(runDirOf(index), "owner")
  if (existsSync(ownerFile) && readFileSync(ownerFile, "utf8") === clusterDir)
    rmSync(runDirOf(index), { recursive: true, force: true })
}

/** The ranges of this machine's other clusters, at this moment. */
export function otherRanges(index: number): IPv4Network[] {
  return readNames(runDir).flatMap((name) => {
    if (name === String(index)) return []
    const owner = readText(join(runDir, name, "owner"))
    if (owner === undefined) return []
    try {
      const config = new ClusterHome(dirname(owner), basename(owner)).read()
      return config ? [config.podCIDR, config.serviceCIDR, config.nodeCIDR] : []
    } catch {
      // Being written, or of another version: it guards its ranges itself.
      return []
    }
  })
}

function readNames(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : []
}

function readText(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined
}

/** True when nothing on this machine listens on the loopback port. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer()
  const result = deferred<boolean>()
  server.once("error", () => result.resolve(false))
  server.listen(port, "127.0.0.1", () => server.close(() => result.resolve(true)))
  return result.promise
}

/** The first free port at or after `from`. */
export async function freePort(from: number): Promise<number> {
  for (let port = from; port < from + 1000; port++) if (await isPortFree(port)) return port
  throw new UsageError(`no free port between ${from} and ${from + 999}`)
}
