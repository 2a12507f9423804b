/**
 * Replaces the files of a folder at one moment: they are links into `..data`, which is a link to a folder with a
 * timestamp, and a new version is one rename of that link.
 * Mirrors: pkg/volume/util/atomic_writer.go
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { Payload } from "./payload.ts"

const dataLink = "..data"
const newDataLink = "..data_tmp"
const maxPathLength = 4096
const maxNameLength = 255

/**
 * Writes the files and says whether anything changed. `prepare` runs when the new files are there but not yet seen.
 * Paths that lead outside are refused.
 */
export async function writeAtomically(
  dir: string,
  payload: Payload,
  options: { readonly nowMs: number; readonly prepare?: () => Promise<void> },
): Promise<boolean> {
  const files = cleanPayload(payload)
  const previous = await linkTarget(join(dir, dataLink))
  const stale = previous === undefined ? [] : await stalePaths(join(dir, previous), files)
  if (previous !== undefined && stale.length === 0 && (await isWritten(join(dir, previous), files))) {
    await linkUserFiles(dir, files)
    return false
  }
  const folder = await mkdtemp(join(dir, `..${timestamp(options.nowMs)}.`))
  try {
    await chmod(folder, 0o755)
    for (const [path, file] of files) {
      const target = join(folder, path)
      await mkdir(dirname(target), { recursive: true, mode: 0o755 })
      await writeFile(target, file.data, { mode: file.mode })
      await chmod(target, file.mode)
      if (file.user !== undefined) await chown(target, file.user, -1)
    }
    await options.prepare?.()
    const fresh = join(dir, newDataLink)
    await rm(fresh, { force: true })
    await symlink(folder.slice(dir.length + 1), fresh)
    await linkUserFiles(dir, files)
    await rename(fresh, join(dir, dataLink))
  } catch (thrown) {
    await rm(folder, { recursive: true, force: true })
    throw thrown
  }
  await unlinkStale(dir, files)
  if (previous !== undefined) await rm(join(dir, previous), { recursive: true, force: true })
  return true
}

function cleanPayload(payload: Payload): Payload {
  const out: Payload = new Map()
  for (const [path, file] of payload) {
    if (path === "") throw new Error("invalid path: must not be empty")
    if (path.startsWith("/")) throw new Error(`invalid path: must be relative path: ${path}`)
    if (path.length > maxPathLength)
      throw new Error(`invalid path: must be less than or equal to ${maxPathLength} characters`)
    const parts = path.split("/").filter((part) => part !== "" && part !== ".")
    if (parts.includes("..")) throw new Error(`invalid path: must not contain '..': ${path}`)
    if (parts.some((part) => part.length > maxNameLength))
      throw new Error(`invalid path: filenames must be less than or equal to ${maxNameLength} characters`)
    if (path.startsWith("..")) throw new Error(`invalid path: must not start with '..': ${path}`)
    out.set(parts.join("/"), file)
  }
  return out
}

function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 19).replace(/[-T:]/g, "_")
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return basename(await readlink(path))
  } catch (thrown) {
    if (isMissing(thrown)) return undefined
    throw thrown
  }
}

async function isWritten(folder: string, files: Payload): Promise<boolean> {
  for (const [path, file] of files) {
    try {
      const target = join(folder, path)
      const found = await lstat(target)
      if (!found.isFile() || found.size !== file.data.length) return false
      if (Buffer.compare(await readFile(target), file.data) !== 0) return false
    } catch (thrown) {
      if (isMissing(thrown)) return false
      throw thrown
    }
  }
  return true
}

/** Files of the version on disk that the new one does not have. */
async function stalePaths(folder: string, files: Payload): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .filter((path) => !files.has(path))
  } catch (thrown) {
    if (isMissing(thrown)) return []
    throw thrown
  }
}

/** The first parts of all paths: what links stand for. */
function topNames(files: Payload): Set<string> {
  return new Set([...files.keys()].map((path) => path.split("/", 1)[0]!))
}

async function linkUserFiles(dir: string, files: Payload): Promise<void> {
  for (const name of topNames(files)) {
    try {
      await symlink(join(dataLink, name), join(dir, name))
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown
      await relink(join(dir, name), join(dataLink, name))
    }
  }
}

/** Whatever is at `path` gives way to a link to `target`, unless it is that already. */
async function relink(path: string, target: string): Promise<void> {
  const isLink = (await lstat(path)).isSymbolicLink()
  if (isLink && (await readlink(path)) === target) return
  await rm(path, { recursive: true, force: true })
  await symlink(target, path)
}

async function unlinkStale(dir: string, files: Payload): Promise<void> {
  const wanted = topNames(files)
  for (const name of await readdir(dir)) {
    if (name.startsWith("..") || wanted.has(name)) continue
    await rm(join(dir, name), { recursive: true, force: true })
  }
}

function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === "ENOENT"
}
