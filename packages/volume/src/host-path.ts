/**
 * The types of `hostPath` volumes.
 * Mirrors: pkg/volume/hostpath/host_path.go
 */
import type { Stats } from "node:fs"
import { mkdir, open, stat } from "node:fs/promises"

/** Checks the path, or makes it where the type says so. Rejects with upstream's text. */
export async function checkHostPathType(path: string, type: string): Promise<void> {
  const found = await statOf(path)
  switch (type) {
    case "":
      return
    case "DirectoryOrCreate":
      if (found) return require(found.isDirectory(), path, "a directory")
      await mkdir(path, { recursive: true, mode: 0o755 })
      return
    case "FileOrCreate":
      if (found) return require(found.isFile(), path, "a file")
      return (await open(path, "a", 0o644)).close()
    case "Directory":
      return require(found?.isDirectory(), path, "a directory")
    case "File":
      return require(found?.isFile(), path, "a file")
    case "Socket":
      return require(found?.isSocket(), path, "a socket file")
    case "CharDevice":
      return require(found?.isCharacterDevice(), path, "a character device")
    case "BlockDevice":
      return require(found?.isBlockDevice(), path, "a block device")
  }
  throw new Error(`${type} is an invalid volume type`)
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw thrown
  }
}

function require(holds: boolean | undefined, path: string, what: string): void {
  if (!holds) throw new Error(`hostPath type check failed: ${path} is not ${what}`)
}
