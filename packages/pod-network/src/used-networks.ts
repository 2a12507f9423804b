/**
 * Which IPv4 networks this machine uses already: by its interfaces, its routes, its routing rules and the nftables
 * rules of other programs. Reading is one thing, deciding (pure) another.
 */
import { readIPv4Network, spanOf, type IPv4Network } from "@knarr/apimachinery"
import { isInstalled, runHostCommand } from "./host-command.ts"

export interface UsedNetwork {
  readonly network: IPv4Network
  /** The interface, the label of its address, or the nftables table; "" where there is none. */
  readonly on: string
  /** For messages: `the route 10.0.0.0/8 dev tun0`. */
  readonly what: string
}

/** What the programs print; text that is no JSON counts as nothing. */
export interface NetworkFacts {
  /** `ip -json -4 address`. */
  readonly addresses: string
  /** `ip -json -4 route show table all`. */
  readonly routes: string
  /** `ip -json -4 rule`. */
  readonly rules: string
  /** `nft -j list ruleset`; "" where there is no nft. */
  readonly ruleset: string
}

interface AddressRow {
  readonly ifname?: string
  readonly addr_info?: readonly {
    readonly family?: string
    readonly local?: string
    readonly prefixlen?: number
    readonly label?: string
  }[]
}
interface RouteRow {
  readonly dst?: string
  readonly dev?: string
  readonly type?: string
  readonly gateway?: string
}
interface RuleRow {
  readonly src?: string
  readonly srclen?: number
  readonly dst?: string
  readonly dstlen?: number
  readonly table?: string
}

/** Shorter routes are pieces of a default one, as tunnels set them: they lead everywhere and belong to nobody. */
const shortestRoute = 8
/** A firewall's rule about a wider network is about where packets come from, not about a network that somebody has. */
const shortestInRule = 12

export async function readNetworkFacts(signal: AbortSignal): Promise<NetworkFacts> {
  const ip = (...args: string[]): Promise<string> =>
    runHostCommand("ip", ["-json", "-4", ...args], { signal })
  const nft = async (): Promise<string> =>
    isInstalled("nft") ? await runHostCommand("nft", ["-j", "list", "ruleset"], { signal }) : ""
  const [addresses, routes, rules, ruleset] = await Promise.all([
    ip("address"),
    ip("route", "show", "table", "all"),
    ip("rule"),
    nft(),
  ])
  return { addresses, routes, rules, ruleset }
}

/** The networks in use, each named once. */
export function usedNetworks(facts: NetworkFacts): UsedNetwork[] {
  const found = new Map<string, UsedNetwork>()
  const add = (on: string, text: string, what: (network: IPv4Network) => string): void => {
    const network = readIPv4Network(text.includes("/") ? text : `${text}/32`)
    if (network === undefined || isNobodys(network)) return
    const used = { network, on, what: what(network) }
    if (!found.has(used.what)) found.set(used.what, used)
  }
  for (const { ifname = "", addr_info = [] } of rowsOf<AddressRow>(facts.addresses))
    for (const { local = "", prefixlen = 32, label = ifname } of addr_info)
      add(
        label,
        `${local}/${prefixlen}`,
        () => `the address ${local}/${prefixlen} of the interface ${ifname}`,
      )
  for (const { dst = "", dev = "", type, gateway } of rowsOf<RouteRow>(facts.routes)) {
    // Of these the kernel makes one for each address.
    if (dst === "default" || type === "local" || type === "broadcast" || type === "multicast") continue
    const words = [type, undefined, gateway && `via ${gateway}`, dev && `dev ${dev}`]
    add(dev, dst, (network) => ["the route", ...words.with(1, network).filter(Boolean)].join(" "))
  }
  for (const { src = "all", srclen = 32, dst = "all", dstlen = 32, table = "" } of rowsOf<RuleRow>(
    facts.rules,
  )) {
    if (src !== "all") add("", `${src}/${srclen}`, (network) => `the rule from ${network} lookup ${table}`)
    if (dst !== "all") add("", `${dst}/${dstlen}`, (network) => `the rule to ${network} lookup ${table}`)
  }
  for (const { table, chain, networks } of namedInRules(facts.ruleset))
    for (const text of networks)
      if (Number(text.split("/")[1] ?? 32) >= shortestInRule)
        add(table, text, (network) => `${network} in nftables' table ${table} (${chain})`)
  return [...found.values()]
}

/** Loopback, link-local, multicast and above, and what is as good as everything. */
function isNobodys(network: IPv4Network): boolean {
  const { first, prefixLength } = spanOf(network)
  const top = Math.floor(first / 2 ** 24)
  return (
    prefixLength < shortestRoute ||
    top === 0 ||
    top === 127 ||
    top >= 224 ||
    Math.floor(first / 2 ** 16) === 0xa9fe
  )
}

interface NamedNetworks {
  readonly table: string
  /** The chain or set. */
  readonly chain: string
  readonly networks: readonly string[]
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

type Entry = Readonly<Record<string, Readonly<Record<string, Json>> | undefined>>

/** The parts of `nft -j list ruleset`: each has one name, such as `chain`. */
export function parsedRuleset(text: string): readonly Entry[] {
  const { nftables } = (parsed(text) ?? {}) as { nftables?: unknown }
  return Array.isArray(nftables) ? (nftables as Entry[]) : []
}

/** The addresses and networks that rules, sets and maps name. */
function namedInRules(text: string): NamedNetworks[] {
  return parsedRuleset(text).flatMap((entry) => {
    const { rule, set, map } = entry
    const holder = rule ?? set ?? map
    // What a rule lets through it does not use.
    const accepts = rule !== undefined && Array.isArray(rule["expr"]) && rule["expr"].some(isAccept)
    if (holder === undefined || accepts) return []
    const networks: string[] = []
    collect((rule ? holder["expr"] : holder["elem"]) ?? null, networks)
    const chain = String(holder["chain"] ?? holder["name"])
    return networks.length > 0 ? [{ table: String(holder["table"]), chain, networks }] : []
  })
}

function isAccept(expression: Json): boolean {
  return typeof expression === "object" && expression !== null && "accept" in expression
}

function collect(value: Json, into: string[]): void {
  if (typeof value === "string") {
    if (/^\d+\.\d+\.\d+\.\d+$/.test(value)) into.push(value)
  } else if (Array.isArray(value)) for (const item of value as readonly Json[]) collect(item, into)
  else if (value !== null && typeof value === "object") {
    const { prefix, ...rest } = value as Record<string, Json>
    if (prefix !== undefined) {
      const { addr, len } = prefix as { addr?: string; len?: number }
      if (typeof addr === "string") into.push(`${addr}/${len}`)
    }
    for (const item of Object.values(rest)) collect(item, into)
  }
}

function rowsOf<Row>(text: string): readonly Row[] {
  const rows = parsed(text)
  return Array.isArray(rows) ? (rows as Row[]) : []
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
