/** What is counted about a queue. Mirrors: client-go util/workqueue/metrics.go, component-base metrics/prometheus/workqueue (names) */
import type { Clock, Meter } from "@knarr/base"

/** 10 ns to 10 s, in steps of ten, each made of the one before. */
const buckets = [1e-8]
while (buckets.length < 10) buckets.push(buckets.at(-1)! * 10)

const family = (name: string, help: string) =>
  ({ name: `workqueue_${name}`, help, labels: ["name"], stability: "BETA" }) as const

/** Observes one queue. The queue tells each turn of a key; the number of keys that wait is asked for. */
export class WorkQueueMetrics implements Disposable {
  readonly #clock: Clock
  readonly #name: string
  readonly #adds
  readonly #retries
  readonly #waited
  readonly #worked
  readonly #collected: readonly Disposable[]
  /** When each key that waits came, and when each that is worked on was handed out; monotonic ms. */
  readonly #addedAt = new Map<string, number>()
  readonly #takenAt = new Map<string, number>()

  constructor(clock: Clock, meter: Meter, name: string, depth: () => number) {
    this.#clock = clock
    this.#name = name
    this.#adds = meter.counter(family("adds_total", "Total number of adds handled by workqueue"))
    this.#retries = meter.counter(family("retries_total", "Total number of retries handled by workqueue"))
    this.#adds.add(0, name)
    this.#retries.add(0, name)
    this.#waited = meter.histogram({
      ...family(
        "queue_duration_seconds",
        "How long in seconds an item stays in workqueue before being requested.",
      ),
      buckets,
    })
    this.#worked = meter.histogram({
      ...family("work_duration_seconds", "How long in seconds processing an item from workqueue takes."),
      buckets,
    })
    const seconds = (): number[] =>
      Array.from(this.#takenAt.values(), (at) => (this.#clock.monotonic() - at) / 1000)
    const gauge = (suffix: string, help: string, read: () => number): Disposable =>
      meter.collect("gauge", family(suffix, help), () => [[[name], read()]])
    this.#collected = [
      gauge("depth", "Current depth of workqueue", depth),
      gauge(
        "unfinished_work_seconds",
        "How many seconds of work has done that is in progress and hasn't been observed by work_duration. Large values indicate stuck threads. One can deduce the number of stuck threads by observing the rate at which this increases.",
        () => seconds().reduce((sum, s) => sum + s, 0),
      ),
      gauge(
        "longest_running_processor_seconds",
        "How many seconds has the longest running processor for workqueue been running.",
        () => Math.max(0, ...seconds()),
      ),
    ]
  }

  added(key: string): void {
    this.#adds.add(1, this.#name)
    if (!this.#addedAt.has(key)) this.#addedAt.set(key, this.#clock.monotonic())
  }

  /** It comes again later. */
  retried(): void {
    this.#retries.add(1, this.#name)
  }

  taken(key: string): void {
    const now = this.#clock.monotonic()
    this.#waited.observe((now - (this.#addedAt.get(key) ?? now)) / 1000, this.#name)
    this.#addedAt.delete(key)
    this.#takenAt.set(key, now)
  }

  done(key: string): void {
    const at = this.#takenAt.get(key)
    if (at === undefined) return
    this.#takenAt.delete(key)
    this.#worked.observe((this.#clock.monotonic() - at) / 1000, this.#name)
  }

  [Symbol.dispose](): void {
    for (const collected of this.#collected) collected[Symbol.dispose]()
  }
}
