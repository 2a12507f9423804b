/**
 * Gives a volume's files to the pod's group.
 * Mirrors: pkg/volume/volume_linux.go
 */
import { chmod, lchown, lstat, readdir } from "node:fs/promises"
import { join } from "node:path"
import type { Ownership } from "./volume-host.ts"

const writable = 0o660
const readable = 0o440
const searchable = 0o110
const setgid = 0o2000

/** Changes owner group and mode of everything in `dir`; nothing when there is no group. */
export async function applyOwnership(dir: string, ownership: Ownership): Promise<void> {
  const { fsGroup, readOnly, onRootMismatch } = ownership
  if (fsGroup === undefined) return
  if (onRootMismatch && (await isRootRight(dir, fsGroup, readOnly))) return
  await change(dir, fsGroup, readOnly)
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  for (const entry of entries) await change(join(entry.parentPath, entry.name), fsGroup, readOnly)
}

async function isRootRight(dir: string, fsGroup: number, readOnly: boolean): Promise<boolean> {
  const found = await lstat(dir)
  if (found.gid !== fsGroup) return false
  const wanted = (readOnly ? readable : writable) | searchable | setgid
  return (found.mode & wanted) === wanted
}

async function change(path: string, fsGroup: number, readOnly: boolean): Promise<void> {
  const found = await lstat(path)
  await lchown(path, found.uid, fsGroup)
  if (found.isSymbolicLink()) return
  let mask = readOnly ? readable : writable
  if (found.isDirectory()) mask |= setgid | searchable
  await chmod(path, (found.mode & 0o7777) | mask)
}
