/**
 * Content by digest, and the names that point to it, as files:
 *
 *     blobs/sha256/<hex>                  layers, configurations and manifests, each kept once
 *     repositories/<name>/<tag>           the digest and media type that a tag names
 *     repositories/<name>/@<hex>          the media type of a manifest of that repository
 *     uploads/                            what is being received; emptied at start
 *
 * At start, content that no manifest names is removed.
 */
import { createHash } from "node:crypto"
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { Transform, type Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { parseJson } from "@knarr/base"

export interface ManifestRecord {
  readonly digest: string
  readonly mediaType: string
}

/** The content did not have the digest it was said to have. */
export class DigestError extends Error {
  constructor(expected: string, actual: string) {
    super(`Cannot store the blob: it was announced as ${expected} and is ${actual}`)
    this.name = "DigestError"
  }
}

/** More was sent than a blob may have. */
export class TooLargeError extends Error {
  constructor(maxBytes: number) {
    super(`the content is larger than ${maxBytes} bytes`)
    this.name = "TooLargeError"
  }
}

const digestForm = /^sha256:[0-9a-f]{64}$/
const nameForm = /^[a-z0-9]+(?:[._:-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+|:)[a-z0-9]+)*)*$/
const tagForm = /^\w[\w.-]{0,127}$/

export function isDigest(text: string): boolean {
  return digestForm.test(text)
}

export function isRepositoryName(text: string): boolean {
  return text.length <= 512 && nameForm.test(text)
}

export function isTag(text: string): boolean {
  return tagForm.test(text)
}

export class BlobStore {
  readonly #dir: string
  #uploads = 0

  constructor(dir: string) {
    this.#dir = dir
    rmSync(join(dir, "uploads"), { recursive: true, force: true })
    for (const part of ["blobs/sha256", "repositories", "uploads"])
      mkdirSync(join(dir, part), { recursive: true, mode: 0o700 })
    this.#removeUnnamed()
  }

  has(digest: string): boolean {
    return isDigest(digest) && existsSync(this.#blob(digest))
  }

  size(digest: string): number {
    return statSync(this.#blob(digest)).size
  }

  read(digest: string, range?: { start: number; end: number }): Readable {
    return createReadStream(this.#blob(digest), range)
  }

  /** Receives a blob. Throws a {@link DigestError} when it is another one, a {@link TooLargeError}, and keeps nothing then. */
  async write(content: Readable, expected: string, maxBytes: number, signal: AbortSignal): Promise<string> {
    const upload = this.newUpload()
    try {
      await this.append(upload, content, maxBytes, signal)
      return await this.finish(upload, expected)
    } catch (thrown) {
      this.removeUpload(upload)
      throw thrown
    }
  }

  /** The path of a new, empty upload. */
  newUpload(): string {
    const file = join(this.#dir, "uploads", String(this.#uploads++))
    writeFileSync(file, "", { mode: 0o600 })
    return file
  }

  uploadSize(upload: string): number {
    return statSync(upload).size
  }

  removeUpload(upload: string): void {
    rmSync(upload, { force: true })
  }

  /** Adds to an upload, all or nothing. Throws a {@link TooLargeError} when it would have more than `maxBytes`. */
  async append(upload: string, content: Readable, maxBytes: number, signal: AbortSignal): Promise<void> {
    const before = this.uploadSize(upload)
    let size = before
    const bounded = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length
        if (size > maxBytes) done(new TooLargeError(maxBytes))
        else done(null, chunk)
      },
    })
    try {
      await pipeline(content, bounded, createWriteStream(upload, { flags: "a" }), { signal })
    } catch (thrown) {
      if (existsSync(upload)) truncateSync(upload, before)
      throw thrown
    }
  }

  /** Makes an upload a blob; it is removed when it is another one than expected. */
  async finish(upload: string, expected: string): Promise<string> {
    try {
      const hash = createHash("sha256")
      for await (const chunk of createReadStream(upload, { highWaterMark: 1 << 20 }))
        hash.update(chunk as Buffer)
      const digest = `sha256:${hash.digest("hex")}`
      if (expected !== digest) throw new DigestError(expected, digest)
      renameSync(upload, this.#blob(digest))
      return digest
    } finally {
      this.removeUpload(upload)
    }
  }

  putManifest(repository: string, reference: string, mediaType: string, content: Buffer): string {
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`
    if (isDigest(reference) && reference !== digest) throw new DigestError(reference, digest)
    writeFileSync(this.#blob(digest), content, { mode: 0o600 })
    const dir = this.#repository(repository)
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const record = JSON.stringify({ digest, mediaType } satisfies ManifestRecord)
    for (const name of [`@${digest.slice(7)}`, ...(isDigest(reference) ? [] : [reference])]) {
      writeFileSync(join(dir, `.${name}.tmp`), record, { mode: 0o600 })
      renameSync(join(dir, `.${name}.tmp`), join(dir, name))
    }
    return digest
  }

  manifest(repository: string, reference: string): ManifestRecord | undefined {
    const file = join(
      this.#repository(repository),
      isDigest(reference) ? `@${reference.slice(7)}` : reference,
    )
    if (!existsSync(file)) return undefined
    const record = JSON.parse(readFileSync(file, "utf8")) as ManifestRecord
    return this.has(record.digest) ? record : undefined
  }

  deleteManifest(repository: string, reference: string): boolean {
    if (!this.manifest(repository, reference)) return false
    const dir = this.#repository(repository)
    for (const name of readdirSync(dir)) {
      const record = JSON.parse(readFileSync(join(dir, name), "utf8")) as ManifestRecord
      if (record.digest === reference || name === reference) rmSync(join(dir, name))
    }
    return true
  }

  tags(repository: string): string[] | undefined {
    const dir = this.#repository(repository)
    if (!existsSync(dir)) return undefined
    return readdirSync(dir).filter(isTag).sort()
  }

  repositories(): string[] {
    return readdirSync(join(this.#dir, "repositories")).map(decodeURIComponent).sort()
  }

  /**
   * An interrupted load leaves blobs without a manifest, a deleted manifest leaves its own. While a record cannot be
   * read, nobody knows what it names, and everything stays.
   */
  #removeUnnamed(): void {
    let named: Set<string>
    try {
      named = this.#named()
    } catch {
      return
    }
    const blobs = join(this.#dir, "blobs/sha256")
    for (const hex of readdirSync(blobs)) if (!named.has(`sha256:${hex}`)) rmSync(join(blobs, hex))
  }

  #named(): Set<string> {
    const named = new Set<string>()
    const visit = (digest: string): void => {
      if (!this.has(digest) || named.has(digest)) return
      named.add(digest)
      for (const part of partsOf(readFileSync(this.#blob(digest)))) {
        if (part.isManifest) visit(part.digest)
        else named.add(part.digest)
      }
    }
    for (const repository of readdirSync(join(this.#dir, "repositories"))) {
      const dir = join(this.#dir, "repositories", repository)
      for (const name of readdirSync(dir)) {
        if (name.endsWith(".tmp")) rmSync(join(dir, name))
        else visit((JSON.parse(readFileSync(join(dir, name), "utf8")) as ManifestRecord).digest)
      }
    }
    return named
  }

  #blob(digest: string): string {
    return join(this.#dir, "blobs/sha256", digest.slice("sha256:".length))
  }

  #repository(name: string): string {
    return join(this.#dir, "repositories", encodeURIComponent(name))
  }
}

interface Manifest {
  readonly mediaType?: unknown
  readonly config?: { readonly digest?: unknown } | null
  readonly layers?: readonly { readonly digest?: unknown }[] | null
  readonly manifests?: readonly { readonly digest?: unknown }[] | null
}

/** The content of a manifest as JSON. Throws when it is none. */
export function parseManifest(content: Buffer): Manifest {
  const value: unknown = parseJson(content.toString("utf8"))
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("it is no JSON object")
  return value as Manifest
}

/** What a manifest names: its configuration and layers, and the manifests of an index. Throws when it is none. */
export function partsOf(content: Buffer): { readonly digest: string; readonly isManifest: boolean }[] {
  const { config, layers, manifests } = parseManifest(content)
  const digests = (
    parts: readonly ({ readonly digest?: unknown } | null | undefined)[],
    isManifest: boolean,
  ) => parts.flatMap((part) => (part ? [{ digest: String(part.digest), isManifest }] : []))
  return [...digests([config, ...(layers ?? [])], false), ...digests(manifests ?? [], true)]
}
