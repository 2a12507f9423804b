/** What is counted about fairness. Mirrors: apiserver pkg/util/flowcontrol/metrics/metrics.go (names and labels) */
import type { Counter, Histogram, Meter, Scope } from "@knarr/base"
import type { Schema, SchemaCounts } from "./flow.ts"
import type { Level, Refusal } from "./level.ts"

const waitBuckets = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]

export class FairnessMetrics {
  readonly #rejected: Counter
  readonly #wait: Histogram
  readonly #execution: Histogram
  readonly #seats: Histogram
  /** Requests that had their seats, by schema and level. */
  readonly #dispatched = new Map<string, { readonly labels: readonly string[]; count: number }>()

  constructor(
    meter: Meter,
    scope: Scope,
    fairness: { readonly levels: ReadonlyMap<string, Level>; readonly fairFraction: number },
  ) {
    const labels = ["priority_level", "flow_schema"]
    this.#rejected = meter.counter({
      name: "apiserver_flowcontrol_rejected_requests_total",
      help: "Number of requests rejected by API Priority and Fairness subsystem",
      labels: [...labels, "reason"],
      stability: "BETA",
    })
    this.#wait = meter.histogram({
      name: "apiserver_flowcontrol_request_wait_duration_seconds",
      help: "Length of time a request spent waiting in its queue",
      labels: [...labels, "execute"],
      buckets: waitBuckets,
      stability: "BETA",
    })
    this.#seats = meter.histogram({
      name: "apiserver_flowcontrol_work_estimated_seats",
      help: "Number of estimated seats (maximum of initial and final seats) associated with requests in API Priority and Fairness",
      labels,
      buckets: [1, 2, 4, 8, 16, 32, 64, 100],
    })
    this.#execution = meter.histogram({
      name: "apiserver_flowcontrol_request_execution_seconds",
      help: "Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution in the API Priority and Fairness subsystem",
      labels: [...labels, "type"],
      buckets: waitBuckets,
    })
    const collect = (
      type: "gauge" | "counter",
      name: string,
      help: string,
      stability: "ALPHA" | "BETA",
      read: () => Iterable<readonly [readonly string[], number]>,
      names: readonly string[] = ["priority_level"],
    ): void =>
      void scope.use(
        meter.collect(type, { name: `apiserver_flowcontrol_${name}`, help, labels: names, stability }, read),
      )
    const each = (of: (level: Level) => number) => (): (readonly [readonly string[], number])[] =>
      [...fairness.levels].map(([name, level]) => [[name], of(level)] as const)
    const tickets = (of: (seats: number) => number, where: "waiting" | "executing") => () => {
      const sums = new Map<string, readonly [readonly string[], number]>()
      for (const [name, level] of fairness.levels)
        for (const { schema, seats } of ticketsOf(level, where)) {
          const key = `${name}\0${schema}`
          sums.set(key, [[name, schema], (sums.get(key)?.[1] ?? 0) + of(seats)])
        }
      return sums.values()
    }
    collect(
      "counter",
      "dispatched_requests_total",
      "Number of requests executed by API Priority and Fairness subsystem",
      "BETA",
      () =>
        [...this.#dispatched.values()]
          .filter(({ count }) => count > 0)
          .map(({ labels: values, count }) => [values, count] as const),
      labels,
    )
    collect(
      "gauge",
      "current_inqueue_requests",
      "Number of requests currently pending in queues of the API Priority and Fairness subsystem",
      "BETA",
      tickets(() => 1, "waiting"),
      labels,
    )
    collect(
      "gauge",
      "current_inqueue_seats",
      "Number of seats currently pending in queues of the API Priority and Fairness subsystem",
      "ALPHA",
      tickets((seats) => seats, "waiting"),
      labels,
    )
    collect(
      "gauge",
      "current_executing_requests",
      "Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and Fairness subsystem",
      "BETA",
      tickets(() => 1, "executing"),
      labels,
    )
    collect(
      "gauge",
      "current_executing_seats",
      "Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage otherwise) requests in the API Priority and Fairness subsystem",
      "BETA",
      tickets((seats) => seats, "executing"),
      labels,
    )
    const levels: readonly (readonly [string, string, "ALPHA" | "BETA", (level: Level) => number])[] = [
      [
        "nominal_limit_seats",
        "Nominal number of execution seats configured for each priority level",
        "BETA",
        ({ limits }) => limits.nominal,
      ],
      [
        "lower_limit_seats",
        "Configured lower bound on number of execution seats available to each priority level",
        "ALPHA",
        ({ limits }) => limits.min,
      ],
      [
        "upper_limit_seats",
        "Configured upper bound on number of execution seats available to each priority level",
        "ALPHA",
        ({ limits }) => limits.max,
      ],
      [
        "current_limit_seats",
        "current derived number of execution seats available to each priority level",
        "ALPHA",
        ({ seats }) => seats,
      ],
      [
        "demand_seats_high_watermark",
        "High watermark, over last adjustment period, of demand_seats",
        "ALPHA",
        ({ demand }) => demand.highWatermark,
      ],
      [
        "demand_seats_average",
        "Time-weighted average, over last adjustment period, of demand_seats",
        "ALPHA",
        ({ demand }) => demand.average,
      ],
      [
        "demand_seats_stdev",
        "Time-weighted standard deviation, over last adjustment period, of demand_seats",
        "ALPHA",
        ({ demand }) => demand.deviation,
      ],
      ["demand_seats_smoothed", "Smoothed seat demands", "ALPHA", ({ demand }) => demand.smoothed],
      ["current_r", "R(time of last change)", "ALPHA", ({ virtualNow }) => virtualNow],
    ]
    for (const [name, help, stability, of] of levels) collect("gauge", name, help, stability, each(of))
    collect(
      "gauge",
      "seat_fair_frac",
      "Fair fraction of server's concurrency to allocate to each priority level that can use it",
      "ALPHA",
      () => [[[], fairness.fairFraction]],
      [],
    )
  }

  /** What is counted of a schema's requests. */
  of(level: Level, schema: string): SchemaCounts {
    const { name, isExempt } = level.spec
    const key = `${name}\0${schema}`
    let dispatched = this.#dispatched.get(key)
    if (!dispatched) this.#dispatched.set(key, (dispatched = { labels: [name, schema], count: 0 }))
    const counted = dispatched
    const waited = this.#wait.series(name, schema, "true")
    const watched = this.#execution.series(name, schema, "watch")
    const answered = this.#execution.series(name, schema, "regular")
    return {
      asked: this.#seats.series(name, schema),
      entered(seconds) {
        counted.count++
        // Who is exempt never waits, and is not asked.
        if (!isExempt) waited(seconds)
      },
      left: (seconds, isWatch) => (isWatch ? watched : answered)(seconds),
    }
  }

  refused(schema: Schema, reason: Refusal, seconds: number): void {
    const { name } = schema.level.spec
    this.#rejected.add(1, name, schema.name, reason)
    if (reason === "time-out" || reason === "cancelled")
      this.#wait.observe(seconds, name, schema.name, "false")
  }
}

function* ticketsOf(
  level: Level,
  where: "waiting" | "executing",
): Iterable<{ readonly schema: string; readonly seats: number }> {
  if (where === "executing") yield* level.withoutQueue
  for (const queue of level.queues) yield* queue[where]
}
