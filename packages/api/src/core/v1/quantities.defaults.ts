/** Defaulting of amounts. Mirrors: pkg/apis/core/v1/defaults.go (SetDefaults_ResourceList) */
import { Quantity, parseQuantity } from "@knarr/apimachinery"
import type { ResourceRequirements, VolumeResourceRequirements } from "./types.gen.ts"

/** Rounds amounts finer than a thousandth up to thousandths, in place. */
export function roundUpResources(list: Record<string, string> | undefined): void {
  if (!list) return
  for (const name in list) {
    const text = list[name]!
    // Only these spellings can be finer than a thousandth.
    if (!/[nu.eE]/.test(text)) continue
    list[name] = roundUp(text)
  }
}

function roundUp(text: string): string {
  try {
    const amount = parseQuantity(text)
    const rounded = Quantity.ofMilli(amount.scaledValue(-3), amount.format)
    return rounded.equals(amount) ? amount.toString() : rounded.toString()
  } catch {
    // Not a quantity: decoding or validation says so.
    return text
  }
}

/** {@link roundUpResources} of requests and limits. */
export function roundUpRequirements(
  resources: ResourceRequirements | VolumeResourceRequirements | undefined,
): void {
  roundUpResources(resources?.limits)
  roundUpResources(resources?.requests)
}

/** What has a limit and no request requests its limit. */
export function requestLimits(resources: ResourceRequirements | undefined): void {
  if (!resources?.limits) return
  const requests = (resources.requests ??= {})
  for (const name in resources.limits) requests[name] ??= resources.limits[name]!
}
