/** What a server tells of its process. */
import { readdirSync, readFileSync } from "node:fs"
import type { Env, MetricOptions, Scope } from "@knarr/base"

/** When the process began, for whoever counts rates. */
export function addStartTime(
  { clock, meter }: Pick<Env, "clock" | "meter">,
  scope: Scope,
  stability: NonNullable<MetricOptions["stability"]>,
): void {
  const startedAt = clock.now() / 1000 - process.uptime()
  const name = "process_start_time_seconds"
  const help = "Start time of the process since unix epoch in seconds."
  scope.use(meter.collect("gauge", { name, help, stability }, () => [[[], startedAt]]))
}

/** `process_*` as every Prometheus client names them, and as none says how long it keeps them. */
export function addProcessMetrics(env: Pick<Env, "clock" | "meter">, scope: Scope): void {
  const { meter } = env
  const single = (type: "gauge" | "counter", name: string, help: string, read: () => number): void =>
    void scope.use(meter.collect(type, { name, help, stability: "" }, () => [[[], read()]]))
  addStartTime(env, scope, "")
  single("counter", "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  single("gauge", "process_resident_memory_bytes", "Resident memory size in bytes.", () =>
    process.memoryUsage.rss(),
  )
  if (process.platform !== "linux") return
  single(
    "gauge",
    "process_open_fds",
    "Number of open file descriptors.",
    () => readdirSync("/proc/self/fd").length,
  )
  single("gauge", "process_max_fds", "Maximum number of open file descriptors.", () =>
    softLimit("Max open files"),
  )
  single("gauge", "process_virtual_memory_bytes", "Virtual memory size in bytes.", () => {
    const pages = Number(readFileSync("/proc/self/statm", "utf8").split(" ")[0])
    return pages * pageBytes
  })
  single(
    "gauge",
    "process_virtual_memory_max_bytes",
    "Maximum amount of virtual memory available in bytes.",
    () => softLimit("Max address space"),
  )
  single(
    "counter",
    "process_network_receive_bytes_total",
    "Number of bytes received by the process over the network.",
    () => octets("InOctets"),
  )
  single(
    "counter",
    "process_network_transmit_bytes_total",
    "Number of bytes sent by the process over the network.",
    () => octets("OutOctets"),
  )
}

const pageBytes = 4096

/** A limit that the kernel holds the process to; without one, the largest number it knows. */
function softLimit(name: string): number {
  const line = readFileSync("/proc/self/limits", "utf8")
    .split("\n")
    .find((text) => text.startsWith(name))
  const value = line?.slice(name.length).trim().split(/\s+/)[0] ?? "unlimited"
  return value === "unlimited" ? 2 ** 64 : Number(value)
}

/** Bytes that came in or went out through the network that the process sees. */
function octets(name: string): number {
  const [names = [], values = []] = readFileSync("/proc/self/net/netstat", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("IpExt:"))
    .map((line) => line.split(" "))
  return Number(values[names.indexOf(name)] ?? 0)
}
