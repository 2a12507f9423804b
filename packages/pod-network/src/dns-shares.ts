/**
 * Each pod has its own way into the node's DNS: its questions go to a socket that no other pod of the node fills, at
 * a rate that the DNS can answer, and cost the machine no tracked connections. Mirrors: NodeLocal DNSCache's NOTRACK
 */
import { joined, line, type HostText, type IPv4Address, type PortNumber } from "@knarr/apimachinery"

export interface DnsShares {
  /** Where the node's DNS listens, port 53. */
  readonly address: IPv4Address
  /** The UDP ports of the shares: of clients whose address ends in .0, in .1, and so on; at most 256. */
  readonly ports: readonly PortNumber[]
}

/** UDP questions per second of one source, and as many at once whatever came before; more are dropped. */
const questions = { perSecond: 5_000, burst: 1_000 } as const
/** New TCP connections of one source; more come when the client tries again. */
const connections = { perSecond: 100, burst: 200 } as const
/** Sources that are remembered, for a minute; those beyond are not bounded here. */
const sources = 16_384

/** Sets and chains for a table of the `ip` family. */
export function dnsShareChains({ address, ports }: DnsShares): HostText {
  const own = joined(ports, ", ")
  const shares = ports.map((port, last) => line`0.0.0.${last} : ${port}`)
  return line`  set dns-clients { type ipv4_addr; flags dynamic,timeout; timeout 1m; size ${sources}; }
  set dns-callers { type ipv4_addr; flags dynamic,timeout; timeout 1m; size ${sources}; }
  set dns-ports { type inet_service; elements = { ${own} }; }
  map dns-shares { type ipv4_addr : inet_service; elements = { ${joined(shares, ", ")} }; }
  chain dns-questions {
    type filter hook prerouting priority -305; policy accept;
    ip daddr != ${address} return
    udp dport 53 update @dns-clients { ip saddr limit rate over ${questions.perSecond}/second burst ${questions.burst} packets } drop
    udp dport 53 notrack
    udp dport @dns-ports drop
    tcp dport 53 tcp flags & (syn | ack) == syn update @dns-callers { ip saddr limit rate over ${connections.perSecond}/second burst ${connections.burst} packets } drop
  }
  # Behind the host's own firewall, which knows DNS by its port.
  chain dns-sharing {
    type filter hook input priority 310; policy accept;
    ip daddr ${address} udp dport 53 udp dport set ip saddr & 0.0.0.255 map @dns-shares
  }
  chain dns-answers {
    type filter hook output priority -305; policy accept;
    ip saddr ${address} udp sport 53 notrack
    ip saddr ${address} udp sport @dns-ports notrack udp sport set 53
  }
`
}
