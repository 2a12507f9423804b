/**
 * What a component counts: counters, gauges and histograms in Prometheus' text format. One meter belongs to one
 * process (a simulated node has one of its own); every component of the process adds to it through its `Env`, under
 * the names that Kubernetes gives them. A family has a bounded number of series: the meter's memory does not grow with what
 * clients say.
 */
import type { HistogramOptions, MetricOptions, ReadValues } from "./metric-options.ts"
import { CollectedMetric, Counter, Histogram, type Metric } from "./metric-families.ts"

const droppedMetric = {
  name: "cardinality_enforcement_unexpected_categorizations_total",
  help: "The count of unexpected categorizations during cardinality enforcement.",
} as const

/**
 * Holds the metrics of a process and prints them. Whoever asks for a metric that exists gets that one: two queues
 * count in the same family. Throws when it exists in another shape.
 */
export class Meter {
  readonly #families = new Map<string, { readonly shape: string; readonly metric: Metric }>()

  /** Is not there until it happens: what it tells of should not. */
  readonly #dropped = (): void => this.counter(droppedMetric).add(1)

  counter(options: MetricOptions): Counter {
    return this.#family("counter", options, () => new Counter("counter", options, this.#dropped))
  }

  gauge(options: MetricOptions): Counter {
    return this.#family("gauge", options, () => new Counter("gauge", options, this.#dropped))
  }

  histogram(options: HistogramOptions): Histogram {
    return this.#family(
      `histogram of ${options.buckets.join()}`,
      options,
      () => new Histogram(options, this.#dropped),
    )
  }

  /** A metric whose values are read when somebody asks; several may add theirs. Disposing takes them away. */
  collect(type: "gauge" | "counter", options: MetricOptions, read: ReadValues): Disposable {
    const family = this.#family(`read ${type}`, options, () => new CollectedMetric(type, options))
    family.readers.add(read)
    return { [Symbol.dispose]: () => void family.readers.delete(read) }
  }

  /** Everything, in order of name. */
  text(): string {
    const out: string[] = []
    for (const name of [...this.#families.keys()].sort()) this.#families.get(name)!.metric.write(out)
    return out.join("")
  }

  /** How many families there are of each stability. */
  countByStability(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { metric } of this.#families.values()) {
      const { stability = "ALPHA" } = metric.options
      counts.set(stability, (counts.get(stability) ?? 0) + 1)
    }
    return counts
  }

  #family<M extends Metric>(type: string, { name, labels = [] }: MetricOptions, make: () => M): M {
    const shape = `${type} with the labels [${labels.join()}]`
    const known = this.#families.get(name)
    if (!known) {
      const metric = make()
      this.#families.set(name, { shape, metric })
      return metric
    }
    if (known.shape === shape) return known.metric as M
    throw new Error(`Cannot add the metric "${name}" as ${shape}: it exists as ${known.shape}`)
  }
}
