/**
 * Reads the facts of a Linux machine.
 * Mirrors: github.com/google/cadvisor machine/info.go
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, statfsSync } from "node:fs"
import { availableParallelism, cpus, hostname, networkInterfaces, release } from "node:os"
import type { FilesystemUse, HostFacts, NodeHost } from "./node-host.ts"

export interface LinuxNodeHostOptions {
  /** The kubelet's root folder; it is made when it is missing. */
  readonly rootDir: string
  /** Overrides of what the machine says, for several nodes on one machine. */
  readonly facts?: Partial<HostFacts>
}

export function createLinuxNodeHost(options: LinuxNodeHostOptions): NodeHost {
  const { rootDir } = options
  mkdirSync(rootDir, { recursive: true })
  const facts: HostFacts = { ...readFacts(), ...options.facts }
  return {
    facts,
    filesystem: (path = rootDir) => filesystemOf(path),
    memory() {
      const info = memoryInfo()
      return { totalBytes: info["MemTotal"] ?? 0, availableBytes: info["MemAvailable"] ?? 0 }
    },
    cpu() {
      let ms = 0
      for (const { times } of cpus()) ms += times.user + times.nice + times.sys + times.irq
      return { usageNanoSeconds: ms * 1e6 }
    },
    processes() {
      const running = read("/proc/loadavg").split(" ")[3]?.split("/")[1]
      const limits = ["pid_max", "threads-max"].map((name) => Number(read(`/proc/sys/kernel/${name}`)))
      return { count: Number(running) || 0, max: Math.min(...limits.filter((limit) => limit > 0), 4_194_304) }
    },
  }
}

/** Use of the file system that `path` is on. */
function filesystemOf(path: string): FilesystemUse {
  const { bsize, blocks, bavail, files, ffree } = statfsSync(path)
  return {
    capacityBytes: bsize * blocks,
    availableBytes: bsize * bavail,
    inodes: files,
    inodesFree: ffree,
    device: statSync(path).dev,
  }
}

function readFacts(): HostFacts {
  const memory = memoryInfo()
  const machineID = read("/etc/machine-id") || read("/var/lib/dbus/machine-id")
  const bootID = read("/proc/sys/kernel/random/boot_id")
  return {
    hostname: hostname().toLowerCase(),
    architecture: process.arch === "x64" ? "amd64" : process.arch === "ia32" ? "386" : process.arch,
    operatingSystem: "linux",
    machineID,
    systemUUID: read("/sys/class/dmi/id/product_uuid").toLowerCase() || machineID || bootID,
    bootID,
    kernelVersion: release(),
    osImage: osImage(),
    cpus: availableParallelism(),
    memoryBytes: memory["MemTotal"] ?? 0,
    swapBytes: memory["SwapTotal"] ?? 0,
    hugepages: hugepages(),
    appArmor: read("/sys/module/apparmor/parameters/enabled").startsWith("Y"),
    seLinux: read("/sys/fs/selinux/enforce") !== "",
    swapControl: swapControl(),
    addresses: addresses(),
  }
}

/** The file's text without surrounding white space; "" when it cannot be read. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim()
  } catch {
    return ""
  }
}

/** Bytes by name. */
function memoryInfo(): Record<string, number> {
  const out: Record<string, number> = {}
  for (const line of read("/proc/meminfo").split("\n")) {
    const match = /^(\w+):\s+(\d+) kB/.exec(line)
    if (match) out[match[1]!] = Number(match[2]) * 1024
  }
  return out
}

function osImage(): string {
  const text = read("/etc/os-release") || read("/usr/lib/os-release")
  const line = text.split("\n").find((candidate) => candidate.startsWith("PRETTY_NAME="))
  return line ? line.slice("PRETTY_NAME=".length).replace(/^["']|["']$/g, "") : "Linux"
}

function swapControl(): HostFacts["swapControl"] {
  if (existsSync("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")) return "v1"
  const own = /^0::(.*)$/m.exec(read("/proc/self/cgroup"))?.[1]
  return own !== undefined && existsSync(`/sys/fs/cgroup${own}/memory.swap.max`) ? "v2" : undefined
}

function hugepages(): Record<string, number> {
  const root = "/sys/kernel/mm/hugepages"
  const out: Record<string, number> = {}
  let folders: string[]
  try {
    folders = readdirSync(root)
  } catch {
    return out
  }
  for (const folder of folders) {
    const kibibytes = Number(/^hugepages-(\d+)kB$/.exec(folder)?.[1])
    if (!kibibytes) continue
    const name =
      kibibytes >= 1024 ** 2
        ? `${kibibytes / 1024 ** 2}Gi`
        : kibibytes >= 1024
          ? `${kibibytes / 1024}Mi`
          : `${kibibytes}Ki`
    out[name] = Number(read(`${root}/${folder}/nr_hugepages`)) * kibibytes * 1024
  }
  return out
}

/** The address of the interface with the default route comes first. */
function addresses(): string[] {
  const routed = read("/proc/net/route")
    .split("\n")
    .map((line) => line.split("\t"))
    .find((columns) => columns[1] === "00000000")?.[0]
  const interfaces = Object.entries(networkInterfaces())
  const ordered = interfaces.sort(([a], [b]) => Number(b === routed) - Number(a === routed))
  const found = ordered.flatMap(([, list]) => list ?? []).filter((address) => !address.internal)
  const usable = found.filter(({ address }) => !address.startsWith("fe80:"))
  const ipv4 = usable.filter(({ family }) => family === "IPv4")
  return [...ipv4, ...usable.filter(({ family }) => family !== "IPv4")].map(({ address }) => address)
}
