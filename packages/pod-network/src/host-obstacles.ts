/**
 * What of other programs on this machine keeps pods' packets from arriving: firewalls that drop what is forwarded or
 * what comes in, another cluster's service proxy, kernel parameters. Pure, but for reading the parameters.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { overlap, readIPv4Network, type IPv4Network } from "@knarr/apimachinery"
import { parsedRuleset, type NetworkFacts } from "./used-networks.ts"

/** What is the cluster's, on the machine or in a further node's network namespace. */
export interface OwnNetwork {
  /** Of pods and nodes. */
  readonly networks: readonly IPv4Network[]
  /** Whether a link or a table has this name because it is the cluster's. */
  readonly isOwn: (name: string) => boolean
}

interface Chain {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly hook?: string
  readonly policy?: string
}
type Expression = Readonly<Record<string, unknown>>
interface Rule {
  readonly family: string
  readonly table: string
  readonly chain: string
  readonly expr?: readonly Expression[]
}

/** What the chains of a hook stop, in people's words. */
const hooks: Readonly<Record<string, string>> = {
  forward: "what is forwarded: pods reach nothing beyond their node, and Services nothing at all",
  input: "what comes in: pods reach neither the API server nor DNS",
}
/** Of rules, what decides nothing. */
const idle = new Set(["counter", "log", "comment"])
const maxJumps = 16

/** One sentence for each obstacle, with what helps. */
export function findObstacles({ ruleset }: Pick<NetworkFacts, "ruleset">, own: OwnNetwork): string[] {
  const entries = parsedRuleset(ruleset)
  const chains = entries.flatMap(({ chain }) => (chain ? [chain as unknown as Chain] : []))
  const rules = new Map<string, Rule[]>()
  for (const { rule } of entries) {
    if (rule === undefined) continue
    const one = rule as unknown as Rule
    const key = `${one.family} ${one.table} ${one.chain}`
    rules.set(key, [...(rules.get(key) ?? []), one])
  }
  return [...foreignProxies(chains), ...droppingChains(chains, rules, own)]
}

function foreignProxies(chains: readonly Chain[]): string[] {
  const tables = new Set(
    chains.filter(({ table }) => table === "kube-proxy").map(({ family }) => `${family} kube-proxy`),
  )
  const found = [...tables].map(
    (table) =>
      `nftables' table ${table} is another cluster's kube-proxy's, or was left by one: it takes node ports and Services away; if no such cluster runs here, "nft delete table ${table}" removes it`,
  )
  if (chains.some(({ table, name }) => table === "nat" && name === "KUBE-SERVICES"))
    found.push(
      `iptables has chains KUBE-* of another cluster's kube-proxy, or of one that left them: they take node ports and Services away; if no such cluster runs here, "kube-proxy --cleanup" removes them`,
    )
  return found
}

function droppingChains(
  chains: readonly Chain[],
  rules: ReadonlyMap<string, readonly Rule[]>,
  { networks, isOwn }: OwnNetwork,
): string[] {
  const rulesOf = ({ family, table }: Chain, chain: string): readonly Rule[] =>
    rules.get(`${family} ${table} ${chain}`) ?? []
  const ends = (chain: Chain, name: string, depth: number): boolean =>
    depth < maxJumps &&
    rulesOf(chain, name).some(({ expr = [] }) => {
      const deciding = expr.filter((part) => !Object.keys(part).every((key) => idle.has(key)))
      const [only] = deciding
      if (deciding.length !== 1 || only === undefined) return false
      if ("drop" in only || "reject" in only) return true
      const target = (only["jump"] ?? only["goto"]) as { target?: string } | undefined
      return typeof target?.target === "string" && ends(chain, target.target, depth + 1)
    })
  const mentions = ({ family, table }: Chain): boolean =>
    [...rules].some(
      ([key, list]) =>
        key.startsWith(`${family} ${table} `) && list.some((rule) => isAbout(rule, networks, isOwn)),
    )
  return chains.flatMap((chain) => {
    const { family, table, name, hook = "", policy } = chain
    const stops = hooks[hook]
    if (stops === undefined || !["ip", "inet"].includes(family) || isOwn(table)) return []
    // Rules of ours in these let the cluster through.
    if (family === "ip" && table === "filter" && (name === "FORWARD" || name === "INPUT")) return []
    if (policy !== "drop" && !ends(chain, name, 0)) return []
    if (mentions(chain)) return []
    const [first = ""] = networks
    const remedy =
      table === "firewalld"
        ? networks
            .map((network) => `firewall-cmd --permanent --zone=trusted --add-source=${network}`)
            .join("; ") + "; firewall-cmd --reload"
        : `nft insert rule ${family} ${table} ${name} ip saddr { ${networks.join(", ")} } accept${hook === "forward" ? `; nft insert rule ${family} ${table} ${name} ip daddr ${first} accept` : ""}`
    return [
      `the firewall's table ${family} ${table} (chain ${name}) drops ${stops}; this lets the cluster through: ${remedy}`,
    ]
  })
}

/** Whether the rule names a network or a link of the cluster's. */
function isAbout(rule: Rule, networks: readonly IPv4Network[], isOwn: (name: string) => boolean): boolean {
  const look = (value: unknown): boolean => {
    if (typeof value === "string") {
      if (isOwn(value.replace(/\*$/, "")) || /^kn(?:arr|p)-\*$/.test(value)) return true
      const network = readIPv4Network(value.includes("/") ? value : `${value}/32`)
      return network !== undefined && networks.some((own) => overlap(own, network))
    }
    if (value === null || typeof value !== "object") return false
    const { addr, len } = value as { addr?: unknown; len?: unknown }
    if (typeof addr === "string" && typeof len === "number") return look(`${addr}/${len}`)
    return Object.values(value).some(look)
  }
  return (rule.expr ?? []).some(look)
}

const parameters: readonly { readonly name: string; readonly bad: string; readonly why: string }[] = [
  { name: "net/ipv4/ip_forward", bad: "0", why: "nothing is forwarded between pods, nodes and the world" },
  {
    name: "net/ipv4/conf/all/rp_filter",
    bad: "1",
    why: "answers that come another way than questions went are dropped",
  },
  {
    name: "net/bridge/bridge-nf-call-iptables",
    bad: "0",
    why: "two pods of one node do not reach each other through a Service",
  },
]

/** Kernel parameters of our network namespace that are not as pods need them. */
export function parameterObstacles(root = "/proc/sys"): string[] {
  return parameters.flatMap(({ name, bad, why }) => {
    const path = join(root, name)
    const value = existsSync(path) ? readFileSync(path, "utf8").trim() : undefined
    if (value === undefined && name.startsWith("net/bridge/"))
      return [`the kernel has no ${name.replaceAll("/", ".")} (module br_netfilter): ${why}`]
    return value === bad ? [`${name.replaceAll("/", ".")} is ${value} and could not be set: ${why}`] : []
  })
}
