/**
 * What pods ask for and nodes have, as plain numbers: cpu in millicores, everything else in whole units.
 * Mirrors: component-helpers resource/helpers.go
 */
import type { Container, Pod, PodSpec, ResourceRequirements } from "@knarr/api"
import { parseQuantity } from "@knarr/apimachinery"

/** Resource name → amount. */
export type Amounts = Record<string, number>

const parsed = new Map<string, number>()
const parsedBound = 10_000

/** One quantity as a number: millicores for cpu, whole units (rounded up) otherwise. */
export function amountOf(resource: string, quantity: string): number {
  const key = resource === "cpu" ? `m${quantity}` : quantity
  const known = parsed.get(key)
  if (known !== undefined) return known
  const value = parseQuantity(quantity)
  const amount = resource === "cpu" ? value.milliValue() : value.value()
  if (parsed.size >= parsedBound) parsed.clear()
  parsed.set(key, amount)
  return amount
}

/** A resource list as amounts. */
export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const out: Amounts = {}
  for (const name in list) out[name] = amountOf(name, list[name]!)
  return out
}

/** Adds `from` to `to`. */
export function addAmounts(to: Amounts, from: Readonly<Amounts>): void {
  for (const name in from) to[name] = (to[name] ?? 0) + from[name]!
}

/** Takes the larger of both into `to`. */
function maxAmounts(to: Amounts, other: Readonly<Amounts>): void {
  for (const name in other) to[name] = Math.max(to[name] ?? 0, other[name]!)
}

/** An init container that goes on running beside the main ones. */
export function isSidecar(container: Readonly<Container>): boolean {
  return container.restartPolicy === "Always"
}

type Side = "requests" | "limits"

/**
 * What the pod needs at its peak: the sum of its containers and sidecars, or what its init containers need
 * while they run, whichever is more, plus overhead. Pod-level resources replace the sum where they are given.
 */
export function podRequests(pod: { readonly spec: Readonly<PodSpec> }): Amounts {
  return peak(pod.spec, "requests")
}

/** The same for limits; a resource that some container does not limit is still the sum of the others. */
export function podLimits(pod: { readonly spec: Readonly<PodSpec> }): Amounts {
  return peak(pod.spec, "limits")
}

function peak(spec: Readonly<PodSpec>, side: Side): Amounts {
  const total: Amounts = {}
  for (const container of spec.containers) addAmounts(total, amountsOf(resourcesOf(container)?.[side]))
  const sidecars: Amounts = {}
  const init: Amounts = {}
  for (const container of spec.initContainers ?? []) {
    const amounts = amountsOf(resourcesOf(container)?.[side])
    if (isSidecar(container)) {
      addAmounts(total, amounts)
      addAmounts(sidecars, amounts)
      maxAmounts(init, sidecars)
    } else {
      addAmounts(amounts, sidecars)
      maxAmounts(init, amounts)
    }
  }
  maxAmounts(total, init)
  Object.assign(total, amountsOf(spec.resources?.[side]))
  if (spec.overhead && (side === "requests" || Object.keys(total).length > 0)) {
    const overhead = amountsOf(spec.overhead)
    for (const name in overhead)
      if (side === "requests" || name in total) total[name] = (total[name] ?? 0) + overhead[name]!
  }
  return total
}

function resourcesOf(container: Readonly<Container>): Readonly<ResourceRequirements> | undefined {
  return container.resources
}

/** What a container without requests is taken to use when nodes are compared. */
const defaultMilliCpuRequest = 100
const defaultMemoryRequest = 200 * 1024 * 1024

/** Requests of cpu and memory in which containers that state none count with the defaults. */
export function nonZeroRequests(pod: { readonly spec: Readonly<PodSpec> }): { cpu: number; memory: number } {
  const { spec } = pod
  const one = (container: Readonly<Container>, name: string, fallback: number): number => {
    const quantity = container.resources?.requests?.[name]
    return quantity === undefined ? fallback : amountOf(name, quantity)
  }
  const sum = (name: string, fallback: number): number => {
    const podLevel = spec.resources?.requests?.[name]
    if (podLevel !== undefined) return amountOf(name, podLevel)
    let total = 0
    for (const container of spec.containers) total += one(container, name, fallback)
    let sidecars = 0
    let init = 0
    for (const container of spec.initContainers ?? []) {
      const amount = one(container, name, fallback)
      if (isSidecar(container)) {
        total += amount
        sidecars += amount
        init = Math.max(init, sidecars)
      } else init = Math.max(init, amount + sidecars)
    }
    const overhead = spec.overhead?.[name]
    return Math.max(total, init) + (overhead === undefined ? 0 : amountOf(name, overhead))
  }
  return { cpu: sum("cpu", defaultMilliCpuRequest), memory: sum("memory", defaultMemoryRequest) }
}

/** How much of a resource the node gives to pods. */
export function allocatableOf(node: {
  readonly status: { readonly allocatable?: Readonly<Record<string, string>> | undefined }
}): Amounts {
  return amountsOf(node.status.allocatable)
}

/** Whether `pod` has ended for good. */
export function isPodTerminal(pod: Pick<Pod, "status">): boolean {
  return pod.status.phase === "Succeeded" || pod.status.phase === "Failed"
}
