/** Volumes on a Linux machine. Mounting needs root; without it memory volumes are plain folders. */
import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import {
  chmod,
  lstat,
  mkdir,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  symlink,
  writeFile,
} from "node:fs/promises"
import { release } from "node:os"
import { dirname, join, relative } from "node:path"
import type { Clock } from "@knarr/base"
import { writeAtomically } from "./atomic-writer.ts"
import { snapshotMountArguments, type ImageSnapshots } from "./image-snapshots.ts"
import { checkHostPathType } from "./host-path.ts"
import { applyOwnership } from "./ownership.ts"
import type { VolumeHost } from "./volume-host.ts"

export interface LinuxVolumeHostOptions {
  readonly clock: Clock
  /** Whether tmpfs can be mounted; default: whether this is root. */
  readonly canMount?: boolean
  /**
   * The kubelet's root folder. Below it all small volumes in memory share one tmpfs, `memory`, with links to it from
   * where they belong: a mount for each would slow down every start of a container. Default: they share none.
   */
  readonly rootDir?: string
  /** Of the node's runtime; without it images cannot be mounted. */
  readonly images?: ImageSnapshots
}

export function createLinuxVolumeHost(options: LinuxVolumeHostOptions): VolumeHost {
  const { clock, rootDir, images } = options
  const canMount = options.canMount ?? process.getuid?.() === 0
  const noswap = hasTmpfsNoswap(release())
  const shared = canMount && rootDir !== undefined ? join(rootDir, "memory") : undefined
  let mounting: Promise<unknown> | undefined
  /** Where the folder would be in the shared tmpfs. */
  const inMemory = (dir: string): string | undefined => {
    if (shared === undefined) return undefined
    const path = relative(rootDir!, dir)
    return path.startsWith("pods/") ? join(shared, path) : undefined
  }
  const mountTmpfs: VolumeHost["mountTmpfs"] = async (dir, { sizeBytes, mode }, signal) => {
    if (!canMount) return makeDirectory(dir, mode)
    await mkdir(dir, { recursive: true, mode: 0o750 })
    if ((await mountPointsIn(dir)).includes(dir)) {
      await resizeTmpfs(dir, sizeBytes, signal)
      return false
    }
    const flags = [sizeBytes ? `size=${sizeBytes}` : "", noswap ? "noswap" : ""].filter(Boolean)
    const extra = flags.length > 0 ? ["-o", flags.join(",")] : []
    await command("mount", ["-t", "tmpfs", ...extra, "tmpfs", dir], signal)
    await chmod(dir, mode)
    return true
  }
  return {
    makeDirectory,
    mountTmpfs,
    async mountHugePages(dir, { pageSize, mode }, signal) {
      await makeDirectory(dir, mode)
      if ((await mountPointsIn(dir)).includes(dir)) return false
      await command("mount", ["-t", "hugetlbfs", "-o", `pagesize=${pageSize}`, "nodev", dir], signal)
      await chmod(dir, mode)
      return true
    },
    async makeMemoryDirectory(dir, mode, signal) {
      const target = inMemory(dir)
      const kind = target === undefined ? undefined : await kindOf(dir)
      if (target === undefined || kind === "folder") {
        await mountTmpfs(dir, { sizeBytes: undefined, mode }, signal)
        return dir
      }
      // One that waits for it may give up; the others still want it.
      mounting ??= mountTmpfs(shared!, { sizeBytes: undefined, mode: 0o750 }, forever)
      try {
        await mounting
      } catch (thrown) {
        mounting = undefined
        throw thrown
      }
      await makeDirectory(target, mode)
      if (kind === "none") await mkdir(dirname(dir), { recursive: true, mode: 0o750 })
      else if (await leadsTo(dir, target)) return target
      else await rm(dir)
      await symlink(target, dir)
      return target
    },
    async mount(dir, { source, fsType, flags }, signal) {
      await makeDirectory(dir, 0o750)
      if ((await mountPointsIn(dir)).includes(dir)) return false
      const extra = flags.length > 0 ? ["-o", flags.join(",")] : []
      await command("mount", ["-t", fsType, ...extra, source, dir], signal)
      return true
    },
    async bindMount(source, target, { readOnly }, signal) {
      if ((await mountPointsIn(target)).includes(target)) return false
      if ((await stat(source)).isDirectory()) await makeDirectory(target, 0o750)
      else {
        await mkdir(dirname(target), { recursive: true, mode: 0o750 })
        await (await open(target, "a", 0o640)).close()
      }
      await command("mount", ["--bind", ...(readOnly ? ["-o", "ro"] : []), source, target], signal)
      return true
    },
    async mountImage(dir, imageId, signal) {
      if (!images) throw new Error("this node's runtime has no image volumes")
      await makeDirectory(dir, 0o750)
      if ((await mountPointsIn(dir)).includes(dir)) return false
      for (const mount of await images.view(imageId, dir, signal)) {
        const { args, cwd } = snapshotMountArguments(mount, dir)
        await command("mount", args, signal, cwd)
      }
      return true
    },
    async releaseImage(dir, signal) {
      await unmount(dir, signal)
      await images?.remove(dir, signal)
    },
    unmount,
    writePayload: (dir, payload, ownership) =>
      writeAtomically(dir, payload, {
        nowMs: clock.now(),
        prepare: () => applyOwnership(dir, ownership),
      }),
    setOwnership: applyOwnership,
    async isReady(metaDir) {
      return (await kindOf(join(metaDir, "ready"))) === "other"
    },
    async setReady(metaDir) {
      await mkdir(metaDir, { recursive: true, mode: 0o750 })
      await writeFile(join(metaDir, "ready"), "")
    },
    async usage(path) {
      const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path)
      return {
        capacityBytes: blocks * bsize,
        availableBytes: bavail * bsize,
        usedBytes: (blocks - bfree) * bsize,
        inodes: files,
        inodesFree: ffree,
      }
    },
    async writeRecord(metaDir, text) {
      await mkdir(metaDir, { recursive: true, mode: 0o750 })
      const file = join(metaDir, recordName)
      await writeFile(`${file}.tmp`, text, { mode: 0o600 })
      await rename(`${file}.tmp`, file)
    },
    async readRecord(metaDir) {
      try {
        return await readFile(join(metaDir, recordName), "utf8")
      } catch (thrown) {
        const { code = "" } = thrown as NodeJS.ErrnoException
        if (code === "ENOENT" || code === "ENOTDIR") return undefined
        throw thrown
      }
    },
    checkHostPath: checkHostPathType,
    async removeTree(dir, signal) {
      const target = inMemory(dir)
      if (target !== undefined) await rm(target, { recursive: true, force: true })
      if ((await kindOf(dir)) === "none") return
      const mounts = await mountPointsIn(dir)
      if (mounts.length > 0) {
        await command("umount", mounts.reverse(), signal)
        const left = await mountPointsIn(dir)
        if (left.length > 0) throw new Error(`Cannot remove "${dir}": "${left[0]}" is still mounted`)
      }
      await rm(dir, { recursive: true, force: true })
    },
    async removeIfEmpty(dir) {
      for (const path of [inMemory(dir), dir]) {
        try {
          if (path !== undefined) await rmdir(path)
        } catch (thrown) {
          const { code = "" } = thrown as NodeJS.ErrnoException
          if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(code)) throw thrown
        }
      }
    },
    async shareMounts(dir, signal) {
      if (!canMount) return
      await mkdir(dir, { recursive: true })
      const path = await realpath(dir)
      const mounts = await readMounts()
      const holder = mounts.findLast(
        ({ point }) => point === "/" || path === point || path.startsWith(`${point}/`),
      )
      if (holder?.shared) return
      if (holder?.point !== path) {
        // They would be hidden.
        if (mounts.some(({ point }) => point.startsWith(`${path}/`))) return
        await command("mount", ["--bind", path, path], signal)
      }
      await command("mount", ["--make-shared", path], signal)
    },
    list(dir) {
      try {
        return readdirSync(dir)
      } catch {
        return []
      }
    },
  }
}

/** One umount may take away several mounts, where they are shared. */
async function unmount(path: string, signal: AbortSignal): Promise<void> {
  while ((await mountPointsIn(path)).includes(path)) await command("umount", [path], signal)
}

/** As upstream's. */
const recordName = "vol_data.json"

const forever = new AbortController().signal

async function kindOf(path: string): Promise<"folder" | "other" | "none"> {
  try {
    return (await lstat(path)).isDirectory() ? "folder" : "other"
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return "none"
    throw thrown
  }
}

async function makeDirectory(dir: string, mode: number): Promise<boolean> {
  await mkdir(dirname(dir), { recursive: true, mode: 0o750 })
  try {
    await mkdir(dir, { mode })
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown
    if ((await kindOf(dir)) === "folder") return false
    // A file or a link there is none of ours.
    await rm(dir, { force: true })
    await mkdir(dir, { mode })
  }
  await chmod(dir, mode)
  return true
}

async function leadsTo(link: string, target: string): Promise<boolean> {
  return (await readlink(link).catch(() => undefined)) === target
}

/** One that was mounted with another bound gets the one of today, unless more than that is in it. */
async function resizeTmpfs(dir: string, sizeBytes: number | undefined, signal: AbortSignal): Promise<void> {
  if (!sizeBytes) return
  const { bsize, blocks } = await statfs(dir)
  if (Math.ceil(sizeBytes / bsize) === blocks) return
  await command("mount", ["-o", `remount,size=${sizeBytes}`, dir], signal).catch(() =>
    signal.throwIfAborted(),
  )
}

/** Kernels from 6.4 on can keep a tmpfs out of swap. */
function hasTmpfsNoswap(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(".").map(Number)
  return major > 6 || (major === 6 && minor >= 4)
}

/** Where something is mounted at or below `dir`, outer ones first. */
async function mountPointsIn(dir: string): Promise<string[]> {
  const points = (await readMounts()).map(({ point }) => point)
  return points.filter((point) => point === dir || point.startsWith(`${dir}/`))
}

/** Every mount that this process sees, in the order in which they were made. */
async function readMounts(): Promise<{ readonly point: string; readonly shared: boolean }[]> {
  const text = await readFile("/proc/self/mountinfo", "utf8")
  return text.split("\n").flatMap((line) => {
    const fields = line.split(" ")
    if (fields.length < 6) return []
    const point = fields[4]!.replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    )
    // Optional fields end with a dash.
    const optional = fields.slice(6, fields.indexOf("-", 6))
    return [{ point, shared: optional.some((field) => field.startsWith("shared:")) }]
  })
}

/** The newer system calls take at most 256 bytes of an option. */
const mountEnvironment = { ...process.env, LIBMOUNT_FORCE_MOUNT2: "always" }

function command(file: string, args: readonly string[], signal: AbortSignal, cwd = "/"): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { signal, cwd, env: mountEnvironment }, (error, _stdout, stderr) => {
      if (!error) return resolve()
      if (signal.aborted) return reject(signal.reason)
      const text = stderr.trim() || error.message
      reject(new Error(`${file} failed: ${text}\n${file}ing arguments: ${args.join(" ")}`, { cause: error }))
    })
  })
}
