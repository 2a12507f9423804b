/** Quality of service: who is evicted first. Mirrors: pkg/apis/core/helper/qos/qos.go */
import { compareQuantities, parseQuantity, type Quantity } from "@knarr/apimachinery"
import type { Pod, ResourceRequirements } from "./types.gen.ts"

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort"

type Sums = Map<string, Quantity>

const counted = ["cpu", "memory"]

function addPositive(sums: Sums, list: Readonly<Record<string, string>> | undefined): number {
  let found = 0
  for (const name of counted) {
    const text = list?.[name]
    if (text === undefined) continue
    const amount = parseQuantity(text)
    if (amount.sign() <= 0) continue
    found++
    const sum = sums.get(name)
    sums.set(name, sum ? sum.add(amount) : amount)
  }
  return found
}

/** The class that a pod's requests and limits put it in; what its status says is not read. */
export function qosClassOf(pod: Readonly<Pick<Pod, "spec">>): QosClass {
  const { spec } = pod
  const requests: Sums = new Map()
  const limits: Sums = new Map()
  let guaranteed = true
  const own = spec.resources
  const lists: (ResourceRequirements | undefined)[] = own
    ? [own]
    : [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ resources }) => resources)
  for (const list of lists) {
    addPositive(requests, list?.requests)
    if (addPositive(limits, list?.limits) < counted.length) guaranteed = false
  }
  if (requests.size === 0 && limits.size === 0) return "BestEffort"
  if (guaranteed) {
    for (const [name, request] of requests) {
      const limit = limits.get(name)
      if (!limit || compareQuantities(limit, request) !== 0) guaranteed = false
    }
  }
  return guaranteed && requests.size === limits.size ? "Guaranteed" : "Burstable"
}
