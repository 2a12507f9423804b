/**
 * Where `knarr snapshot save` writes: a file that is new, or a regular one in whose place the new one comes. Anything else
 * (a device, a pipe) would be gone for whoever uses it.
 */
import { lstatSync, readlinkSync, statSync, type Stats } from "node:fs"
import { dirname, resolve } from "node:path"
import { UsageError, whyNot } from "./cluster-home.ts"

/** As many as the kernel follows. */
const mostLinks = 40

/** The path to which a snapshot for `file` is written: behind links their target's. Throws a UsageError for what is no place for one. */
export function snapshotTarget(file: string): string {
  let target = resolve(file)
  for (let links = 0; ; links++) {
    const found = lookAt(() => lstatSync(target, { throwIfNoEntry: false }), file)
    if (found === undefined) break
    if (!found.isSymbolicLink()) {
      if (!found.isFile()) throw refusal(file, `it is ${kindOf(found)}, not a regular file`)
      return target
    }
    if (links === mostLinks) throw refusal(file, "its links lead nowhere")
    target = resolve(dirname(target), readlinkSync(target))
  }
  if (lookAt(() => statSync(dirname(target), { throwIfNoEntry: false }), file)?.isDirectory()) return target
  throw refusal(file, `there is no folder "${dirname(target)}"`)
}

/** Runs `save`; what the disk of `file` refuses is said in words. */
export async function savingTo<T>(file: string, save: () => Promise<T>): Promise<T> {
  try {
    return await save()
  } catch (thrown) {
    throw new Error(`Cannot save a snapshot to "${file}": ${whyNot(thrown)}`, { cause: thrown })
  }
}

function lookAt(look: () => Stats | undefined, file: string): Stats | undefined {
  try {
    return look()
  } catch (thrown) {
    throw refusal(file, whyNot(thrown))
  }
}

function refusal(file: string, why: string): UsageError {
  return new UsageError(`Cannot save a snapshot to "${file}": ${why}`)
}

function kindOf(found: Stats): string {
  if (found.isDirectory()) return "a folder"
  if (found.isFIFO()) return "a named pipe"
  return found.isSocket() ? "a socket" : "a device"
}
