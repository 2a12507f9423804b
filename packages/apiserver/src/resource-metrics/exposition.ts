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

const line = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)(?: (\d+))?$/
const label = /(\w+)="((?:[^"\\]|\\.)*)"/g

/** Reads the text; what is not about use is passed over. `nowMs`: when what says no time is of. */
export function readExposition(text: string, nowMs: number): NodeSample {
  const node = draft(nowMs)
  const pods = new Map<string, Map<string, Draft>>()
  for (const one of text.split("\n")) {
    if (!one.startsWith("node_") && !one.startsWith("container_")) continue
    const match = line.exec(one)
    if (!match) continue
    const [, name = "", labels = "", number = "", time] = match
    const value = Number(number)
    if (!Number.isFinite(value) || value < 0) continue
    const atMs = time === undefined ? nowMs : Number(time)
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
        container.cpuSeconds = value
        container.atMs = atMs
        break
      }
      case "container_memory_working_set_bytes":
        draftOf(pods, labels, nowMs).memoryBytes = value
        break
      case "container_start_time_seconds":
        draftOf(pods, labels, nowMs).startedMs = value * 1000
    }
  }
  for (const [pod, containers] of pods)
    // As there: of a pod of which something is not known yet nothing is told.
    if ([...containers.values()].some(({ cpuSeconds, memoryBytes }) => cpuSeconds <= 0 || memoryBytes <= 0))
      pods.delete(pod)
  return { node: node.cpuSeconds > 0 && node.memoryBytes > 0 ? node : undefined, pods }
}

function draft(nowMs: number): Draft {
  return { atMs: nowMs, startedMs: 0, cpuSeconds: 0, memoryBytes: 0 }
}

function draftOf(pods: Map<string, Map<string, Draft>>, labels: string, nowMs: number): Draft {
  let container = ""
  let namespace = ""
  let pod = ""
  for (const [, name, value = ""] of labels.matchAll(label)) {
    if (name === "container") container = value
    else if (name === "namespace") namespace = value
    else if (name === "pod") pod = value
  }
  const key = `${namespace}/${pod}`
  let containers = pods.get(key)
  if (!containers) pods.set(key, (containers = new Map()))
  let found = containers.get(container)
  if (!found) containers.set(container, (found = draft(nowMs)))
  return found
}
