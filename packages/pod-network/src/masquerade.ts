/** What leaves the cluster carries its node's address: an nftables table of our own, which nothing else touches. */
import {
  familyOf,
  joined,
  line,
  nameText,
  type HostText,
  type IPFamily,
  type NameText,
  type NetworkText,
} from "@knarr/apimachinery"
import { runHostCommand } from "./host-command.ts"

export interface Masquerade {
  readonly table: NameText
  /** Whose packets. Its family is the table's, and all other networks'. */
  readonly from: NetworkText
  /** Destinations inside the cluster, which see the pod's own address. */
  readonly except: readonly NetworkText[]
  /** More chains of the table, whole. */
  readonly chains?: HostText
}

/** The cluster's table for pods' traffic. */
export function masqueradeTable(clusterName: string): NameText {
  return nameText(`knarr-${clusterName.replaceAll(/[^\w.-]/g, "_")}-net`)
}

/** The rules as `nft -f` takes them; they replace the table's former ones in one step. */
export function masqueradeRules({ table, from, except, chains }: Masquerade): HostText {
  const { word: ip, multicast } = familyOf(from)
  const spared = joined([...except, multicast], ", ")
  return line`add table ${ip} ${table}
delete table ${ip} ${table}
table ${ip} ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${ip} saddr ${from} ${ip} daddr != { ${spared} } masquerade fully-random
  }
${chains ?? line``}}
`
}

/** Idempotent. */
export async function applyMasquerade(masquerade: Masquerade, signal: AbortSignal): Promise<void> {
  await runHostCommand("nft", ["-f", "-"], { signal, input: masqueradeRules(masquerade) })
}

/** Those of a family. Idempotent. */
export async function removeTables(
  { word: ip }: IPFamily,
  tables: readonly NameText[],
  signal: AbortSignal,
): Promise<void> {
  const input = joined(
    tables.map((table) => line`add table ${ip} ${table}\ndelete table ${ip} ${table}\n`),
    "\n",
  )
  await runHostCommand("nft", ["-f", "-"], { signal, input })
}

/** Those of the tables that somebody has removed. */
export async function missingTables(
  { word: ip }: IPFamily,
  tables: readonly NameText[],
  signal: AbortSignal,
): Promise<NameText[]> {
  const lines = (await runHostCommand("nft", ["list", "tables", ip], { signal })).split("\n")
  return tables.filter((table) => !lines.includes(`table ${ip} ${table}`))
}
