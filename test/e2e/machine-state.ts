/** What a cluster has on the machine: processes of containers, and what must be gone once it is deleted. */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, globSync, readFileSync, readdirSync } from "node:fs"
import { basename } from "node:path"
import type { Pod } from "@knarr/api"

/** A container by its first process. */
export interface ContainerProcess {
  readonly id: string
  readonly pid: number
  /** Clock ticks since boot: tells the process from a later one with the same number. */
  readonly started: string
}

/** The runtime's id of the pod's first container; undefined before it was started. */
export function containerId(one: Pod): string | undefined {
  return one.status.containerStatuses?.[0]?.containerID?.split("//")[1]
}

/** The first process of a running container. */
export function containerProcess(id: string): ContainerProcess | undefined {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => readText(`/proc/${pid}/cgroup`).includes(id))
    .map(Number)
    .sort((a, b) => a - b)
  for (const pid of pids) {
    const started = startedAt(pid)
    if (started !== undefined) return { id, pid, started }
  }
  return undefined
}

export function isRunning({ pid, started }: ContainerProcess): boolean {
  return startedAt(pid) === started
}

function startedAt(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields[0] === "Z" ? undefined : fields[19]
}

/** What is there of a cluster besides its files, each as a line; empty when it left nothing behind. */
export function remainsOf(cluster: {
  readonly dir: string
  readonly name: string
  readonly index: number
}): string[] {
  const { dir, name, index } = cluster
  const found: string[] = []
  const add = (what: string, values: readonly string[]): void => {
    for (const value of values) found.push(`${what} ${value}`)
  }
  const home = `${dir}/${name}`
  add("folder", existsSync(home) ? [home] : [])
  add(
    "mount",
    readText("/proc/self/mountinfo")
      .split("\n")
      .filter((line) => line.includes(`${dir}/`) || line.includes(`/run/knarr/${index}/`)),
  )
  for (const pid of readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    const command = readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ")
    if (command.includes(home) || command.includes(`/run/knarr/${index}/`))
      found.push(`process ${pid} ${command}`)
  }
  const links = execFileSync("ip", ["-o", "link"], { encoding: "utf8" })
  const ours = new RegExp(`^kn[a-z]*-${index}(-|$)`)
  add(
    "link",
    links
      .split("\n")
      .map((line) => (line.split(/: /)[1] ?? "").split("@")[0]!)
      .filter((link) => ours.test(link)),
  )
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns") : []
  add(
    "network namespace",
    namespaces.filter((one) => one.startsWith(`knarr-${name}-`) || one.startsWith(`knarr-${index}-`)),
  )
  const tables = execFileSync("nft", ["list", "tables"], { encoding: "utf8" }).split("\n")
  add(
    "nftables",
    tables.filter((line) => line.includes(` knarr-${name}-`)),
  )
  add(
    "cgroup",
    globSync(`/sys/fs/cgroup/{,*/}knarr-${index}-*`).map((path) => basename(path)),
  )
  const addresses = execFileSync("ip", ["-o", "address"], { encoding: "utf8" }).split("\n")
  add(
    "address",
    addresses.filter((line) => line.includes(` lo:knarr-${index}\\`) || line.includes(` lo:knarr-${index} `)),
  )
  add(
    "iptables",
    textOf("iptables", "-S")
      .split("\n")
      .filter((line) => line.includes(`knarr-${index}-net`)),
  )
  add("run folder", existsSync(`/run/knarr/${index}`) ? [`/run/knarr/${index}`] : [])
  return found
}

/** What a program prints; nothing where it is not installed. */
function textOf(program: string, ...args: string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: "utf8" })
  return stdout ?? ""
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
