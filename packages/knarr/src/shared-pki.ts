/**
 * Several servers of one etcd are one cluster: they have its authorities and its key of service account tokens in common,
 * as kubeadm's control-plane nodes do. Everything else of the folder each makes for itself.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { UsageError } from "./cluster-home.ts"

const shared = ["ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key"] as const

/**
 * Copies what servers have in common out of another server's folder into `dir`. Throws a UsageError when something of it
 * is missing there, or is another one here already.
 */
export function adoptPki(from: string, dir: string): void {
  for (const name of shared) {
    const source = join(from, name)
    if (!existsSync(source)) throw new UsageError(`--pki-from: open ${source}: no such file or directory`)
    const target = join(dir, name)
    if (existsSync(target) && !readFileSync(target).equals(readFileSync(source)))
      throw new UsageError(`--pki-from: ${target} is not that of ${from}: delete the cluster first`)
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  for (const name of shared) if (!existsSync(join(dir, name))) copyFileSync(join(from, name), join(dir, name))
}
