/**
 * Uploads in pieces that are not finished yet: so many at a time, one writer each, and those that nobody goes on with
 * are removed.
 */
import type { Readable } from "node:stream"
import type { Clock } from "@knarr/base"
import { TooLargeError, type BlobStore } from "./blob-store.ts"

export interface UploadLimits {
  /** At a time. */
  readonly count: number
  /** Bytes of one blob. */
  readonly bytes: number
  /** Milliseconds that an upload may rest. */
  readonly idleMs: number
}

interface Upload {
  readonly file: string
  busy: boolean
  timer: Disposable | undefined
}

/** Another request writes to the upload. */
export class BusyError extends Error {}

export class Uploads implements Disposable {
  readonly #blobs: BlobStore
  readonly #clock: Clock
  readonly #limits: UploadLimits
  readonly #open = new Map<string, Upload>()
  #names = 0
  #single = 0

  constructor(blobs: BlobStore, clock: Clock, limits: UploadLimits) {
    this.#blobs = blobs
    this.#clock = clock
    this.#limits = limits
  }

  get size(): number {
    return this.#open.size + this.#single
  }

  get isFull(): boolean {
    return this.size >= this.#limits.count
  }

  has(name: string): boolean {
    return this.#open.has(name)
  }

  /** The name of a new upload. */
  begin(): string {
    const name = String(this.#names++)
    const upload: Upload = { file: this.#blobs.newUpload(), busy: false, timer: undefined }
    this.#open.set(name, upload)
    this.#rest(name, upload)
    return name
  }

  /** A blob in one piece; `size` is what its sender says. Throws as {@link BlobStore.write}. */
  async whole(content: Readable, size: number, digest: string, signal: AbortSignal): Promise<string> {
    if (size > this.#limits.bytes) throw new TooLargeError(this.#limits.bytes)
    this.#single++
    try {
      return await this.#blobs.write(content, digest, this.#limits.bytes, signal)
    } finally {
      this.#single--
    }
  }

  /** Appends to an upload; what a broken request brought is forgotten. Throws a {@link BusyError}. */
  async append(name: string, content: Readable, size: number, signal: AbortSignal): Promise<void> {
    const { bytes } = this.#limits
    await this.#work(name, async (file) => {
      // Said before anything is read, so that the sender hears it.
      if (this.#blobs.uploadSize(file) + size > bytes) throw new TooLargeError(bytes)
      await this.#blobs.append(file, content, bytes, signal)
    })
  }

  /** Ends an upload with what is left of it, and returns the digest. */
  async finish(
    name: string,
    content: Readable,
    size: number,
    digest: string,
    signal: AbortSignal,
  ): Promise<string> {
    await this.append(name, content, size, signal)
    return this.#work(name, async (file) => {
      this.#forget(name)
      return this.#blobs.finish(file, digest)
    })
  }

  remove(name: string): void {
    const upload = this.#forget(name)
    if (upload) this.#blobs.removeUpload(upload.file)
  }

  [Symbol.dispose](): void {
    for (const name of [...this.#open.keys()]) this.remove(name)
  }

  async #work<T>(name: string, fn: (file: string) => Promise<T>): Promise<T> {
    const upload = this.#open.get(name)!
    if (upload.busy) throw new BusyError("another request writes to the upload")
    upload.busy = true
    upload.timer?.[Symbol.dispose]()
    try {
      return await fn(upload.file)
    } finally {
      upload.busy = false
      if (this.#open.has(name)) this.#rest(name, upload)
    }
  }

  #rest(name: string, upload: Upload): void {
    upload.timer = this.#clock.timer(this.#limits.idleMs, () => this.remove(name))
  }

  #forget(name: string): Upload | undefined {
    const upload = this.#open.get(name)
    this.#open.delete(name)
    upload?.timer?.[Symbol.dispose]()
    return upload
  }
}
