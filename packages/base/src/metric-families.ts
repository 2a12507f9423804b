/**
 * The families of a meter, and how Prometheus' text format writes them: as Go's library does, one without labels begins at
 * zero, and one with labels is not there until it has a value.
 */
import type { HistogramOptions, MetricOptions, ReadValues } from "./metric-options.ts"

/** A named family of values. */
export interface Metric {
  readonly options: MetricOptions
  write(out: string[]): void
}

function head(out: string[], type: string, { name, help, stability = "ALPHA" }: MetricOptions): void {
  out.push(`# HELP ${name} ${stability === "" ? "" : `[${stability}] `}${help}\n# TYPE ${name} ${type}\n`)
}

function number(value: number): string {
  return value === Infinity ? "+Inf" : String(value)
}

function escape(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")
    : value
}

/** `name="value",…` */
function labelText(names: readonly string[], values: readonly string[]): string {
  let text = ""
  for (let i = 0; i < names.length; i++) text += `${i === 0 ? "" : ","}${names[i]}="${escape(values[i]!)}"`
  return text
}

function writeValue(
  out: string[],
  { name, labels = [] }: MetricOptions,
  values: readonly string[],
  value: number,
): void {
  out.push(`${name}${labels.length === 0 ? "" : `{${labelText(labels, values)}}`} ${number(value)}\n`)
}

/** Series of one family: far more than a cluster's kinds, verbs and codes make. Further ones are not kept. */
export const maxSeries = 20_000

function keyOf(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : values.join("\0")
}

/** A counter or gauge: one number per combination of label values, given in the order of the names. */
export class Counter implements Metric {
  readonly #type: "counter" | "gauge"
  readonly options: MetricOptions
  readonly #values = new Map<string, { values: readonly string[]; value: number }>()
  readonly #onDropped: () => void

  /** `onDropped` is told of each value that is not kept, because there are too many series. */
  constructor(type: "counter" | "gauge", options: MetricOptions, onDropped: () => void) {
    this.#type = type
    this.options = options
    this.#onDropped = onDropped
    if (!options.labels?.length) this.set(0)
  }

  add(amount: number, ...values: string[]): void {
    const key = keyOf(values)
    const entry = this.#values.get(key)
    if (entry) entry.value += amount
    else this.#begin(key, values, amount)
  }

  set(value: number, ...values: string[]): void {
    const key = keyOf(values)
    const entry = this.#values.get(key)
    if (entry) entry.value = value
    else this.#begin(key, values, value)
  }

  #begin(key: string, values: readonly string[], value: number): void {
    if (this.#values.size < maxSeries) this.#values.set(key, { values, value })
    else this.#onDropped()
  }

  /** Forgets the values of what has ended, so that a label's values stay bounded. */
  remove(...values: string[]): void {
    this.#values.delete(keyOf(values))
  }

  write(out: string[]): void {
    if (this.#values.size === 0) return
    head(out, this.#type, this.options)
    for (const { values, value } of this.#values.values()) writeValue(out, this.options, values, value)
  }
}

/** Values that are read when they are asked for. */
export class CollectedMetric implements Metric {
  readonly readers = new Set<ReadValues>()
  readonly #type: "counter" | "gauge"
  readonly options: MetricOptions

  constructor(type: "counter" | "gauge", options: MetricOptions) {
    this.#type = type
    this.options = options
  }

  write(out: string[]): void {
    const lines: string[] = []
    for (const read of this.readers)
      for (const [values, value] of read()) writeValue(lines, this.options, values, value)
    if (lines.length === 0) return
    head(out, this.#type, this.options)
    for (const line of lines) out.push(line)
  }
}

interface HistogramEntry {
  readonly values: readonly string[]
  /** One more than there are buckets: the last is +Inf. */
  readonly counts: Float64Array
  sum: number
}

/** A histogram: cumulative buckets, sum and count per combination of label values. */
export class Histogram implements Metric {
  readonly options: HistogramOptions
  readonly #entries = new Map<string, HistogramEntry>()

  readonly #onDropped: () => void

  /** `onDropped` is told of each series that is not kept, because there are too many. */
  constructor(options: HistogramOptions, onDropped: () => void) {
    this.options = options
    this.#onDropped = onDropped
    if (!options.labels?.length) this.#entryOf([])
  }

  observe(value: number, ...values: string[]): void {
    this.#count(this.#entryOf(values), value)
  }

  /** `observe` of one combination of label values, for who observes often. */
  series(...values: string[]): (value: number) => void {
    let entry: HistogramEntry | undefined
    return (value) => this.#count((entry ??= this.#entryOf(values)), value)
  }

  #entryOf(values: readonly string[]): HistogramEntry {
    const key = keyOf(values)
    let entry = this.#entries.get(key)
    if (!entry) {
      entry = { values, counts: new Float64Array(this.options.buckets.length + 1), sum: 0 }
      if (this.#entries.size < maxSeries) this.#entries.set(key, entry)
      else this.#onDropped()
    }
    return entry
  }

  #count(entry: HistogramEntry, value: number): void {
    const { buckets } = this.options
    let low = 0
    let high = buckets.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (value <= buckets[middle]!) high = middle
      else low = middle + 1
    }
    entry.counts[low]!++
    entry.sum += value
  }

  write(out: string[]): void {
    if (this.#entries.size === 0) return
    const { name, labels = [], buckets } = this.options
    head(out, "histogram", this.options)
    for (const { values, counts, sum } of this.#entries.values()) {
      const text = labelText(labels, values)
      const open = text === "" ? "" : `${text},`
      const braces = text === "" ? "" : `{${text}}`
      let total = 0
      for (let i = 0; i <= buckets.length; i++) {
        total += counts[i]!
        out.push(`${name}_bucket{${open}le="${number(buckets[i] ?? Infinity)}"} ${total}\n`)
      }
      out.push(`${name}_sum${braces} ${sum}\n${name}_count${braces} ${total}\n`)
    }
  }
}
