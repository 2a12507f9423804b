/** Flags of how requests are served. Mirrors: apiserver pkg/server/options/server_run_options.go */
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup, GivenFlags } from "./flag-group.ts"

export const servingFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "max-requests-inflight": "text",
    "max-mutating-requests-inflight": "text",
    "enable-priority-and-fairness": "switch",
  },
  read(given) {
    const maxReading = notNegative(given, "max-requests-inflight")
    const maxMutating = notNegative(given, "max-mutating-requests-inflight")
    const fairness = given.switch("enable-priority-and-fairness")
    if (fairness !== false && maxReading === 0 && maxMutating === 0)
      throw new UsageError(
        "--max-requests-inflight and --max-mutating-requests-inflight must not both be 0 with priority and fairness",
      )
    return {
      ...(maxReading === undefined && maxMutating === undefined
        ? {}
        : { limits: { maxReading, maxMutating } }),
      ...(fairness === undefined ? {} : { fairness }),
    }
  },
})

function notNegative(given: GivenFlags, flag: string): number | undefined {
  const value = given.integer(flag)
  if (value === undefined || value >= 0) return value
  throw new UsageError(`--${flag} can not be negative value`)
}
