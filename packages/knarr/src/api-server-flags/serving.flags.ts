/** Flags of how requests are served. Mirrors: apiserver pkg/server/options/server_run_options.go */
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup, GivenFlags } from "./flag-group.ts"

const longestDelayMs = 5000

export const servingFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "max-requests-inflight": "text",
    "max-mutating-requests-inflight": "text",
    "enable-priority-and-fairness": "switch",
    "request-timeout": "text",
    "goaway-chance": "text",
    "shutdown-delay-duration": "text",
    "min-request-timeout": "text",
    "strict-transport-security-directives": "text",
    "event-ttl": "text",
  },
  read(given) {
    const maxReading = notNegative(given, "max-requests-inflight")
    const maxMutating = notNegative(given, "max-mutating-requests-inflight")
    const fairness = given.switch("enable-priority-and-fairness")
    if (fairness !== false && maxReading === 0 && maxMutating === 0)
      throw new UsageError(
        "--max-requests-inflight and --max-mutating-requests-inflight must not both be 0 with priority and fairness",
      )
    const timeoutMs = given.durationMs("request-timeout")
    if (timeoutMs !== undefined && timeoutMs <= 0)
      throw new UsageError("--request-timeout can not be negative value")
    const goawayChance = given.number("goaway-chance")
    if (goawayChance !== undefined && !(goawayChance >= 0 && goawayChance <= 0.02))
      throw new UsageError("--goaway-chance can not be less than 0 or greater than 0.02")
    const delayMs = given.durationMs("shutdown-delay-duration")
    if (delayMs !== undefined && delayMs < 0)
      throw new UsageError("--shutdown-delay-duration can not be negative value")
    // A process that is asked to stop is ended after ten seconds.
    if (delayMs !== undefined && delayMs > longestDelayMs)
      throw new UsageError(`--shutdown-delay-duration can not be greater than ${longestDelayMs / 1000}s here`)
    const watchSeconds = notNegative(given, "min-request-timeout")
    const ttlMs = given.durationMs("event-ttl")
    // Leases are of whole seconds.
    if (ttlMs !== undefined && ttlMs < 1000) throw new UsageError("--event-ttl can not be less than 1s")
    const hsts = given.list("strict-transport-security-directives")
    if (!hsts?.every((one) => /^(includeSubDomains|preload|max-age=[^=]*)$/.test(one)) && hsts)
      throw new UsageError(
        "--strict-transport-security-directives invalid, allowed values: max-age=expireTime, includeSubDomains, preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information",
      )
    return {
      ...(watchSeconds ? { watchTimeoutMs: watchSeconds * 1000 } : {}),
      ...(ttlMs === undefined ? {} : { eventTtlSeconds: Math.floor(ttlMs / 1000) }),
      ...(hsts?.length ? { strictTransportSecurity: hsts } : {}),
      ...(timeoutMs === undefined ? {} : { requestTimeoutSeconds: timeoutMs / 1000 }),
      ...(goawayChance === undefined ? {} : { goawayChance }),
      ...(delayMs === undefined ? {} : { shutdownDelaySeconds: delayMs / 1000 }),
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
