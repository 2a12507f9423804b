/** What users should know about a quota that is accepted: less is left for limits than for requests. Mirrors: pkg/registry/core/resourcequota/strategy.go */
import { canonicalQuantity, compareQuantities, parseQuantity } from "@knarr/apimachinery"
import type { ResourceQuota } from "./types.gen.ts"

const names = ["cpu", "memory", "storage", "ephemeral-storage"]

export function quotaWarnings({ spec }: Readonly<ResourceQuota>): string[] {
  const hard = spec.hard ?? {}
  const out: string[] = []
  for (const name of names) {
    const bare = (name === "cpu" || name === "memory") && hard[`requests.${name}`] === undefined
    const requests = bare ? name : `requests.${name}`
    const limits = `limits.${name}`
    const request = hard[requests]
    const limit = hard[limits]
    if (request === undefined || limit === undefined) continue
    if (compareQuantities(parseQuantity(request), parseQuantity(limit)) > 0)
      out.push(
        `ResourceQuota ${requests} (${canonicalQuantity(request)}) should be less than ${limits} (${canonicalQuantity(limit)})`,
      )
  }
  return out
}
