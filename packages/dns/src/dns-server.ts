/** Cluster DNS, one per node: UDP and TCP, the cluster's zone from informers, everything else forwarded. */
import type { Listening } from "./listening.ts"
import type { Env, Scope } from "@knarr/base"
import { endpointSlice, service } from "@knarr/api"
import type { InformerFactory } from "@knarr/client"
import { ClusterZone } from "./cluster-zone.ts"
import { RateShares } from "./fair-slots.ts"
import { createForwarder, resolversOf } from "./forward.ts"
import { Resolver } from "./resolver.ts"
import { listenTcp } from "./tcp.ts"
import { listenUdp } from "./udp.ts"

export interface DnsOptions {
  readonly informers: InformerFactory
  readonly env: Env
  readonly scope: Scope
  /** Where to listen. */
  readonly addresses: readonly string[]
  /** Default 53; 0 takes any free one (the first address decides). */
  readonly port?: number
  /** Default `cluster.local`. */
  readonly domain?: string
  /** `address` or `address:port`; default: the name servers of /etc/resolv.conf, except the addresses we listen on. */
  readonly upstreams?: readonly string[]
  /** Whether the first address gets 256 further UDP ports, for whoever leads each client to one; default false. */
  readonly shares?: boolean
}

export interface Dns {
  readonly port: number
  /** The further UDP ports; each has a buffer of its own, and they take turns. */
  readonly shares: readonly number[]
}

const shareCount = 256
/** Of one source; what is more is dropped before it is read over UDP, and waits over TCP. */
const questionsPerSecond = 5_000
const rememberedSources = 4_096

/** Starts answering; the scope's end stops it. Throws when an address is taken. */
export async function startDns(options: DnsOptions): Promise<Dns> {
  const { informers, env, scope, addresses } = options
  const zone = new ClusterZone({
    services: informers.informer(service),
    slices: informers.informer(endpointSlice),
    domain: options.domain ?? "cluster.local",
  })
  const upstreams =
    options.upstreams ?? resolversOf("/etc/resolv.conf").filter((server) => !addresses.includes(server))
  const forwarder = scope.use(createForwarder(upstreams, env))
  const listening: Listening = {
    resolver: new Resolver(zone, forwarder, env, scope.signal),
    shares: new RateShares(env.clock, { perSecond: questionsPerSecond, sources: rememberedSources }),
    env,
    scope,
  }
  let port = options.port ?? 53
  for (const address of addresses) {
    port = await listenUdp(listening, address, port)
    await listenTcp(listening, address, port)
  }
  const count = options.shares ? shareCount : 0
  const shares = Array.from({ length: count }, () => listenUdp(listening, addresses[0]!, 0))
  return { port, shares: await Promise.all(shares) }
}
