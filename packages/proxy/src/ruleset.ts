/**
 * The proxy's nftables table: maps from (address, protocol, port) to one chain per service, so that a packet
 * costs the same whether there are ten services or ten thousand. Pure: states in, `nft -f` text out; an
 * update names only what changed and is one transaction. Mirrors: pkg/proxy/nftables/README.md
 */
import type { ProxyState, ServicePort, Target } from "./service-map.ts"

export interface RulesetOptions {
  /** The table's name: one per cluster on this machine. */
  readonly table: string
  /** Pods of the whole cluster: traffic to services from elsewhere is masqueraded. */
  readonly podCIDR: string
}

/** The parts of the table that change, by name; equal text means nothing to do. */
export interface Ruleset {
  /** Chain name → rules. */
  readonly chains: ReadonlyMap<string, readonly string[]>
  /** Set name → its declaration: the affinity sets, whose elements the kernel adds. */
  readonly sets: ReadonlyMap<string, string>
  /** Map or set name → key → value ("" in a set). */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>
}

const masqueradeMark = "0x4000"
const staticMaps = ["services", "node-ports", "refused", "host-ports", "hairpin", "cluster-ips"] as const

export function computeRuleset(state: ProxyState, options: RulesetOptions): Ruleset {
  const chains = new Map<string, string[]>()
  const sets = new Map<string, string>()
  const elements = new Map<string, Map<string, string>>(
    staticMaps.map((name) => [name, new Map<string, string>()]),
  )
  const put = (map: (typeof staticMaps)[number], key: string, value: string): void =>
    void elements.get(map)!.set(key, value)
  const dnat = (targets: readonly Target[]): string =>
    targets.length === 1
      ? `dnat ip to ${targets[0]!.address}:${targets[0]!.port}`
      : `dnat ip addr . port to numgen random mod ${targets.length} map { ${targets.map((t, i) => `${i} : ${t.address} . ${t.port}`).join(", ")} }`

  const balance = (id: string, port: ServicePort, targets: readonly Target[]): string[] => {
    const tcpudp = `meta l4proto ${port.protocol}`
    if (port.affinitySeconds === 0) return [`${tcpudp} ${dnat(targets)}`]
    const rules: string[] = []
    const names = targets.map((target) => `ep-${id}-${target.address}-${target.port}`)
    for (const [i, target] of targets.entries()) {
      const set = `aff-${id}-${target.address}-${target.port}`
      sets.set(set, `type ipv4_addr; flags dynamic,timeout; timeout ${port.affinitySeconds}s;`)
      chains.set(names[i]!, [`update @${set} { ip saddr }`, `${tcpudp} ${dnat([target])}`])
      rules.push(`ip saddr @${set} goto ${names[i]}`)
    }
    rules.push(
      `numgen random mod ${targets.length} vmap { ${names.map((name, i) => `${i} : goto ${name}`).join(", ")} }`,
    )
    return rules
  }

  for (const port of state.servicePorts) {
    const id = hash(`${port.name}/${port.protocol}`)
    const refuse = (targets: readonly Target[]): string =>
      port.hasAny && targets.length === 0 ? "drop" : "goto refuse"
    for (const { address } of [...port.internal, ...port.external])
      put("hairpin", `${address} . ${address}`, "")
    put("cluster-ips", port.clusterIP, "")
    const clusterKey = `${port.clusterIP} . ${port.protocol} . ${port.port}`
    if (port.internal.length > 0) {
      chains.set(`svc-${id}`, [
        `ip saddr != ${options.podCIDR} mark set mark or ${masqueradeMark}`,
        ...balance(id, port, port.internal),
      ])
      put("services", clusterKey, `goto svc-${id}`)
    } else put("refused", clusterKey, refuse(port.internal))

    const externalKeys = port.externalIPs.map((ip) => `${ip} . ${port.protocol} . ${port.port}`)
    if (externalKeys.length === 0 && port.nodePort === 0) continue
    if (port.external.length > 0) {
      const rules: string[] = []
      if (port.sourceRanges.length > 0)
        rules.push(`ip saddr != { ${port.sourceRanges.join(", ")} } ip saddr != ${options.podCIDR} drop`)
      if (!port.externalLocal) rules.push(`mark set mark or ${masqueradeMark}`)
      else rules.push(`fib saddr type local mark set mark or ${masqueradeMark}`)
      const same =
        port.internal.length === port.external.length &&
        port.internal.every((t, i) => sameTarget(t, port.external[i]!))
      // Pods and the node itself may use every endpoint, whatever the external policy.
      if (port.externalLocal && port.internal.length > 0)
        rules.push(`ip saddr ${options.podCIDR} goto svc-${id}`)
      rules.push(...(same ? [`goto svc-${id}`] : balance(`${id}x`, port, port.external)))
      chains.set(`ext-${id}`, rules)
      for (const key of externalKeys) put("services", key, `goto ext-${id}`)
      if (port.nodePort) put("node-ports", `${port.protocol} . ${port.nodePort}`, `goto ext-${id}`)
    } else {
      for (const key of externalKeys) put("refused", key, refuse(port.external))
    }
  }
  for (const { protocol, hostIP, hostPort, target } of state.hostPorts) {
    const id = hash(`host/${hostIP}/${protocol}/${hostPort}`)
    const rules = [
      `fib saddr type local mark set mark or ${masqueradeMark}`,
      `meta l4proto ${protocol} ${dnat([target])}`,
    ]
    if (hostIP) rules.unshift(`ip daddr != ${hostIP} return`)
    put("hairpin", `${target.address} . ${target.address}`, "")
    // Two pods may share a port on two addresses: their rules follow one another in one chain.
    const name = `host-${hash(`${protocol}/${hostPort}`)}`
    const chain = chains.get(name) ?? []
    chains.set(name, chain)
    chains.set(`host-${id}-one`, rules)
    chain.push(`jump host-${id}-one`)
    put("host-ports", `${protocol} . ${hostPort}`, `goto ${name}`)
  }
  return { chains, sets, elements }
}

function sameTarget(a: Target, b: Target): boolean {
  return a.address === b.address && a.port === b.port
}

/** The whole table, from nothing. */
export function fullText(ruleset: Ruleset, options: RulesetOptions): string {
  const { table } = options
  const head = [
    `add table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    "  map services { type ipv4_addr . inet_proto . inet_service : verdict; }",
    "  map node-ports { type inet_proto . inet_service : verdict; }",
    "  map refused { type ipv4_addr . inet_proto . inet_service : verdict; }",
    "  map host-ports { type inet_proto . inet_service : verdict; }",
    "  set hairpin { type ipv4_addr . ipv4_addr; }",
    "  set cluster-ips { type ipv4_addr; }",
    "  chain refuse { reject; }",
    "  chain dispatch {",
    "    ip daddr . meta l4proto . th dport vmap @services",
    "    ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @node-ports",
    "    fib daddr type local meta l4proto . th dport vmap @host-ports",
    "  }",
    "  chain refusals {",
    "    ip daddr . meta l4proto . th dport vmap @refused",
    "    ip daddr @cluster-ips reject",
    "  }",
    // Host ports on the loopback need route_localnet; nobody from outside may use it (CVE-2020-8558).
    '  chain guard { type filter hook prerouting priority -300; iifname != "lo" ip daddr 127.0.0.0/8 drop; }',
    "  chain nat-prerouting { type nat hook prerouting priority -100; jump dispatch; }",
    "  chain nat-output { type nat hook output priority -100; jump dispatch; }",
    "  chain nat-postrouting {",
    "    type nat hook postrouting priority 100;",
    `    mark and ${masqueradeMark} != 0 mark set mark xor ${masqueradeMark} masquerade fully-random`,
    "    ip saddr . ip daddr @hairpin ct status dnat masquerade fully-random",
    "  }",
    "  chain filter-input { type filter hook input priority -110; ct state new jump refusals; }",
    "  chain filter-forward { type filter hook forward priority -110; ct state new jump refusals; }",
    // Behind the translation: what still has a service address then has no service.
    "  chain filter-output { type filter hook output priority -90; ct state new jump refusals; }",
    "}",
  ]
  return [...head, ...changeText(emptyRuleset, ruleset, table)].join("\n") + "\n"
}

/** What leads from one state to the next, or undefined when nothing does. */
export function updateText(from: Ruleset, to: Ruleset, options: RulesetOptions): string | undefined {
  const lines = changeText(from, to, options.table)
  return lines.length > 0 ? lines.join("\n") + "\n" : undefined
}

const emptyRuleset: Ruleset = { chains: new Map(), sets: new Map(), elements: new Map() }

function changeText(from: Ruleset, to: Ruleset, table: string): string[] {
  const lines: string[] = []
  const remove: string[] = []
  // Chains must be there before rules and elements name them, and may go only when nothing names them any more.
  for (const [name, declaration] of to.sets)
    if (!from.sets.has(name)) lines.push(`add set ip ${table} ${name} { ${declaration} }`)
  const changed = [...to.chains].filter(([name, rules]) => !sameRules(from.chains.get(name), rules))
  for (const [name] of changed)
    lines.push(from.chains.has(name) ? `flush chain ip ${table} ${name}` : `add chain ip ${table} ${name}`)
  for (const [name, rules] of changed)
    for (const rule of rules) lines.push(`add rule ip ${table} ${name} ${rule}`)
  for (const map of staticMaps) {
    const before = from.elements.get(map)
    const after = to.elements.get(map)
    const gone = [...(before ?? [])].filter(([key, value]) => after?.get(key) !== value).map(([key]) => key)
    const come = [...(after ?? [])].filter(([key, value]) => before?.get(key) !== value)
    if (gone.length > 0) lines.push(`delete element ip ${table} ${map} { ${gone.join(", ")} }`)
    if (come.length > 0)
      lines.push(
        `add element ip ${table} ${map} { ${come.map(([key, value]) => (value ? `${key} : ${value}` : key)).join(", ")} }`,
      )
  }
  for (const name of from.chains.keys()) {
    if (to.chains.has(name)) continue
    lines.push(`flush chain ip ${table} ${name}`)
    remove.push(`delete chain ip ${table} ${name}`)
  }
  for (const name of from.sets.keys()) if (!to.sets.has(name)) remove.push(`delete set ip ${table} ${name}`)
  return [...lines, ...remove]
}

function sameRules(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i])
}

/** FNV-1a in 52 bits, base 36: names that are short and practically never collide. */
function hash(text: string): string {
  let high = 0x811c9dc5
  let low = 0x1000193
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    high = Math.imul(high ^ code, 0x01000193) >>> 0
    low = Math.imul(low ^ (code + i), 0x85ebca6b) >>> 0
  }
  return (high * 2 ** 20 + (low >>> 12)).toString(36)
}
