/**
 * When a node is short of something, and how short: thresholds of signals, hard ones at once, soft ones after a while.
 * Pure: what was observed in, which thresholds are met out.
 * Mirrors: pkg/kubelet/eviction/helpers.go (ParseThresholdConfig, thresholdsMet), defaults_linux.go
 */
import { Quantity, parseQuantity } from "@knarr/apimachinery"

const evictionSignals = [
  "memory.available",
  "nodefs.available",
  "nodefs.inodesFree",
  "imagefs.available",
  "imagefs.inodesFree",
  "pid.available",
] as const
export type EvictionSignal = (typeof evictionSignals)[number]

/** What runs short, as events name it. */
export type StarvedResource = "memory" | "ephemeral-storage" | "inodes" | "pids"

export interface Threshold {
  readonly signal: EvictionSignal
  /** `10%` of the capacity, or a quantity. */
  readonly value: string
  /** How long it must be met before a pod is ended for it; 0: hard, at once. */
  readonly graceMs: number
  /** How much more than the value must be free again, in the same form. */
  readonly minReclaim: string | undefined
}

export interface Observation {
  readonly capacity: number
  readonly available: number
}

export type Observations = ReadonlyMap<EvictionSignal, Observation>

/** By signal, as in the kubelet's configuration file. */
export interface ThresholdSettings {
  /** Default: {@link defaultHardThresholds}. Given, it stands for all of them. */
  readonly hard?: Readonly<Record<string, string>>
  /** Default: none. */
  readonly soft?: Readonly<Record<string, string>>
  /** Of each soft threshold; seconds. */
  readonly softGracePeriodSeconds?: Readonly<Record<string, number>>
  readonly minimumReclaim?: Readonly<Record<string, string>>
}

const defaultHardThresholds: Readonly<Record<string, string>> = Object.freeze({
  "memory.available": "100Mi",
  "nodefs.available": "10%",
  "nodefs.inodesFree": "5%",
  "imagefs.available": "15%",
  "imagefs.inodesFree": "5%",
})

/** Throws for what is no signal, no amount, or a soft threshold without its period. */
export function parseThresholds(settings: ThresholdSettings): Threshold[] {
  const {
    hard = defaultHardThresholds,
    soft = {},
    softGracePeriodSeconds = {},
    minimumReclaim = {},
  } = settings
  const out: Threshold[] = []
  const read = (values: Readonly<Record<string, string>>, graceOf: (signal: string) => number): void => {
    for (const [signal, value] of Object.entries(values)) {
      checkSignal(signal)
      // Zero per cent is how a threshold of the defaults is taken away.
      if (value === "0%" || value === "100%") continue
      checkAmount(signal, value)
      const minReclaim = minimumReclaim[signal]
      out.push({ signal, value, graceMs: graceOf(signal), minReclaim })
    }
  }
  read(hard, () => 0)
  read(soft, (signal) => {
    const seconds = softGracePeriodSeconds[signal]
    if (seconds === undefined)
      throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`)
    if (!(seconds >= 0))
      throw new Error(`invalid eviction grace period value: ${seconds}, must be a positive value`)
    return seconds * 1000
  })
  for (const [signal, value] of Object.entries(minimumReclaim)) {
    checkSignal(signal)
    checkAmount(signal, value)
  }
  return out
}

function checkSignal(signal: string): asserts signal is EvictionSignal {
  if (!(evictionSignals as readonly string[]).includes(signal))
    throw new Error(`unsupported eviction signal ${signal}`)
}

function checkAmount(signal: string, value: string): void {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(value)
  if (percent) {
    const part = Number(percent[1])
    if (part > 100) throw new Error(`eviction percentage threshold ${signal} must be <= 100%: ${value}`)
    return
  }
  if (Number(parseQuantity(value).value()) < 0)
    throw new Error(`eviction threshold ${signal} must be positive: ${value}`)
}

/** In bytes, inodes or processes. */
function amountOf(value: string, capacity: number): number {
  if (value.endsWith("%")) return Math.floor((capacity * Number(value.slice(0, -1))) / 100)
  return Number(parseQuantity(value).value())
}

/** As messages show it. */
export function amountText(value: string, capacity: number): string {
  return value.endsWith("%")
    ? Quantity.of(amountOf(value, capacity), "BinarySI").toString()
    : parseQuantity(value).toString()
}

/** Those with less available than they say; `withReclaim`: than they say and must be freed beyond that. */
export function thresholdsMet(
  thresholds: readonly Threshold[],
  observations: Observations,
  withReclaim: boolean,
): Threshold[] {
  return thresholds.filter(({ signal, value, minReclaim }) => {
    const observed = observations.get(signal)
    if (!observed || observed.capacity <= 0) return false
    const more = withReclaim && minReclaim !== undefined ? amountOf(minReclaim, observed.capacity) : 0
    return observed.available < amountOf(value, observed.capacity) + more
  })
}

/** What hard thresholds keep from pods, of a capacity. */
export function keptByThreshold(
  thresholds: readonly Threshold[],
  signal: EvictionSignal,
  capacity: number,
): number {
  const hard = thresholds.find((one) => one.signal === signal && one.graceMs === 0)
  return hard ? amountOf(hard.value, capacity) : 0
}

const resources: Readonly<Record<EvictionSignal, StarvedResource>> = {
  "memory.available": "memory",
  "nodefs.available": "ephemeral-storage",
  "nodefs.inodesFree": "inodes",
  "imagefs.available": "ephemeral-storage",
  "imagefs.inodesFree": "inodes",
  "pid.available": "pids",
}

export function starvedResource(signal: EvictionSignal): StarvedResource {
  return resources[signal]
}

/** Of the node's conditions. */
export function pressureOf(signal: EvictionSignal): "memory" | "disk" | "pid" {
  const resource = starvedResource(signal)
  return resource === "memory" ? "memory" : resource === "pids" ? "pid" : "disk"
}
