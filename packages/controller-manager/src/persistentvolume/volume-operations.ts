/**
 * How long making and deleting volumes takes, and how often the binder's operations fail.
 * Mirrors: pkg/controller/volume/persistentvolume/metrics/metrics.go, pkg/volume/util/metrics.go
 */
import type { Clock, Counter, Histogram } from "@knarr/base"
import type { ReconcileContext } from "@knarr/controller-kit"

interface Operation {
  readonly plugin: string
  readonly name: "provision" | "delete"
  readonly startMs: number
}

/** One operation a key (a claim's or a volume's), from its beginning until the object is bound or gone: no more than there are objects. */
export class VolumeOperations {
  readonly #clock: Clock
  readonly #running = new Map<string, Operation>()
  readonly #seconds: Histogram
  readonly #errors: readonly Counter[]
  readonly #assigned: Counter
  readonly #assignErrors: Counter

  constructor({ clock, meter }: ReconcileContext) {
    this.#clock = clock
    this.#seconds = meter.histogram({
      name: "volume_operation_total_seconds",
      help: "Storage operation end to end duration in seconds",
      labels: ["plugin_name", "operation_name"],
      stability: "BETA",
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600],
    })
    this.#errors = ["volume_operation_total_errors", "volume_operation_errors_total"].map((name) =>
      meter.counter({
        name,
        help: "Total volume operation errors",
        labels: ["plugin_name", "operation_name"],
      }),
    )
    this.#assigned = meter.counter({
      name: "retroactive_storageclass_total",
      help: "Total number of retroactive StorageClass assignments to persistent volume claim",
    })
    this.#assignErrors = meter.counter({
      name: "retroactive_storageclass_errors_total",
      help: "Total number of failed retroactive StorageClass assignments to persistent volume claim",
    })
  }

  /** Does nothing when one is running. */
  begin(key: string, plugin: string, name: Operation["name"]): void {
    if (!this.#running.has(key)) this.#running.set(key, { plugin, name, startMs: this.#clock.monotonic() })
  }

  /** Runs the last part of the operation, if one is running, and counts its end or its failure. */
  async end(key: string, finish?: () => Promise<void>): Promise<void> {
    try {
      await finish?.()
    } catch (thrown) {
      this.failed(key)
      throw thrown
    }
    const running = this.#running.get(key)
    if (!running) return
    this.#running.delete(key)
    this.#seconds.observe((this.#clock.monotonic() - running.startMs) / 1000, running.plugin, running.name)
  }

  failed(key: string): void {
    const running = this.#running.get(key)
    if (running) for (const counter of this.#errors) counter.add(1, running.plugin, running.name)
  }

  /** Its object is gone before it ended. */
  forget(key: string): void {
    this.#running.delete(key)
  }

  /** Gives a claim the default class, and counts it. */
  async assignClass(write: () => Promise<void>): Promise<void> {
    this.#assigned.add(1)
    try {
      await write()
    } catch (thrown) {
      this.#assignErrors.add(1)
      throw thrown
    }
  }
}
