/** Counters, gauges and histograms in Prometheus' text format: no more than the server itself needs. */

type Labels = Readonly<Record<string, string>>

/** A named family of values. */
export interface Metric {
  write(out: string[]): void
}

/** Holds the metrics of one server and prints them. */
export class MetricsRegistry {
  readonly #metrics = new Map<string, Metric>()

  counter(name: string, help: string, labels: readonly string[]): Counter {
    return this.#add(name, new Counter(name, help, labels, "counter"))
  }

  gauge(name: string, help: string, labels: readonly string[]): Counter {
    return this.#add(name, new Counter(name, help, labels, "gauge"))
  }

  histogram(name: string, help: string, labels: readonly string[], buckets: readonly number[]): Histogram {
    return this.#add(name, new Histogram(name, help, labels, buckets))
  }

  /** A gauge whose values are read when somebody asks. */
  collect(
    name: string,
    help: string,
    type: "gauge" | "counter",
    read: () => Iterable<readonly [labels: Labels, value: number]>,
  ): void {
    this.#add(name, {
      write(out) {
        head(out, name, help, type)
        for (const [labels, value] of read()) out.push(`${name}${labelText(labels)} ${number(value)}\n`)
      },
    })
  }

  /** Everything, in order of name. */
  text(): string {
    const out: string[] = []
    for (const name of [...this.#metrics.keys()].sort()) this.#metrics.get(name)!.write(out)
    return out.join("")
  }

  #add<M extends Metric>(name: string, metric: M): M {
    if (this.#metrics.has(name)) throw new Error(`Cannot add the metric "${name}": it exists`)
    this.#metrics.set(name, metric)
    return metric
  }
}

function head(out: string[], name: string, help: string, type: string): void {
  out.push(`# HELP ${name} [STABLE] ${help}\n# TYPE ${name} ${type}\n`)
}

function number(value: number): string {
  return value === Infinity ? "+Inf" : String(value)
}

function escape(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")
    : value
}

function labelText(labels: Labels): string {
  const parts: string[] = []
  for (const key in labels) parts.push(`${key}="${escape(labels[key]!)}"`)
  return parts.length === 0 ? "" : `{${parts.join(",")}}`
}

function keyText(names: readonly string[], values: readonly string[]): string {
  let text = ""
  for (let i = 0; i < names.length; i++) text += `${i === 0 ? "" : ","}${names[i]}="${escape(values[i]!)}"`
  return text
}

/** A counter or gauge: one number per combination of label values, given in the order of the names. */
export class Counter implements Metric {
  readonly #name: string
  readonly #help: string
  readonly #labels: readonly string[]
  readonly #type: "counter" | "gauge"
  readonly #values = new Map<string, { values: readonly string[]; value: number }>()

  constructor(name: string, help: string, labels: readonly string[], type: "counter" | "gauge") {
    this.#name = name
    this.#help = help
    this.#labels = labels
    this.#type = type
  }

  add(amount: number, ...values: string[]): void {
    const key = values.join("\0")
    const entry = this.#values.get(key)
    if (entry) entry.value += amount
    else this.#values.set(key, { values, value: amount })
  }

  set(value: number, ...values: string[]): void {
    this.#values.set(values.join("\0"), { values, value })
  }

  write(out: string[]): void {
    head(out, this.#name, this.#help, this.#type)
    for (const { values, value } of this.#values.values()) {
      const labels = keyText(this.#labels, values)
      out.push(`${this.#name}${labels === "" ? "" : `{${labels}}`} ${number(value)}\n`)
    }
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
  readonly #name: string
  readonly #help: string
  readonly #labels: readonly string[]
  readonly #buckets: readonly number[]
  readonly #entries = new Map<string, HistogramEntry>()

  constructor(name: string, help: string, labels: readonly string[], buckets: readonly number[]) {
    this.#name = name
    this.#help = help
    this.#labels = labels
    this.#buckets = buckets
  }

  observe(value: number, ...values: string[]): void {
    const key = values.join("\0")
    let entry = this.#entries.get(key)
    if (!entry) {
      entry = { values, counts: new Float64Array(this.#buckets.length + 1), sum: 0 }
      this.#entries.set(key, entry)
    }
    let low = 0
    let high = this.#buckets.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (value <= this.#buckets[middle]!) high = middle
      else low = middle + 1
    }
    entry.counts[low]!++
    entry.sum += value
  }

  write(out: string[]): void {
    head(out, this.#name, this.#help, "histogram")
    for (const { values, counts, sum } of this.#entries.values()) {
      const labels = keyText(this.#labels, values)
      const open = labels === "" ? "" : `${labels},`
      let total = 0
      for (let i = 0; i <= this.#buckets.length; i++) {
        total += counts[i]!
        out.push(`${this.#name}_bucket{${open}le="${number(this.#buckets[i] ?? Infinity)}"} ${total}\n`)
      }
      const braces = labels === "" ? "" : `{${labels}}`
      out.push(`${this.#name}_sum${braces} ${sum}\n${this.#name}_count${braces} ${total}\n`)
    }
  }
}
