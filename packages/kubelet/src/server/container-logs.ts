/**
 * Reads a container's log file in the CRI's format (`time stream P|F text`): the tail, since, follow.
 * Mirrors: staging/src/k8s.io/cri-client/pkg/logs/logs.go
 */
import { watch } from "node:fs"
import { open, stat, type FileHandle } from "node:fs/promises"
import { dirname } from "node:path"
import { abortable, deferred } from "@knarr/base"

export interface ContainerLogOptions {
  /** Goes on until the container ends; default false. */
  readonly follow?: boolean
  /** Only the last so many lines of the file; default all. */
  readonly tailLines?: number | undefined
  /** Only lines since this time, in milliseconds since the Unix epoch. */
  readonly sinceMs?: number | undefined
  /** Puts its time before each line; default false. */
  readonly timestamps?: boolean
  /** Ends after so many bytes of output. */
  readonly limitBytes?: number | undefined
  /** Only one of the container's streams; default both. */
  readonly stream?: "stdout" | "stderr" | undefined
}

export interface ContainerLogSource {
  /** The current file. A rotated log continues in a new file of the same name. */
  readonly path: string
  /** Aborted once the container has ended: what is written by then is still read. */
  readonly ended: AbortSignal
}

const chunkBytes = 64 * 1024
const newline = 10
const space = 32

/** The log as a client sees it, in pieces. Throws when the file is not there. */
export async function* readContainerLog(
  source: ContainerLogSource,
  options: ContainerLogOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  const formatter = new LineFormatter(options)
  using changes = options.follow ? new FolderChanges(dirname(source.path)) : undefined
  let file = await open(source.path)
  /** The file after a rotation; what was still written to the old one comes first. */
  let newer: FileHandle | undefined
  try {
    let at = options.tailLines === undefined ? 0 : await findTail(file, options.tailLines)
    let rest: Buffer = Buffer.alloc(0)
    let left = options.limitBytes ?? Infinity
    let last = !options.follow
    const buffer = Buffer.allocUnsafe(chunkBytes)
    for (;;) {
      signal.throwIfAborted()
      const changed = changes?.next()
      if (source.ended.aborted) last = true
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, at)
      if (bytesRead > 0) {
        at += bytesRead
        const chunk = Buffer.concat([rest, buffer.subarray(0, bytesRead)])
        const end = chunk.lastIndexOf(newline) + 1
        rest = chunk.subarray(end)
        const out = formatter.format(chunk.subarray(0, end))
        if (out.length > 0) yield out.subarray(0, left)
        left -= out.length
        if (left <= 0) return
        continue
      }
      if (newer) {
        await file.close()
        file = newer
        newer = undefined
        at = 0
        continue
      }
      newer = options.follow ? await reopened(file, source.path) : undefined
      if (newer) continue
      if (last) {
        const out = formatter.format(rest)
        if (out.length > 0) yield out.subarray(0, left)
        return
      }
      await untilChanged(changed!, source.ended, signal)
    }
  } finally {
    await file.close()
    await newer?.close()
  }
}

/** Turns whole lines of the file into what a client reads. */
class LineFormatter {
  readonly #options: ContainerLogOptions
  /** A line that was too long for the runtime comes in parts, of which only the first has its time shown. */
  #inLine = false

  constructor(options: ContainerLogOptions) {
    this.#options = options
  }

  format(lines: Buffer): Buffer {
    const { sinceMs, timestamps, stream } = this.#options
    const parts: Buffer[] = []
    for (let start = 0; start < lines.length;) {
      let end = lines.indexOf(newline, start)
      if (end < 0) end = lines.length
      const timeEnd = lines.indexOf(space, start)
      const streamEnd = timeEnd < 0 ? -1 : lines.indexOf(space, timeEnd + 1)
      const tagEnd = streamEnd < 0 ? -1 : lines.indexOf(space, streamEnd + 1)
      const from = start
      start = end + 1
      // A line that is not of this format is left out, as upstream does.
      if (tagEnd < 0 || tagEnd > end) continue
      if (stream && lines.toString("latin1", timeEnd + 1, streamEnd) !== stream) continue
      if (sinceMs !== undefined && Date.parse(lines.toString("latin1", from, timeEnd)) < sinceMs) continue
      const partial = lines[streamEnd + 1] === 0x50
      if (timestamps && !this.#inLine) parts.push(lines.subarray(from, timeEnd + 1))
      parts.push(lines.subarray(tagEnd + 1, partial ? end : end + 1))
      if (!partial && end === lines.length) parts.push(Buffer.from("\n"))
      this.#inLine = partial
    }
    return Buffer.concat(parts)
  }
}

/** Where the last `lines` lines of the file begin. */
async function findTail(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  if (lines === 0) return size
  const buffer = Buffer.allocUnsafe(chunkBytes)
  let missing = lines
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - chunkBytes)
    const { bytesRead } = await file.read(buffer, 0, end - start, start)
    for (let i = bytesRead - 1; i >= 0; i--) {
      // The newline that ends the file begins no line.
      if (buffer[i] === newline && start + i !== size - 1 && --missing === 0) return start + i + 1
    }
    end = start
  }
  return 0
}

/** The file that took the place of `file` at `path`, if one did. */
async function reopened(file: FileHandle, path: string): Promise<FileHandle | undefined> {
  const [before, now] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
  if (!now || (now.ino === before.ino && now.dev === before.dev)) return undefined
  return open(path).catch(() => undefined)
}

async function untilChanged(changed: Promise<void>, ended: AbortSignal, signal: AbortSignal): Promise<void> {
  const gone = deferred()
  const onEnd = (): void => gone.resolve()
  if (ended.aborted) return
  ended.addEventListener("abort", onEnd, { once: true })
  try {
    await abortable(Promise.race([changed, gone.promise]), signal)
  } finally {
    ended.removeEventListener("abort", onEnd)
  }
}

/** Changes in a folder, without polling. */
class FolderChanges implements Disposable {
  readonly #watcher: ReturnType<typeof watch>
  #changed = deferred()

  constructor(dir: string) {
    const wake = (): void => {
      this.#changed.resolve()
      this.#changed = deferred()
    }
    this.#watcher = watch(dir, { persistent: false }, wake).on("error", wake)
  }

  /** Resolves at the first change after this call. */
  next(): Promise<void> {
    return this.#changed.promise
  }

  [Symbol.dispose](): void {
    this.#watcher.close()
  }
}
