/** Runs a scenario on virtual time, and tells what happened and what did not come about. */
import { event as eventKind, node as nodeKind, pod as podKind, type Event } from "@knarr/api"
import { formatGoDuration } from "@knarr/apimachinery"
import { messageOf, type Logger } from "@knarr/base"
import { startControlPlane, type VirtualControlPlane } from "../test-control-plane.ts"
import { ScenarioActions } from "./actions.ts"
import { checkExpectation } from "./expectations.ts"
import type { Expectation, Scenario } from "./scenario.ts"

export interface ScenarioOptions {
  /** Gets each line of what happens, as it happens. Default: nobody does. */
  readonly print?: (line: string) => void
  /** Prints every event of the cluster, not the warnings alone. */
  readonly verbose?: boolean
  /** Default: nothing is logged. */
  readonly log?: Logger
}

export interface ScenarioResult {
  /** The expectation in words. */
  readonly text: string
  readonly kept: boolean
  /** What was there instead; empty when it was kept. */
  readonly instead: string
  /** When it was kept, or had to be: milliseconds from the start. */
  readonly atMs: number
}

export interface ScenarioReport {
  readonly results: readonly ScenarioResult[]
  /** Actions that the API refused, in words. */
  readonly failures: readonly string[]
  /** How many events of the cluster there were, by `Type/Reason`. */
  readonly events: ReadonlyMap<string, number>
  readonly podsMade: number
}

/** Renewed every 35 s of 50: most of what a day of an idle cluster costs is signs of life. */
const leaseSeconds = 140
const statusPeriodMs = 60_000

/**
 * Runs it from its start to its end. Rejects when it cannot be run: a manifest or an event names a kind that is not served,
 * or a node that there is not.
 */
export async function runScenario(
  scenario: Scenario,
  options: ScenarioOptions = {},
): Promise<ScenarioReport> {
  await using cluster = await startControlPlane({
    time: "virtual",
    seed: scenario.seed,
    nodes: scenario.nodes.map((one) => ({ ...one, leaseSeconds, statusPeriodMs, eviction: false })),
    ...(scenario.startMs === undefined ? {} : { startMs: scenario.startMs }),
    ...(options.log ? { log: options.log } : {}),
  })
  return await new Run(scenario, cluster, options).run()
}

class Run {
  readonly #scenario: Scenario
  readonly #cluster: VirtualControlPlane
  readonly #options: ScenarioOptions
  readonly #startMs: number
  readonly #results = new Map<Expectation, ScenarioResult>()
  readonly #failures: string[] = []
  readonly #events = new Map<string, number>()
  readonly #pods = new Set<string>()

  constructor(scenario: Scenario, cluster: VirtualControlPlane, options: ScenarioOptions) {
    this.#scenario = scenario
    this.#cluster = cluster
    this.#options = options
    this.#startMs = cluster.clock.monotonic()
  }

  async run(): Promise<ScenarioReport> {
    const { scenario, cluster } = { scenario: this.#scenario, cluster: this.#cluster }
    const actions = new ScenarioActions(cluster)
    this.#say(`${scenario.nodes.length} nodes are ready`)
    using _watching = this.#watch()
    const first = { atMs: 0, action: { do: "apply", manifests: scenario.manifests } } as const
    for (const event of [...(scenario.manifests.length > 0 ? [first] : []), ...scenario.events]) {
      await this.#until(event.atMs)
      this.#say(`-- ${actions.describe(event.action)}`)
      try {
        await actions.perform(event.action)
      } catch (thrown) {
        const failure = `${actions.describe(event.action)}: ${messageOf(thrown)}`
        this.#failures.push(failure)
        this.#say(`FAILED ${failure}`)
      }
    }
    await this.#until(scenario.durationMs)
    return {
      results: scenario.expectations.map((one) => this.#results.get(one)!),
      failures: this.#failures,
      events: this.#events,
      podsMade: this.#pods.size,
    }
  }

  /** Lets time pass to that moment of the scenario, and looks at what is expected on the way. */
  async #until(atMs: number): Promise<void> {
    const { clock } = this.#cluster
    for (;;) {
      const now = this.#now()
      const open = this.#scenario.expectations.filter((one) => !this.#results.has(one))
      // What is due at this very moment is looked at before the next thing happens.
      const dueMs = Math.min(...open.map(({ byMs }) => byMs).filter((byMs) => byMs <= atMs), atMs)
      const watched = open.filter(({ fromMs }) => fromMs < dueMs || fromMs < now)
      if (dueMs > now) {
        let isOver = false
        using _timer = clock.timer(dueMs - now, () => {
          isOver = true
        })
        const look = (): boolean => {
          for (const one of watched) if (!this.#results.has(one)) this.#look(one, false)
          return isOver
        }
        await clock.runUntil(watched.length > 0 ? look : () => isOver, {
          limitMs: dueMs - now + 1,
          what: "the next moment",
        })
      }
      for (const one of open) if (one.byMs <= dueMs && !this.#results.has(one)) this.#look(one, true)
      if (dueMs >= atMs) return
    }
  }

  /** `isLast`: what does not hold now is broken. */
  #look(expectation: Expectation, isLast: boolean): void {
    const instead = checkExpectation(expectation, this.#cluster.plane.registry)
    const kept = instead === undefined
    if (!kept && !isLast) return
    const { text } = expectation
    this.#results.set(expectation, { text, kept, instead: instead ?? "", atMs: this.#now() })
    this.#say(kept ? `kept: ${text}` : `BROKEN: ${text}; ${instead}`)
  }

  #watch(): Disposable {
    const { informers } = this.#cluster
    const { verbose = false } = this.#options
    const told = new Set<string>()
    const subscriptions = [
      informers.informer(eventKind).subscribe({
        added: (one) => this.#heard(one, verbose, told),
        updated: (one) => this.#heard(one, verbose, told),
      }),
      informers.informer(nodeKind).subscribe({
        updated: (now, before) => {
          const [is, was] = [now, before].map(({ status }) =>
            status?.conditions?.find(({ type }) => type === "Ready"),
          )
          if (is?.status !== was?.status)
            this.#say(`Node ${now.metadata.name}: Ready is ${is?.status} (${is?.reason})`)
        },
      }),
      informers.informer(podKind).subscribe({
        added: ({ metadata }) => void this.#pods.add(metadata.uid),
      }),
    ]
    return {
      [Symbol.dispose]() {
        for (const one of subscriptions) one[Symbol.dispose]()
      },
    }
  }

  /** Of warnings that say the same of the same object, the first is told. */
  #heard(
    { type = "", reason = "", message = "", involvedObject }: Event,
    verbose: boolean,
    told: Set<string>,
  ): void {
    const kind = `${type}/${reason}`
    this.#events.set(kind, (this.#events.get(kind) ?? 0) + 1)
    if (type !== "Warning" && !verbose) return
    const { kind: of, namespace, name } = involvedObject
    const id = `${of} ${namespace}/${name} ${reason}`
    if (!verbose && told.has(id)) return
    told.add(id)
    this.#say(`${of} ${namespace ? `${namespace}/` : ""}${name}: ${reason}: ${message}`)
  }

  #now(): number {
    return this.#cluster.clock.monotonic() - this.#startMs
  }

  #say(what: string): void {
    const at = formatGoDuration(Math.round(this.#now() / 100) * 100)
    this.#options.print?.(`${at.padEnd(10)}  ${what}`)
  }
}
