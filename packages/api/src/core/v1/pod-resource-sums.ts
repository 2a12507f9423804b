/**
 * What a pod's containers ask for together: those that run side by side count in sum, init containers one at a
 * time beside the sidecars before them. Mirrors: component-helpers resource/helpers.go
 */
import { compareQuantities, parseQuantity, type Quantity } from "@knarr/apimachinery"
import type { PodSpec } from "./types.gen.ts"

export type Amounts = Map<string, Quantity>

function add(into: Amounts, list: Readonly<Record<string, string>> | undefined): void {
  for (const name in list) {
    const amount = parseQuantity(list[name]!)
    const sum = into.get(name)
    into.set(name, sum ? sum.add(amount) : amount)
  }
}

function raise(into: Amounts, name: string, amount: Quantity): void {
  const now = into.get(name)
  if (!now || compareQuantities(amount, now) > 0) into.set(name, amount)
}

/** The sum of the containers' requests or limits; without the pod's own and without overhead. */
export function sumContainers(spec: Readonly<PodSpec>, list: "requests" | "limits"): Amounts {
  const sum: Amounts = new Map()
  for (const container of spec.containers ?? []) add(sum, container.resources?.[list])
  const sidecars: Amounts = new Map()
  const peak: Amounts = new Map()
  for (const container of spec.initContainers ?? []) {
    const own = container.resources?.[list]
    if (container.restartPolicy === "Always") {
      add(sum, own)
      add(sidecars, own)
      // What it does not ask for stands as high as before.
      for (const name in own) raise(peak, name, sidecars.get(name)!)
    } else {
      for (const name in own) {
        const amount = parseQuantity(own[name]!)
        raise(peak, name, sidecars.get(name)?.add(amount) ?? amount)
      }
    }
  }
  for (const [name, amount] of peak) raise(sum, name, amount)
  return sum
}
