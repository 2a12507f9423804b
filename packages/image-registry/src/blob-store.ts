/**
 * Content by digest, and the names that point to it, as files:
 *
 *     blobs/sha256/<hex>                  layers, configurations and manifests, each kept once
 *     repositories/<name>/<tag>           the digest and media type that a tag names
 *     repositories/<name>/@<hex>          the media type of a manifest of that repository
 *     uploads/                            what is being received; emptied at start
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
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

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

  /** Receives a blob; with `expected` a {@link DigestError} is thrown when it is another one, and nothing is kept. */
  async write(content: Readable, expected: string | undefined, signal: AbortSignal): Promise<string> {
    const upload = this.newUpload()
    try {
      await this.append(upload, content, signal)
      return await this.finish(upload, expected)
    } catch (thrown) {
      rmSync(upload, { force: true })
      throw thrown
    }
  }

  /** The path of a new, empty upload. */
  newUpload(): string {
    const file = join(this.#dir, "uploads", String(this.#uploads++))
    writeFileSync(file, "", { mode: 0o600 })
    return file
  }

  async append(upload: string, content: Readable, signal: AbortSignal): Promise<void> {
    await pipeline(content, createWriteStream(upload, { flags: "a" }), { signal })
  }

  async finish(upload: string, expected: string | undefined): Promise<string> {
    const hash = createHash("sha256")
    for await (const chunk of createReadStream(upload, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer)
    const digest = `sha256:${hash.digest("hex")}`
    if (expected !== undefined && expected !== digest) {
      rmSync(upload, { force: true })
      throw new DigestError(expected, digest)
    }
    renameSync(upload, this.#blob(digest))
    return digest
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

  #blob(digest: string): string {
    return join(this.#dir, "blobs/sha256", digest.slice("sha256:".length))
  }

  #repository(name: string): string {
    return join(this.#dir, "repositories", encodeURIComponent(name))
  }
}
