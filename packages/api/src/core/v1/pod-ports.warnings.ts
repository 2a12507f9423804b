/** Ports of a pod's containers, which share one network. Mirrors: pkg/api/pod/warnings.go */
import { goQuote } from "@knarr/apimachinery"
import { containersOf } from "./pod-containers.ts"
import type { ContainerPort, PodSpec } from "./types.gen.ts"

interface Seen {
  readonly path: string
  readonly port: ContainerPort
}

/** As Go prints the struct with `%+v`. */
function goPort({ name, hostPort, containerPort, protocol, hostIP }: ContainerPort): string {
  return `{Name:${name ?? ""} HostPort:${hostPort ?? 0} ContainerPort:${containerPort} Protocol:${protocol ?? ""} HostIP:${hostIP ?? ""}}`
}

export function portWarnings(path: string, spec: Readonly<PodSpec>): string[] {
  const out: string[] = []
  const byNumber = new Map<string, Seen[]>()
  const byName = new Map<string, string>()
  const names: string[] = []
  for (const [at, { ports }] of containersOf(path, spec))
    for (const [i, port] of (ports ?? []).entries()) {
      const here = `${at}.ports[${i}]`
      const hostIP = port.hostIP ?? ""
      const hostPort = port.hostPort ?? 0
      if (hostIP !== "" && hostPort === 0) out.push(`${here}: hostIP set without hostPort: ${goPort(port)}`)
      const key = `${port.containerPort}/${port.protocol ?? ""}`
      const others = byNumber.get(key) ?? []
      for (const other of others) {
        const what = conflictOf({ hostIP, hostPort }, other.port)
        if (what) out.push(`${here}: ${what} port definition with ${other.path}`)
      }
      byNumber.set(key, [...others, { path: here, port }])
      if (!port.name) continue
      const first = byName.get(port.name)
      if (first)
        names.push(
          `${here}: duplicate port name ${goQuote(port.name)} with ${first}, services and probes that select ports by name will use ${first}`,
        )
      else byName.set(port.name, here)
    }
  return [...out, ...names]
}

function conflictOf(
  { hostIP, hostPort }: { readonly hostIP: string; readonly hostPort: number },
  other: ContainerPort,
): string | undefined {
  const otherIP = other.hostIP ?? ""
  const otherPort = other.hostPort ?? 0
  if (hostIP === otherIP && hostPort === otherPort) return "duplicate"
  if (hostPort === 0 || otherPort === 0) return "overlapping"
  const oneIsAny = (hostIP === "") !== (otherIP === "")
  return hostPort === otherPort && oneIsAny ? "dangerously ambiguous" : undefined
}
