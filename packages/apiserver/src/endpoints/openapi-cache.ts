/** Documents as bytes, compressed: nearly every client takes them so, and the whole set is some 6 MB otherwise. */
import { createHash } from "node:crypto"
import { promisify } from "node:util"
import { gzip } from "node:zlib"

export interface CachedDocument {
  /** Gzip. */
  readonly packed: Buffer
  /** Of the bytes that were packed. */
  readonly hash: string
}

const compress = promisify(gzip)
/** All documents of the built-in kinds take 1 MB; those of many custom kinds are made again when asked for. */
const maxBytes = 4 * 1024 * 1024

export class DocumentCache {
  /** The one that was used last is last. */
  readonly #documents = new Map<string, CachedDocument>()
  readonly #making = new Map<string, Promise<CachedDocument>>()
  readonly #hashes = new Map<string, string>()
  #bytes = 0

  /** The document of a key, made when it is not here. */
  async get(key: string, make: () => Buffer): Promise<CachedDocument> {
    const document = this.#documents.get(key)
    if (document) {
      this.#documents.delete(key)
      this.#documents.set(key, document)
      return document
    }
    const others = this.#making.get(key)
    if (others) return others
    const making = this.#make(key, make)
    this.#making.set(key, making)
    try {
      return await making
    } finally {
      this.#making.delete(key)
    }
  }

  /** The hash of a key's document, which is made when it never was. */
  async hash(key: string, make: () => Buffer): Promise<string> {
    return this.#hashes.get(key) ?? (await this.get(key, make)).hash
  }

  async #make(key: string, make: () => Buffer): Promise<CachedDocument> {
    const bytes = make()
    const hash = createHash("sha512").update(bytes).digest("hex").toUpperCase()
    const document = { packed: await compress(bytes, { level: 4 }), hash }
    this.#hashes.set(key, hash)
    this.#documents.set(key, document)
    this.#bytes += document.packed.length
    for (const [oldest, { packed }] of this.#documents) {
      if (this.#bytes <= maxBytes || oldest === key) break
      this.#documents.delete(oldest)
      this.#bytes -= packed.length
    }
    return document
  }
}
