/** What the process has used of the machine. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Milliseconds of the processor, so far. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

let collect: (() => void) | undefined

/** Bytes of the heap that are in use. */
export function usedHeap(): number {
  if (!collect) {
    setFlagsFromString("--expose-gc")
    collect = runInNewContext("gc") as () => void
  }
  collect()
  return process.memoryUsage().heapUsed
}
