/** The machine that the kubelet runs on. */
import { constants } from "node:fs"
import {
  chmod,
  lstat,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises"
import { request as httpRequest } from "node:http"
import { request as httpsRequest } from "node:https"
import { dirname } from "node:path"
import type { Clock } from "@knarr/base"
import { Cgroups } from "./cgroups.ts"
import type { KubeletHost } from "./host.ts"
import { bindSubPath, mountsUnder, unbindUnder } from "./sub-path.ts"

export interface DiskHostOptions {
  readonly clock: Clock
  /** Sets up cgroups; default true. Without it pods are not bounded as a whole. */
  readonly cgroups?: boolean
  /** Default `/etc/resolv.conf`; empty: pods get none of the node's resolvers. */
  readonly resolvConf?: string
}

/** The real machine; most of it needs root. */
export function createDiskHost(options: DiskHostOptions): KubeletHost {
  const cgroups = options.cgroups === false ? undefined : new Cgroups(options.clock)
  const forever = new AbortController().signal
  return {
    async makeDir(path, mode = 0o755) {
      await mkdir(path, { recursive: true, mode })
    },
    async writeFile(path, text, mode = 0o644) {
      await mkdir(dirname(path), { recursive: true })
      // A mounted file must keep its inode, so an existing one is written in place.
      const exists = (await kindOf(path)) !== "none"
      if (exists) return writeFile(path, text, { mode })
      await writeFile(`${path}.new`, text, { mode })
      // The umask must not take from what was asked for.
      await chmod(`${path}.new`, mode)
      await rename(`${path}.new`, path)
    },
    readFile: (path) => orNone(readFile(path, "utf8")),
    readTail: (path, maxBytes) => orNone(readTail(path, maxBytes)),
    async remove(path) {
      const mounted = (await mountsUnder(path))[0]
      if (mounted !== undefined) throw new Error(`Cannot remove "${path}": "${mounted}" is mounted`)
      await rm(path, { recursive: true, force: true })
    },
    async list(dir) {
      return (await orNone(readdir(dir))) ?? []
    },
    async symlink(target, path) {
      await mkdir(dirname(path), { recursive: true })
      await orNone(unlink(path))
      await symlink(target, path)
    },
    kindOf,
    async etcHosts() {
      return (await orNone(readFile("/etc/hosts", "utf8"))) ?? ""
    },
    async resolvConf() {
      const path = options.resolvConf ?? "/etc/resolv.conf"
      return path === "" ? "" : ((await orNone(readFile(path, "utf8"))) ?? "")
    },
    async bindSubPath(volumeDir, subPath, target) {
      await bindSubPath(volumeDir, subPath, target, forever)
      return target
    },
    unbindUnder: (dir) => unbindUnder(dir, forever),
    async setCgroup(path, resources) {
      await cgroups?.set(path, resources)
    },
    async removeCgroup(path) {
      await cgroups?.remove(path)
    },
    async listCgroups(path) {
      return (await cgroups?.list(path)) ?? []
    },
    request({ url, headers }, signal) {
      return new Promise((resolve, reject) => {
        const secure = url.startsWith("https:")
        const options = {
          signal,
          headers: Object.fromEntries(headers),
          ...(secure ? { rejectUnauthorized: false } : {}),
        }
        const request = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
          resolve(response.statusCode ?? 0)
          // Nobody reads the body, which may never end.
          request.destroy()
        })
        request.on("error", reject)
        // Such as after an answer that switches protocols, to which nobody listens.
        request.on("close", () => reject(new Error(`no answer to "${url}"`)))
        request.end()
      })
    },
  }
}

async function kindOf(path: string): Promise<"dir" | "file" | "other" | "none"> {
  const stat = await orNone(lstat(path))
  if (!stat) return "none"
  return stat.isDirectory() ? "dir" : stat.isFile() ? "file" : "other"
}

/** What is not there is undefined. */
async function orNone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ENOTDIR") return undefined
    throw thrown
  }
}

async function readTail(path: string, maxBytes: number): Promise<string | undefined> {
  // A container may put what it likes at the path; a pipe must not hold us up, a link must not lead us away.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) return undefined
    const length = Math.min(stat.size, maxBytes)
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await file.read(buffer, 0, length, stat.size - length)
    return buffer.toString("utf8", 0, bytesRead)
  } finally {
    await file.close()
  }
}
