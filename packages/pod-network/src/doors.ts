/**
 * Clusters of one machine do not reach each other: what comes from another cluster's links is dropped, whether it asks
 * for nodes, services or pods: before any address is translated, and after, since a Service of the other cluster may
 * lead here.
 */
import { joined, line, type HostText, type IPv4Network, type LinkName } from "@knarr/apimachinery"

export interface Doors {
  /** The cluster's own links: the nodes' bridge and that of this node's pods. */
  readonly own: readonly LinkName[]
  /** What belongs to the cluster. */
  readonly guarded: readonly IPv4Network[]
}

/** Chains for a table of the `ip` family. All clusters' bridges have names that begin alike. */
export function doorChains({ own, guarded }: Doors): HostText {
  const passing = own.map((link) => line`    iifname "${link}" return\n`)
  return line`  chain strangers {
${joinedBlock(passing)}    iifname "knarr-*" drop
    iifname "knp-*" drop
  }
  chain doors {
    type filter hook prerouting priority -310; policy accept;
    ip daddr { ${joined(guarded, ", ")} } jump strangers
  }
  chain input-doors {
    type filter hook input priority -10; policy accept;
    ip daddr { ${joined(guarded, ", ")} } jump strangers
  }
  chain forward-doors {
    type filter hook forward priority -10; policy accept;
    ip daddr { ${joined(guarded, ", ")} } jump strangers
  }
`
}

function joinedBlock(lines: readonly HostText[]): HostText {
  return lines.reduce((block, next) => line`${block}${next}`, line``)
}
