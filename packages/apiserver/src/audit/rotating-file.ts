/**
 * A file of lines that is put aside when it is full: `audit.log` becomes `audit-2026-01-02T15-04-05.000.log`, and
 * `….log.gz` when old ones are compressed. Mirrors: gopkg.in/natefinch/lumberjack.v2
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs"
import { readdir, rename, rm } from "node:fs/promises"
import { basename, dirname, extname, join } from "node:path"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { asError, type Env, type Scope } from "@knarr/base"

export interface RotationOptions {
  /** Days that old files are kept; 0 for ever. Default 366. */
  readonly maxAgeDays?: number | undefined
  /** Old files that are kept; 0 for all. Default 100. */
  readonly maxBackups?: number | undefined
  /** 0: the file is never put aside. Default 100. */
  readonly maxSizeMegabytes?: number | undefined
  readonly compress?: boolean | undefined
}

const megabyte = 1024 * 1024
const dayMs = 24 * 60 * 60 * 1000
const compressed = ".gz"
/** Behind the name of what a crash or a stop left half compressed. */
const unfinished = ".tmp"

export class RotatingFile {
  readonly #path: string
  readonly #options: RotationOptions
  readonly #env: Pick<Env, "clock" | "log">
  readonly #scope: Scope
  readonly #maxBytes: number
  #fd: number
  #size: number
  #tidying: Promise<void> | undefined
  #untidy = false

  /** Opens the file, or makes it. Throws when that cannot be. */
  constructor(path: string, options: RotationOptions, env: Pick<Env, "clock" | "log">, scope: Scope) {
    this.#path = path
    this.#options = options
    this.#env = env
    this.#scope = scope
    const { maxSizeMegabytes = 100 } = options
    this.#maxBytes = maxSizeMegabytes === 0 ? Infinity : maxSizeMegabytes * megabyte
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#fd = openSync(path, "a", 0o600)
    this.#size = fstatSync(this.#fd).size
    scope.defer(async () => {
      await this.#tidying
      closeSync(this.#fd)
    })
    this.#tidy()
  }

  /** Writes lines at once, to the kernel. Throws when they cannot be written. */
  write(text: string): void {
    const bytes = Buffer.from(text)
    if (bytes.length > this.#maxBytes)
      throw new Error(`write length ${bytes.length} exceeds maximum file size ${this.#maxBytes}`)
    if (this.#size + bytes.length > this.#maxBytes) this.#rotate()
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at)
    this.#size += bytes.length
  }

  #rotate(): void {
    const { mode } = statSync(this.#path, { throwIfNoEntry: false }) ?? { mode: 0o600 }
    const { prefix, extension } = this.#parts()
    const at = new Date(this.#env.clock.now()).toISOString().slice(0, -1).replaceAll(":", "-")
    renameSync(this.#path, join(dirname(this.#path), `${prefix}${at}${extension}`))
    const next = openSync(this.#path, "ax", mode & 0o777)
    closeSync(this.#fd)
    this.#fd = next
    this.#size = 0
    this.#tidy()
  }

  #parts(): { prefix: string; extension: string } {
    const extension = extname(this.#path)
    return { prefix: `${basename(this.#path, extension)}-`, extension }
  }

  /** Removes and compresses old files, beside everything else; one time after the other. */
  #tidy(): void {
    this.#untidy = true
    this.#tidying ??= this.#keepTidy().finally(() => (this.#tidying = undefined))
  }

  async #keepTidy(): Promise<void> {
    while (this.#untidy && !this.#scope.signal.aborted) {
      this.#untidy = false
      try {
        await this.#tidyOnce()
      } catch (thrown) {
        this.#env.log.error("Old audit logs cannot be put in order", asError(thrown), { path: this.#path })
      }
    }
  }

  async #tidyOnce(): Promise<void> {
    const { maxAgeDays = 366, maxBackups = 100, compress = false } = this.#options
    const dir = dirname(this.#path)
    const oldest = maxAgeDays === 0 ? -Infinity : this.#env.clock.now() - maxAgeDays * dayMs
    const names = await readdir(dir)
    for (const name of names)
      if (name.endsWith(unfinished) && this.#timeOf(name.slice(0, -unfinished.length)) !== undefined)
        await rm(join(dir, name), { force: true })
    const old = names.flatMap((name) => {
      const at = this.#timeOf(name)
      return at === undefined ? [] : [{ name, at }]
    })
    old.sort((a, b) => b.at - a.at)
    for (const [i, { name, at }] of old.entries()) {
      const file = join(dir, name)
      if (at < oldest || (maxBackups > 0 && i >= maxBackups)) await rm(file, { force: true })
      else if (compress && !name.endsWith(compressed)) await compressFile(file, this.#scope.signal)
    }
  }

  /** When a file was put aside; undefined when it is none of these. */
  #timeOf(name: string): number | undefined {
    const { prefix, extension } = this.#parts()
    const plain = name.endsWith(compressed) ? name.slice(0, -compressed.length) : name
    if (!plain.startsWith(prefix) || !plain.endsWith(extension)) return undefined
    const text = plain.slice(prefix.length, plain.length - extension.length)
    const match = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(text)
    const at = match ? Date.parse(`${match[1]}T${match[2]}:${match[3]}:${match[4]}Z`) : NaN
    return Number.isNaN(at) ? undefined : at
  }
}

/** A crash leaves the file, or its compressed form, whole. */
async function compressFile(file: string, signal: AbortSignal): Promise<void> {
  const half = `${file}${compressed}${unfinished}`
  const { mode } = statSync(file)
  const out = createWriteStream(half, { mode: mode & 0o777 })
  await pipeline(createReadStream(file), createGzip(), out, { signal })
  await rename(half, `${file}${compressed}`)
  await rm(file)
}
