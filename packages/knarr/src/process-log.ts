/**
 * The log of a process that is its standard error. When that is a file it is kept short: beyond a bound its text
 * moves to `FILE.1` and what was there to `FILE.2`.
 */
import {
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeSync,
} from "node:fs"

/** Three files of it are kept. */
const maxLogBytes = 10 * 1024 ** 2

/** Writes lines to the descriptor, a whole one each. Never throws: a full disk must not end what is logged about. */
export function openProcessLog(fd: number, maxBytes: number = maxLogBytes): (line: string) => void {
  const path = rotatablePath(fd)
  let size = path === undefined ? 0 : fstatSync(fd).size
  return (line) => {
    try {
      if (path !== undefined && size + line.length > maxBytes) {
        // Others write to the file too: the system knows how long it is.
        if (fstatSync(fd).size + line.length > maxBytes) rotate(fd, path)
        size = fstatSync(fd).size
      }
      size += writeSync(fd, line)
    } catch {
      // Nowhere to say it.
    }
  }
}

/** The file behind a descriptor that appends to one; undefined for pipes, terminals and all else. */
function rotatablePath(fd: number): string | undefined {
  if (!fstatSync(fd).isFile()) return undefined
  const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0"
  if ((Number.parseInt(flags, 8) & constants.O_APPEND) === 0) return undefined
  return readlinkSync(`/proc/self/fd/${fd}`)
}

/** The file stays the same one, so that everybody who has it open goes on in it. */
function rotate(fd: number, path: string): void {
  try {
    if (existsSync(`${path}.1`)) renameSync(`${path}.1`, `${path}.2`)
    copyFileSync(path, `${path}.1`)
  } finally {
    // Also when there is no room for a copy.
    ftruncateSync(fd, 0)
  }
}
