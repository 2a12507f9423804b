/** How long the rules of custom resources take. Mirrors: apiserver pkg/cel/metrics/metrics.go */
import type { Env } from "@knarr/base"

/** Runs something, and counts how long it took. */
export interface RuleTimes {
  compilation<T>(run: () => T): T
  evaluation<T>(run: () => T): T
}

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createRuleTimes({ clock, meter }: Pick<Env, "clock" | "meter">): RuleTimes {
  const timed = (name: string): (<T>(run: () => T) => T) => {
    const histogram = meter.histogram({
      name: `apiserver_cel_${name}_duration_seconds`,
      help: `CEL ${name} time in seconds.`,
      stability: "BETA",
      buckets,
    })
    return (run) => {
      const startMs = clock.monotonic()
      try {
        return run()
      } finally {
        histogram.observe((clock.monotonic() - startMs) / 1000)
      }
    }
  }
  return { compilation: timed("compilation"), evaluation: timed("evaluation") }
}

/** Where nobody counts. */
export const uncountedTimes: RuleTimes = { compilation: (run) => run(), evaluation: (run) => run() }
