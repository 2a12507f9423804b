/**
 * Events wait in a queue, and go on in batches: no request waits. The queue is bounded in events and in bytes, those that
 * are under way counted; what does not fit is lost, and counted. Mirrors: apiserver plugin/pkg/audit/buffered/buffered.go
 */
import { TokenBucket, type Clock, type Scope } from "@knarr/base"
import type { AuditEvent } from "./event.ts"
import type { AuditMetrics, AuditSink } from "./sink.ts"

export interface BatchOptions {
  /** Events that wait at most. Default 10,000. */
  readonly bufferSize?: number | undefined
  /** Events that go together. */
  readonly maxBatchSize?: number | undefined
  /** How long an event waits for others, in milliseconds. */
  readonly maxWaitMs?: number | undefined
  readonly throttle?: boolean | undefined
  /** Batches per second, on average and at once. */
  readonly throttleQps?: number | undefined
  readonly throttleBurst?: number | undefined
}

/** {@link BatchOptions} with the backend's own defaults. */
export type BatchSettings = { readonly [K in keyof BatchOptions]-?: NonNullable<BatchOptions[K]> }

/** `options` where they say something, else `defaults`. */
export function batchSettings(options: BatchOptions, defaults: BatchSettings): BatchSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(given) }
}

/** Bytes of events that wait or are under way. */
const maxBytes = 64 * 1024 * 1024
/** What an event takes beside its documents, about. */
const eventBytes = 1024

export interface BufferedDeps {
  readonly clock: Clock
  readonly scope: Scope
  readonly metrics: AuditMetrics
  /** Where batches go. Never rejects; tells itself what it loses. */
  send(events: readonly AuditEvent[]): Promise<void>
  /** Whether a batch may go while another is under way. */
  readonly parallel: boolean
}

export class BufferedSink implements AuditSink {
  readonly #options: BatchSettings
  readonly #deps: BufferedDeps
  #waiting: AuditEvent[] = []
  #bytes = 0
  #timer: Disposable | undefined
  #sending = new Set<Promise<void>>()
  readonly #throttle: TokenBucket
  #closed = false

  constructor(options: BatchSettings, deps: BufferedDeps) {
    this.#options = options
    this.#deps = deps
    this.#throttle = new TokenBucket(deps.clock, options.throttleQps, options.throttleBurst)
    deps.scope.defer(() => this.#close())
  }

  take(event: AuditEvent): boolean {
    const weight = weightOf(event)
    const { bufferSize, maxBatchSize, maxWaitMs } = this.#options
    if (this.#closed) this.#deps.metrics.lost("buffered", new Error("audit backend shut down"), 1)
    else if (this.#waiting.length >= bufferSize || this.#bytes + weight > maxBytes)
      this.#deps.metrics.lost("buffered", new Error("audit buffer queue blocked"), 1)
    else {
      this.#waiting.push(event)
      this.#bytes += weight
      if (this.#waiting.length >= maxBatchSize) this.#flush()
      else this.#timer ??= this.#deps.clock.timer(maxWaitMs, () => this.#flush())
    }
    return true
  }

  #flush(): void {
    this.#stopTimer()
    const { maxBatchSize, throttle } = this.#options
    while (this.#waiting.length > 0) {
      if (!this.#deps.parallel && this.#sending.size > 0) return
      const waitMs = throttle && !this.#closed ? this.#throttle.take() : 0
      if (waitMs > 0) {
        this.#timer = this.#deps.clock.timer(waitMs, () => this.#flush())
        return
      }
      const batch = this.#waiting.splice(0, maxBatchSize)
      const sent = this.#deps.send(batch).then(() => {
        this.#sending.delete(sent)
        for (const event of batch) this.#bytes -= weightOf(event)
        if (this.#waiting.length >= maxBatchSize || this.#closed) this.#flush()
        else if (this.#waiting.length > 0)
          this.#timer ??= this.#deps.clock.timer(this.#options.maxWaitMs, () => this.#flush())
      })
      this.#sending.add(sent)
      if (this.#waiting.length > 0 && this.#waiting.length < maxBatchSize && !this.#closed) {
        this.#timer ??= this.#deps.clock.timer(this.#options.maxWaitMs, () => this.#flush())
        return
      }
    }
  }

  #stopTimer(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  /** Everything that waits goes, unthrottled. */
  async #close(): Promise<void> {
    this.#closed = true
    this.#flush()
    while (this.#sending.size > 0) await Promise.all(this.#sending)
  }
}

function weightOf({ requestObject, responseObject }: AuditEvent): number {
  return eventBytes + (requestObject?.length ?? 0) + (responseObject?.length ?? 0)
}
