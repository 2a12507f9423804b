/** Writes the Prometheus text format. */
export class MetricsText {
  text = ""
  #name = ""
  readonly #stability: string

  constructor(stability: string) {
    this.#stability = stability
  }

  metric(name: string, type: "counter" | "gauge", description: string): void {
    this.#name = name
    this.text += `# HELP ${name} ${this.#stability}${description}\n# TYPE ${name} ${type}\n`
  }

  /** `timestamp` in nanoseconds. */
  sample(labels: Readonly<Record<string, string>>, value: number, timestamp?: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`)
    const suffix = timestamp ? ` ${Math.floor(timestamp / 1e6)}` : ""
    this.text += `${this.#name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}${suffix}\n`
  }
}
