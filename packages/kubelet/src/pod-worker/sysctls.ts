/**
 * Which sysctls pods may set: those that the kernel keeps apart by namespace and that harm nobody else.
 * Mirrors: pkg/kubelet/sysctl/allowlist.go, safe_sysctls.go
 */
import type { Pod } from "@knarr/api"
import type { Refusal } from "./refusal.ts"

const safe: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
  "net.ipv4.tcp_slow_start_after_idle",
  "net.ipv4.tcp_notsent_lowat",
])

/** Undefined: the pod may set what it wants to set. */
export function forbiddenSysctl({ spec }: Readonly<Pod>): Refusal | undefined {
  for (const { name } of spec.securityContext?.sysctls ?? []) {
    const why = problemOf(normalized(name), spec)
    if (why !== undefined)
      return { reason: "SysctlForbidden", message: `forbidden sysctl: "${normalized(name)}" ${why}` }
  }
  return undefined
}

function problemOf(name: string, { hostNetwork, hostIPC }: Readonly<Pod["spec"]>): string | undefined {
  if (!safe.has(name)) return "not allowlisted"
  if (name.startsWith("kernel.") && hostIPC) return "not allowed with host IPC enabled"
  if (name.startsWith("net.") && hostNetwork) return "not allowed with host Net enabled"
  return undefined
}

/** With dots between the parts, whichever of the two separators comes first in the name. */
function normalized(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  if (first !== "/") return name
  return name.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"))
}
