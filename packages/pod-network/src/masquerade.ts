/** What leaves the cluster carries its node's address: an nftables table of our own, which nothing else touches. */
import { runHostCommand } from "./host-command.ts"

export interface Masquerade {
  readonly table: string
  /** Whose packets. */
  readonly from: string
  /** Destinations inside the cluster, which see the pod's own address. */
  readonly except: readonly string[]
}

/** The cluster's table for pods' traffic. */
export function masqueradeTable(clusterName: string): string {
  return `knarr-${clusterName.replaceAll(/[^\w.-]/g, "_")}-net`
}

/** The rules as `nft -f` takes them; they replace the table's former ones in one step. */
export function masqueradeRules({ table, from, except }: Masquerade): string {
  const spared = [...except, "224.0.0.0/4"].join(", ")
  return (
    `add table ip ${table}\ndelete table ip ${table}\n` +
    `table ip ${table} {\n` +
    `  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n` +
    `    ip saddr ${from} ip daddr != { ${spared} } masquerade fully-random\n  }\n}\n`
  )
}

/** Idempotent. */
export async function applyMasquerade(masquerade: Masquerade, signal: AbortSignal): Promise<void> {
  await runHostCommand("nft", ["-f", "-"], { signal, input: masqueradeRules(masquerade) })
}

/** Idempotent. */
export async function removeMasquerade(tables: readonly string[], signal: AbortSignal): Promise<void> {
  const input = tables.map((table) => `add table ip ${table}\ndelete table ip ${table}\n`).join("")
  await runHostCommand("nft", ["-f", "-"], { signal, input })
}
