/**
 * Ends UDP flows that still go to endpoints which are gone: the kernel keeps a flow's translation as long as its
 * client keeps sending. Mirrors: pkg/proxy/conntrack/cleanup.go; for host ports, the CNI plugin portmap
 */
import type { IPFamily } from "@knarr/apimachinery"
import { runProgram } from "@knarr/base"
import type { ProxyState } from "./service-map.ts"

/** A flow as far as it matters: where it was sent, and who answers. */
export interface Flow {
  readonly address: string
  readonly port: number
  readonly answers: string
  readonly answersPort: number
}

type UdpState = Pick<ProxyState, "servicePorts" | "hostPorts">

/** What existing flows depend on; equal text means that nothing is to be looked for. */
export function udpText({ servicePorts, hostPorts }: UdpState): string {
  return JSON.stringify([
    servicePorts
      .filter(({ protocol }) => protocol === "udp")
      .map((port) => [
        port.clusterIP,
        port.port,
        port.nodePort,
        port.externalIPs,
        port.balancerIPs,
        port.serving,
      ]),
    hostPorts.filter(({ protocol }) => protocol === "udp"),
  ])
}

/** One line of `conntrack -L`; undefined for what is none. */
export function parseFlow(text: string): Flow | undefined {
  const [sent, answered] = text.matchAll(/\bsrc=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)
  if (!sent || !answered) return undefined
  return {
    address: sent[2]!,
    port: Number(sent[4]),
    answers: answered[1]!,
    answersPort: Number(answered[3]),
  }
}

/**
 * Decides which flows must go: those to a Service that no serving endpoint of it answers, and those to a host port
 * that another than its pod answers. `before` tells host ports that are gone.
 */
export function createStaleFlows(now: UdpState, before: UdpState): (flow: Flow) => boolean {
  const services = new Map<string, ReadonlySet<string>>()
  const ports = new Map<number, Set<string>>()
  for (const port of now.servicePorts) {
    if (port.protocol !== "udp") continue
    const serving = new Set(port.serving.map(({ address, port: number }) => `${address}:${number}`))
    for (const ip of [port.clusterIP, ...port.externalIPs, ...port.balancerIPs])
      services.set(`${ip}:${port.port}`, serving)
    // By its number alone a node port could be a flow of somebody else's; without endpoints there is nothing to gain.
    if (port.nodePort !== undefined && serving.size > 0) ports.set(port.nodePort, serving)
  }
  const hostPorts = new Map<number, Set<string>>()
  for (const { protocol, hostPort, target } of now.hostPorts) {
    if (protocol !== "udp") continue
    const targets = hostPorts.get(hostPort) ?? new Set()
    hostPorts.set(hostPort, targets.add(`${target.address}:${target.port}`))
  }
  const gone = new Set(
    before.hostPorts
      .filter(({ protocol }) => protocol === "udp")
      .map(({ hostPort, target }) => `${hostPort} ${target.address}:${target.port}`),
  )
  return ({ address, port, answers, answersPort }) => {
    const answering = `${answers}:${answersPort}`
    const wanted = services.get(`${address}:${port}`) ?? ports.get(port) ?? hostPorts.get(port)
    return wanted ? !wanted.has(answering) : gone.has(`${port} ${answering}`)
  }
}

/** Removes the flows of this network namespace and family that `isStale` names; answers how many kinds of flows these were. */
export async function removeFlows(
  family: IPFamily,
  isStale: (flow: Flow) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const ofFamily = ["-f", family.name.toLowerCase()]
  const stale = new Map<string, Flow>()
  await eachLine(["-L", "-p", "udp", ...ofFamily], signal, (text) => {
    const flow = parseFlow(text)
    if (flow && isStale(flow)) stale.set(JSON.stringify(flow), flow)
  })
  for (const { address, port, answers, answersPort } of stale.values()) {
    const match = ["--orig-dst", address, "--orig-port-dst", String(port)]
    const reply = ["--reply-src", answers, "--reply-port-src", String(answersPort)]
    await eachLine(["-D", "-p", "udp", ...ofFamily, ...match, ...reply], signal, () => {})
  }
  return stale.size
}

/** Rejects when `conntrack` cannot do it; that there was no such flow (any more) is no error. */
async function eachLine(
  args: readonly string[],
  signal: AbortSignal,
  take: (line: string) => void,
): Promise<void> {
  const { code, err } = await runProgram("conntrack", args, { signal, onLine: take })
  if (code !== 0 && !/\b0 flow entries/.test(err))
    throw new Error(`conntrack ended with ${code}: ${err.slice(0, 1024).trim()}`)
}
