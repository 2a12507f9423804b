/**
 * Mounts a folder or file inside a volume for a container, without ever following a symbolic link out of the
 * volume: each step is opened relative to the one before, and what is bound is the open file itself.
 * Mirrors: staging/src/k8s.io/mount-utils / pkg/volume/util/subpath/subpath_linux.go
 */
import { constants, type BigIntStats } from "node:fs"
import {
  lstat,
  mkdir,
  open,
  readFile,
  realpath,
  rm,
  rmdir,
  stat,
  writeFile,
  type FileHandle,
} from "node:fs/promises"
import { join, relative, sep } from "node:path"
import { runCommand } from "../runtime/process.ts"

const pathFlags = 0x200000 // O_PATH

/** Binds `subPath` in `volumeDir` to `target`. A missing folder is made with the mode of the volume's own. */
export async function bindSubPath(
  volumeDir: string,
  subPath: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const root = await realpath(volumeDir)
  await makeInside(root, subPath, (await stat(root)).mode & 0o7777)
  const full = await realpath(join(root, subPath))
  const inside = relative(root, full)
  if (inside === ".." || inside.startsWith(`..${sep}`))
    throw new Error(`subpath ${JSON.stringify(full)} not within volume path ${JSON.stringify(root)}`)
  // The path is free of links now; opened step by step it stays so, whoever changes the volume meanwhile.
  await using handle = await openInside(root, inside.split(sep).filter(Boolean))
  const found = await handle.stat({ bigint: true })
  if (await isBoundTo(target, found, signal)) return
  await mkdir(join(target, ".."), { recursive: true, mode: 0o750 })
  await makeMountPoint(target, found.isDirectory())
  const source = `/proc/${process.pid}/fd/${handle.fd}`
  await runCommand("mount", ["--no-canonicalize", "-o", "bind", source, target], { signal })
}

/** Makes the folders of `subPath` that are missing, following links only as far as they stay inside. */
async function makeInside(root: string, subPath: string, mode: number): Promise<void> {
  let at = root
  for (const part of subPath.split("/")) {
    if (part === "" || part === ".") continue
    if (part === "..") throw new Error(`subPath ${JSON.stringify(subPath)} must not contain '..'`)
    const next = join(at, part)
    try {
      at = await realpath(next)
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown
      await using parent = await openInside(root, relative(root, at).split(sep).filter(Boolean))
      await mkdir(`/proc/self/fd/${parent.fd}/${part}`, { mode })
      await using made = await openStep(parent, part)
      // The umask must not take from what was asked for.
      await runChmod(made, mode)
      at = next
      continue
    }
    const inside = relative(root, at)
    if (inside === ".." || inside.startsWith(`..${sep}`))
      throw new Error(`subpath ${JSON.stringify(at)} not within volume path ${JSON.stringify(root)}`)
  }
}

async function runChmod(handle: FileHandle, mode: number): Promise<void> {
  const folder = await open(`/proc/self/fd/${handle.fd}`, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.chmod(mode)
  } finally {
    await folder.close()
  }
}

async function openInside(root: string, parts: readonly string[]): Promise<FileHandle> {
  let handle = await open(root, pathFlags | constants.O_DIRECTORY)
  for (const part of parts) {
    const parent = handle
    try {
      handle = await openStep(parent, part)
    } finally {
      await parent.close()
    }
  }
  return handle
}

async function openStep(parent: FileHandle, name: string): Promise<FileHandle> {
  const handle = await open(`/proc/self/fd/${parent.fd}/${name}`, pathFlags | constants.O_NOFOLLOW)
  if ((await handle.stat()).isSymbolicLink()) {
    await handle.close()
    throw new Error(`unexpected symlink found ${JSON.stringify(name)}`)
  }
  return handle
}

/** Unmounts everything that is mounted below `dir`, innermost first, and removes the mount points. */
export async function unbindUnder(dir: string, signal: AbortSignal): Promise<void> {
  for (const path of (await mountsUnder(dir)).reverse()) {
    await runCommand("umount", ["--no-canonicalize", "-l", path], { signal })
    await rmdir(path).catch(() => rm(path, { force: true }))
  }
}

/**
 * Whether the newest mount at `target` is that very file or folder. Every other mount there is taken away: of a volume
 * that has been rewritten meanwhile, or one whose file system does not answer any more.
 */
async function isBoundTo(target: string, wanted: BigIntStats, signal: AbortSignal): Promise<boolean> {
  while ((await mountPoints()).includes(target)) {
    // A mounted file keeps its inode even when it is deleted: no other can have it.
    const have = await lstat(target, { bigint: true }).catch(() => undefined)
    if (have?.ino === wanted.ino && have.dev === wanted.dev) return true
    await runCommand("umount", ["--no-canonicalize", "-l", target], { signal })
  }
  return false
}

/** What was bound before may have been of the other kind. */
async function makeMountPoint(target: string, isFolder: boolean): Promise<void> {
  const have = await lstat(target).catch(() => undefined)
  if (have && have.isDirectory() !== isFolder) await (have.isDirectory() ? rmdir(target) : rm(target))
  if (isFolder) await mkdir(target, { recursive: true, mode: 0o750 })
  else await writeFile(target, "", { flag: "a", mode: 0o640 })
}

/** Mount points below `dir`, outermost first. */
export async function mountsUnder(dir: string): Promise<string[]> {
  return (await mountPoints()).filter((path) => path.startsWith(`${dir}/`))
}

/** Mount points at `dir` and below it, outermost first. */
export async function mountsAt(dir: string): Promise<string[]> {
  return (await mountPoints()).filter((path) => path === dir || path.startsWith(`${dir}/`))
}

async function mountPoints(): Promise<string[]> {
  const text = await readFile("/proc/self/mountinfo", "utf8")
  return text
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8))))
}
