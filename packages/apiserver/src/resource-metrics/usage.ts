/** What was used between two looks. Mirrors: metrics-server pkg/storage */
import { Quantity } from "@knarr/apimachinery"
import type { NodeSample, UsePoint } from "./exposition.ts"

export interface Usage {
  readonly atMs: number
  readonly windowMs: number
  readonly cpu: Quantity
  readonly memory: Quantity
}

export interface PodUsage {
  /** The earliest of its containers'. */
  readonly atMs: number
  readonly windowMs: number
  readonly containers: readonly { readonly name: string; readonly usage: Usage }[]
}

/** What is known without a look. */
export interface KnownUse {
  readonly cpuNanoCores: number
  readonly memoryBytes: number
}

/** Containers' by name, by `namespace/name` of their pods, all of one node. */
export type KnownNodeUse = ReadonlyMap<string, ReadonlyMap<string, KnownUse>>

/** A container younger than this has used too little to be told apart from its start. */
const freshMs = 10_000

/** Undefined when these are no amounts: not whole, negative, or past what a number holds exactly. */
function usageOf(
  { atMs, windowMs }: Pick<Usage, "atMs" | "windowMs">,
  { cpuNanoCores, memoryBytes }: KnownUse,
): Usage | undefined {
  if (![cpuNanoCores, memoryBytes].every((amount) => Number.isSafeInteger(amount) && amount >= 0))
    return undefined
  return {
    atMs,
    windowMs,
    cpu: new Quantity(cpuNanoCores, -9, "DecimalSI"),
    memory: Quantity.of(memoryBytes, "BinarySI"),
  }
}

/** Undefined: these are no two looks at the same thing, or what they tell cannot be. */
export function usageBetween(previous: UsePoint, last: UsePoint): Usage | undefined {
  const windowMs = last.atMs - previous.atMs
  if (
    !(windowMs > 0 && windowMs < Infinity) ||
    last.cpuSeconds < previous.cpuSeconds ||
    last.startedMs < previous.startedMs
  )
    return undefined
  const cpuNanoCores = Math.floor(((last.cpuSeconds - previous.cpuSeconds) / (windowMs / 1000)) * 1e9)
  return usageOf({ atMs: last.atMs, windowMs }, { cpuNanoCores, memoryBytes: last.memoryBytes })
}

/** The look before the last that counts for a container: one since it started, or its start. */
function previousOf(last: UsePoint, previous: UsePoint | undefined, longestMs: number): UsePoint | undefined {
  const ageMs = last.atMs - last.startedMs
  if (previous && last.startedMs < previous.atMs) return previous
  if (last.startedMs > 0 && ageMs >= freshMs && ageMs < longestMs)
    return { ...last, atMs: last.startedMs, cpuSeconds: 0 }
  return undefined
}

/** Undefined while there is a container of which nothing can be told yet. `longestMs`: how far back a window may go. */
export function podUsage(
  pod: string,
  last: NodeSample,
  previous: NodeSample | undefined,
  longestMs: number,
): PodUsage | undefined {
  const containers = last.pods.get(pod)
  if (!containers) return undefined
  const known = previous?.pods.get(pod)
  const used: { name: string; usage: Usage }[] = []
  for (const [name, point] of containers) {
    const before = previousOf(point, known?.get(name), longestMs)
    if (!before) return undefined
    const usage = usageBetween(before, point)
    if (usage) used.push({ name, usage })
  }
  const [first] = used.map(({ usage }) => usage).toSorted((a, b) => a.atMs - b.atMs)
  return first && { atMs: first.atMs, windowMs: first.windowMs, containers: used }
}

/** As of a look before so long. */
const knownWindowMs = 15_000

function knownUsage({ cpuNanoCores, memoryBytes }: KnownUse, nowMs: number): Usage | undefined {
  return usageOf(
    { atMs: nowMs, windowMs: knownWindowMs },
    { cpuNanoCores: Math.round(cpuNanoCores), memoryBytes: Math.round(memoryBytes) },
  )
}

/** Without containers whose use cannot be. */
export function knownPodUsage(pod: string, uses: KnownNodeUse, nowMs: number): PodUsage | undefined {
  const used = [...(uses.get(pod) ?? [])].flatMap(([name, use]) => {
    const usage = knownUsage(use, nowMs)
    return usage ? [{ name, usage }] : []
  })
  return used.length > 0 ? { atMs: nowMs, windowMs: knownWindowMs, containers: used } : undefined
}

/** Of all containers together, but those whose use cannot be. */
export function knownNodeUsage(uses: KnownNodeUse, nowMs: number): Usage | undefined {
  let cpuNanoCores = 0
  let memoryBytes = 0
  for (const containers of uses.values())
    for (const use of containers.values()) {
      if (!knownUsage(use, nowMs)) continue
      cpuNanoCores += use.cpuNanoCores
      memoryBytes += use.memoryBytes
    }
  return knownUsage({ cpuNanoCores, memoryBytes }, nowMs)
}
