/** Ports of a pod's containers, which share one network. Mirrors: pkg/api/pod/warnings.go */
import { goQuote } from "@knarr/apimachinery"
import { containersOf } from "./pod-containers.ts"
import type { ContainerPort, PodSpec } from "./types.gen.ts"

interface Seen {
  readonly at: number
  readonly path: string
  readonly hostIP: string
  readonly hostPort: number
}

/** Far more than the headers of an answer hold: they are cut off at 4096 characters. */
export const mostWarnings = 1000

/** Ports of one number and protocol, by what of the host they take. */
class SamePorts {
  readonly #all: Seen[] = []
  readonly #byHost = new Map<string, Seen[]>()

  add(port: Seen): void {
    this.#all.push(port)
    for (const key of [`${port.hostPort}`, `${port.hostPort}/${port.hostIP}`]) {
      const known = this.#byHost.get(key)
      if (known) known.push(port)
      else this.#byHost.set(key, [port])
    }
  }

  /** Those of before that may be in the way of `port`, in their order. */
  inTheWay({ hostIP, hostPort }: Seen): readonly Seen[] {
    if (hostPort === 0) return this.#all
    const of = (key: string): Seen[] => this.#byHost.get(key) ?? []
    const same = hostIP === "" ? of(`${hostPort}`) : [...of(`${hostPort}/${hostIP}`), ...of(`${hostPort}/`)]
    return [...of("0"), ...same].sort((a, b) => a.at - b.at)
  }
}

/** As Go prints the struct with `%+v`. */
function goPort({ name, hostPort, containerPort, protocol, hostIP }: ContainerPort): string {
  return `{Name:${name ?? ""} HostPort:${hostPort ?? 0} ContainerPort:${containerPort} Protocol:${protocol ?? ""} HostIP:${hostIP ?? ""}}`
}

export function portWarnings(path: string, spec: Readonly<PodSpec>): string[] {
  const out: string[] = []
  const byNumber = new Map<string, SamePorts>()
  const byName = new Map<string, string>()
  const names: string[] = []
  let count = 0
  for (const [at, { ports }] of containersOf(path, spec))
    for (const [i, port] of (ports ?? []).entries()) {
      if (out.length >= mostWarnings) return out
      const here = `${at}.ports[${i}]`
      const { hostIP = "", hostPort = 0 } = port
      if (hostIP !== "" && hostPort === 0) out.push(`${here}: hostIP set without hostPort: ${goPort(port)}`)
      const seen = { at: count++, path: here, hostIP, hostPort }
      const key = `${port.containerPort}/${port.protocol ?? ""}`
      let others = byNumber.get(key)
      if (!others) byNumber.set(key, (others = new SamePorts()))
      for (const other of others.inTheWay(seen)) {
        const what = conflictOf(seen, other)
        if (what) out.push(`${here}: ${what} port definition with ${other.path}`)
        if (out.length >= mostWarnings) return out
      }
      others.add(seen)
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

function conflictOf({ hostIP, hostPort }: Seen, other: Seen): string | undefined {
  if (hostIP === other.hostIP && hostPort === other.hostPort) return "duplicate"
  if (hostPort === 0 || other.hostPort === 0) return "overlapping"
  const oneIsAny = (hostIP === "") !== (other.hostIP === "")
  return hostPort === other.hostPort && oneIsAny ? "dangerously ambiguous" : undefined
}
