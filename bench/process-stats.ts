/** What processes cost, from /proc: CPU time and resident memory, threads included. */
import { readFileSync, readdirSync } from "node:fs"

/** The kernel's USER_HZ: ticks of 10 ms on every architecture that Node.js runs on. */
const tickMs = 10

/** User and system time of the processes since they started, in milliseconds. Ended processes count nothing. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = statFields(pid)
    return sum + (fields ? (Number(fields[11]) + Number(fields[12])) * tickMs : 0)
  }, 0)
}

export interface Memory {
  /** Resident, in bytes, mapped files included. */
  readonly rss: number
  /** The part of it that is no file. */
  readonly anonymous: number
}

export function memoryOf(pids: readonly number[]): Memory {
  let rss = 0
  let anonymous = 0
  for (const pid of pids) {
    const status = read(`/proc/${pid}/status`) ?? ""
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0)
    rss += kilobytes("VmRSS") * 1024
    anonymous += kilobytes("RssAnon") * 1024
  }
  return { rss, anonymous }
}

export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly command: readonly string[]
}

/** Every process of the machine that can be seen. */
export function processes(): ProcessEntry[] {
  const all: ProcessEntry[] = []
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue
    const fields = statFields(Number(name))
    if (!fields) continue
    const command = (read(`/proc/${name}/cmdline`) ?? "").split("\0").filter(Boolean)
    all.push({ pid: Number(name), parent: Number(fields[1]), command })
  }
  return all
}

/** The fields of /proc/PID/stat from the third on; undefined when the process is gone. */
function statFields(pid: number): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}
