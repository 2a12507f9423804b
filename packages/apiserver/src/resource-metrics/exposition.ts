/**
 * What a kubelet tells at `/metrics/resource`: use of CPU and memory by its node and its containers.
 * Mirrors: metrics-server pkg/scraper/client/resource/decode.go
 */

/** CPU time and memory at one moment. Times are wall times in milliseconds. */
export interface UsePoint {
  readonly atMs: number
  /** When what uses them began; 0: unknown. */
  readonly startedMs: number
  /** Since then. */
  readonly cpuSeconds: number
  readonly memoryBytes: number
}

/** One look at a node. */
export interface NodeSample {
  readonly node: UsePoint | undefined
  /** Containers' by name, by `namespace/name` of their pods. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, UsePoint>>
}

interface Draft {
  atMs: number
  startedMs: number
  cpuSeconds: number
  memoryBytes: number
}

/** Three names of 253 characters, and room; what is longer is passed over. */
export const maxLineLength = 2048
/** What is of a time further ahead, or longer ago, is passed over: its node's clock, or what it says, is wrong. */
export const maxAheadMs = 5 * 60_000
export const maxAgeMs = 60 * 60_000

const line = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)(?: (\d+))?$/
/** Sticky: the first thing that is no label ends them, so that each character is looked at once. */
const label = /(\w+)="((?:[^"\\]|\\.)*)"(?:, *)?/y

/**
 * Reads the text, in time that grows with its length; what is not about use, or tells what cannot be, is passed over.
 * `nowMs`: when what says no time is of.
 */
export function readExposition(text: string, nowMs: number): NodeSample {
  const node = draft(nowMs)
  const pods = new Map<string, Map<string, Draft>>()
  for (const one of linesOf(text)) {
    if (!one.startsWith("node_") && !one.startsWith("container_")) continue
    const match = line.exec(one)
    if (!match) continue
    const [, name = "", labels = "", number = "", time] = match
    const value = Number(number)
    if (!Number.isFinite(value) || value < 0) continue
    const atMs = time === undefined ? nowMs : Number(time)
    if (atMs > nowMs + maxAheadMs || atMs < nowMs - maxAgeMs) continue
    if (name.endsWith("_bytes") && !Number.isSafeInteger(value)) continue
    switch (name) {
      case "node_cpu_usage_seconds_total":
        node.cpuSeconds = value
        node.atMs = atMs
        break
      case "node_memory_working_set_bytes":
        node.memoryBytes = value
        break
      case "container_cpu_usage_seconds_total": {
        const container = draftOf(pods, labels, nowMs)
        if (!container) break
        container.cpuSeconds = value
        container.atMs = atMs
        break
      }
      case "container_memory_working_set_bytes": {
        const container = draftOf(pods, labels, nowMs)
        if (container) container.memoryBytes = value
        break
      }
      case "container_start_time_seconds": {
        const container = draftOf(pods, labels, nowMs)
        if (container) container.startedMs = value * 1000
      }
    }
  }
  for (const [pod, containers] of pods)
    // As there: of a pod of which something is not known yet nothing is told.
    if ([...containers.values()].some(({ cpuSeconds, memoryBytes }) => cpuSeconds <= 0 || memoryBytes <= 0))
      pods.delete(pod)
  return { node: node.cpuSeconds > 0 && node.memoryBytes > 0 ? node : undefined, pods }
}

function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const found = text.indexOf("\n", start)
    const end = found === -1 ? text.length : found
    if (end - start <= maxLineLength) yield text.slice(start, end)
    start = end + 1
  }
}

function draft(nowMs: number): Draft {
  return { atMs: nowMs, startedMs: 0, cpuSeconds: 0, memoryBytes: 0 }
}

/** Undefined for labels that name no container of a pod. */
function draftOf(pods: Map<string, Map<string, Draft>>, labels: string, nowMs: number): Draft | undefined {
  let container = ""
  let namespace = ""
  let pod = ""
  label.lastIndex = 0
  for (let match; (match = label.exec(labels));) {
    const [, name, value = ""] = match
    if (name === "container") container = value
    else if (name === "namespace") namespace = value
    else if (name === "pod") pod = value
  }
  if (container === "" || namespace === "" || pod === "") return undefined
  const key = `${namespace}/${pod}`
  let containers = pods.get(key)
  if (!containers) pods.set(key, (containers = new Map()))
  let found = containers.get(container)
  if (!found) containers.set(container, (found = draft(nowMs)))
  return found
}
