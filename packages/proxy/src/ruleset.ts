/**
 * The proxy's nftables table: maps from (address, protocol, port) to one chain per service, so that a packet
 * costs the same whether there are ten services or ten thousand. Pure: states in, `nft -f` text out; an
 * update names only what changed and is one transaction. Mirrors: pkg/proxy/nftables/README.md, proxier.go
 */
import { createHash } from "node:crypto"
import {
  addressAndPort,
  addressInName,
  holds,
  joined,
  line,
  nameText,
  type HostText,
  type AddressText,
  type IPFamily,
  type NetworkText,
  type LinkName,
  type NameText,
  type PortNumber,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { Target } from "./endpoints.ts"
import type { HostPort } from "./host-ports.ts"
import type { ProxyState, ServicePort } from "./service-map.ts"
import type { Owner } from "./owner.ts"

/** Of one table: each family has its own, of the same name. */
export interface RulesetOptions {
  /** Of all addresses and networks here, and of the state. */
  readonly family: IPFamily
  /** The table's name: one per cluster on this machine. */
  readonly table: NameText
  /** Pods of the whole cluster: traffic to services from elsewhere is masqueraded. */
  readonly podCIDR: NetworkText
  /** Addresses of services: no node port and no host port answers there, though they be this machine's. */
  readonly serviceCIDR: NetworkText
  readonly nodeIP: AddressText
  /** The cluster's own links on this node; what comes over another cluster's links is none of ours. */
  readonly links: readonly LinkName[]
  /** What this node itself listens on for the cluster: no node port and no host port takes these away. */
  readonly doors: readonly { readonly address: AddressText; readonly port: PortNumber }[]
}

/** The parts of the table that change, by name; equal text means nothing to do. */
export interface Ruleset {
  /** Chain name → rules. */
  readonly chains: ReadonlyMap<HostText, readonly HostText[]>
  /** Set name → its declaration: the affinity sets, whose elements the kernel adds. */
  readonly sets: ReadonlyMap<HostText, HostText>
  /** Map or set name → key → value ("" in a set). */
  readonly elements: ReadonlyMap<MapName, ReadonlyMap<HostText, HostText>>
}

const mark = line`0x4000`
/** The maps and sets, by the type of an address. */
const declarations = (address: HostText) => ({
  services: line`map services { type ${address} . inet_proto . inet_service : verdict; }`,
  "node-ports": line`map node-ports { type inet_proto . inet_service : verdict; }`,
  "host-ports": line`map host-ports { type inet_proto . inet_service : verdict; }`,
  refused: line`map refused { type ${address} . inet_proto . inet_service : verdict; }`,
  "refused-ports": line`map refused-ports { type inet_proto . inet_service : verdict; }`,
  firewall: line`map firewall { type ${address} . inet_proto . inet_service : verdict; }`,
  hairpin: line`set hairpin { type ${address} . ${address}; }`,
  "cluster-ips": line`set cluster-ips { type ${address}; }`,
  foreign: line`set foreign { type ${address}; flags interval; }`,
})
type MapName = keyof ReturnType<typeof declarations>
const mapNames = Object.keys(declarations(line``)) as MapName[]
const empty = line``

/** Collects rules; a chain, a set or an element that is put twice has one text. */
class Draft implements Ruleset {
  readonly family: IPFamily
  readonly chains = new Map<HostText, HostText[]>()
  readonly sets = new Map<HostText, HostText>()
  readonly elements = new Map<MapName, Map<HostText, HostText>>(mapNames.map((name) => [name, new Map()]))

  constructor(family: IPFamily) {
    this.family = family
  }

  put(map: MapName, key: HostText, value: HostText = empty): void {
    this.elements.get(map)!.set(key, value)
  }
}

/** What cannot be written down is told to `refuse` and left out. */
export function computeRuleset(
  state: Pick<ProxyState, "servicePorts" | "hostPorts" | "foreign">,
  options: RulesetOptions,
  refuse: (owner: Owner, reason: string) => void,
): Ruleset {
  const draft = new Draft(options.family)
  const guarded = (owner: Owner, add: () => void): void => {
    try {
      add()
    } catch (thrown) {
      refuse(owner, messageOf(thrown))
    }
  }
  for (const port of state.servicePorts) guarded(port.owner, () => addServicePort(draft, port, options))
  for (const port of state.hostPorts) guarded(port.owner, () => addHostPort(draft, port))
  // A set takes no range within another.
  for (const network of state.foreign)
    if (!state.foreign.some((other) => other !== network && holds(other, network)))
      draft.put("foreign", line`${network}`)
  return draft
}

function addServicePort(draft: Draft, port: ServicePort, { family, podCIDR, nodeIP }: RulesetOptions): void {
  const { word: ip } = family
  const id = hash(`${port.name}/${port.protocol}`)
  const { protocol, hasAny, internalLocal, externalLocal } = port
  const internal = internalLocal ? port.local : port.cluster
  const external = externalLocal ? port.local : port.cluster
  for (const { address } of [...port.cluster, ...port.local])
    draft.put("hairpin", line`${address} . ${address}`)
  const nobody = hasAny ? line`drop` : line`goto refuse`

  // To the cluster IP.
  draft.put("cluster-ips", line`${port.clusterIP}`)
  const clusterKey = line`${port.clusterIP} . ${protocol} . ${port.port}`
  if (internal.length > 0) {
    draft.chains.set(line`svc-${id}`, [
      line`${ip} saddr != ${podCIDR} mark set mark or ${mark}`,
      ...balance(draft, id, port, internal),
    ])
    draft.put("services", clusterKey, line`goto svc-${id}`)
  } else draft.put("refused", clusterKey, nobody)

  // To all other addresses and to node ports.
  const key = (address: AddressText): HostText => line`${address} . ${protocol} . ${port.port}`
  const keys = [...new Set([...port.externalIPs, ...port.balancerIPs].map(key))]
  if (keys.length === 0 && port.nodePort === undefined) return
  const portKey = port.nodePort === undefined ? undefined : line`${protocol} . ${port.nodePort}`
  if (hasAny) {
    const rules: HostText[] = []
    // Chain of all endpoints, whatever the policies.
    let everywhere = line`svc-${id}`
    if (internalLocal && port.cluster.length > 0) {
      everywhere = line`all-${id}`
      draft.chains.set(everywhere, balance(draft, id, port, port.cluster))
    }
    if (!externalLocal) rules.push(line`mark set mark or ${mark}`, line`goto ${everywhere}`)
    else {
      // Pods and the node itself may use every endpoint: as if they had gone out to the load balancer and back.
      if (port.cluster.length > 0)
        rules.push(
          line`${ip} saddr ${podCIDR} goto ${everywhere}`,
          line`fib saddr type local mark set mark or ${mark}`,
          line`fib saddr type local goto ${everywhere}`,
        )
      if (external.length > 0) rules.push(...balance(draft, id, port, external))
    }
    draft.chains.set(line`ext-${id}`, rules)
    for (const key of keys) draft.put("services", key, line`goto ext-${id}`)
    if (portKey !== undefined) draft.put("node-ports", portKey, line`goto ext-${id}`)
  }
  if (!hasAny || external.length === 0) {
    for (const key of keys) draft.put("refused", key, nobody)
    if (portKey !== undefined) draft.put("refused-ports", portKey, nobody)
  }

  // Node ports are not subject to the source ranges.
  if (port.sourceRanges !== undefined && port.balancerIPs.length > 0) {
    const allowed: (NetworkText | AddressText)[] = [...port.sourceRanges]
    // The node reaches the address as itself, or as that address when it is on an interface of its own.
    if (allowed.some((range) => holds(range as NetworkText, nodeIP)))
      allowed.push(
        ...port.balancerIPs.filter((one) => !port.sourceRanges!.some((range) => holds(range, one))),
      )
    draft.chains.set(line`fw-${id}`, [
      allowed.length > 0 ? line`${ip} saddr != { ${joined(allowed, ", ")} } drop` : line`drop`,
    ])
    for (const address of port.balancerIPs) draft.put("firewall", key(address), line`goto fw-${id}`)
  }
}

/** Rules that choose an endpoint. With affinity there is a chain and a set of clients per endpoint. */
function balance(draft: Draft, id: NameText, port: ServicePort, targets: readonly Target[]): HostText[] {
  const { word: ip, addressType } = draft.family
  const protocol = line`meta l4proto ${port.protocol}`
  if (port.affinitySeconds === 0) return [line`${protocol} ${dnat(draft.family, targets)}`]
  const seconds = port.affinitySeconds
  const chains = targets.map(({ address, port }) => line`ep-${id}-${addressInName(address)}-${port}`)
  const rules = targets.map((target, i) => {
    // A set's declaration cannot be changed: its name says what it is.
    const set = line`aff-${id}-${seconds}-${addressInName(target.address)}-${target.port}`
    draft.sets.set(set, line`type ${addressType}; flags dynamic,timeout; timeout ${seconds}s;`)
    draft.chains.set(chains[i]!, [
      line`update @${set} { ${ip} saddr }`,
      line`${protocol} ${dnat(draft.family, [target])}`,
    ])
    return line`${ip} saddr @${set} goto ${chains[i]!}`
  })
  const choices = joined(
    chains.map((chain, i) => line`${i} : goto ${chain}`),
    ", ",
  )
  return [...rules, line`numgen random mod ${targets.length} vmap { ${choices} }`]
}

function dnat({ word: ip }: IPFamily, targets: readonly Target[]): HostText {
  const [first] = targets
  if (targets.length === 1) return line`dnat ${ip} to ${addressAndPort(first!.address, first!.port)}`
  const choices = joined(
    targets.map(({ address, port }, i) => line`${i} : ${address} . ${port}`),
    ", ",
  )
  return line`dnat ${ip} addr . port to numgen random mod ${targets.length} map { ${choices} }`
}

function addHostPort(draft: Draft, { protocol, hostIP, hostPort, target }: HostPort): void {
  const id = hash(`host/${hostIP ?? ""}/${protocol}/${hostPort}`)
  const rules = [
    line`fib saddr type local mark set mark or ${mark}`,
    line`meta l4proto ${protocol} ${dnat(draft.family, [target])}`,
  ]
  if (hostIP !== undefined) rules.unshift(line`${draft.family.word} daddr != ${hostIP} return`)
  draft.put("hairpin", line`${target.address} . ${target.address}`)
  // Two pods may share a port on two addresses: their rules follow one another in one chain.
  const name = line`host-${hash(`${protocol}/${hostPort}`)}`
  const chain = draft.chains.get(name) ?? []
  draft.chains.set(name, chain)
  const one = line`host-${id}-one`
  if (draft.chains.has(one)) return
  draft.chains.set(one, rules)
  chain.push(line`jump ${one}`)
  draft.put("host-ports", line`${protocol} . ${hostPort}`, line`goto ${name}`)
}

/** The whole table, from nothing. */
export function fullText(ruleset: Ruleset, options: RulesetOptions): HostText {
  const { family, table, serviceCIDR, doors, links } = options
  const { word: ip, addressType, loopback } = family
  const own = joined(
    links.map((link) => line`"${link}"`),
    ", ",
  )
  /** Rules that jump, but not for other clusters' packets; all clusters' links have names that begin alike. */
  const fromOurs = (statement: HostText): HostText => {
    const ours = links.length > 0 ? line`iifname { ${own} } ${statement}\n    ` : empty
    return line`${ours}iifname "knarr-*" return
    iifname "knp-*" return
    ${statement}`
  }
  const doorKeys = doors.map(({ address, port }) => line`${address} . ${port}`)
  const head = [
    line`add table ${ip} ${table}`,
    line`delete table ${ip} ${table}`,
    line`table ${ip} ${table} {`,
    ...Object.values(declarations(addressType)),
    doorKeys.length > 0
      ? line`  set doors { type ${addressType} . inet_service; elements = { ${joined(doorKeys, ", ")} } }`
      : line`  set doors { type ${addressType} . inet_service; }`,
    line`  chain refuse { reject; }`,
    line`  chain dispatch {
    ${ip} daddr . meta l4proto . th dport vmap @services
    ${ip} daddr ${serviceCIDR} return
    ${ip} daddr @foreign return
    meta l4proto tcp ${ip} daddr . tcp dport @doors return
    ${ip} daddr != ${loopback} fib daddr type local meta l4proto . th dport vmap @node-ports
    fib daddr type local meta l4proto . th dport vmap @host-ports
  }`,
    line`  chain refusals {
    ${ip} daddr . meta l4proto . th dport vmap @refused
    ${ip} daddr @cluster-ips reject
    ${ip} daddr @foreign return
    meta l4proto tcp ${ip} daddr . tcp dport @doors return
    ${ip} daddr != ${loopback} fib daddr type local meta l4proto . th dport vmap @refused-ports
  }`,
    // Host ports on the loopback need route_localnet; nobody from outside may use it (CVE-2020-8558).
    line`  chain guard { type filter hook prerouting priority -300; iifname != "lo" ${ip} daddr ${loopback} drop; }`,
    line`  chain firewall-prerouting {
    type filter hook prerouting priority -110;
    ${fromOurs(line`ct state new ${ip} daddr . meta l4proto . th dport vmap @firewall`)}
  }`,
    line`  chain firewall-output { type filter hook output priority -110; ct state new ${ip} daddr . meta l4proto . th dport vmap @firewall; }`,
    line`  chain nat-prerouting {
    type nat hook prerouting priority -100;
    ${fromOurs(line`jump dispatch`)}
  }`,
    line`  chain nat-output { type nat hook output priority -100; jump dispatch; }`,
    line`  chain nat-postrouting {
    type nat hook postrouting priority 100;
    mark and ${mark} != 0 mark set mark xor ${mark} masquerade fully-random
    ${ip} saddr . ${ip} daddr @hairpin ct status dnat masquerade fully-random
  }`,
    line`  chain filter-input {
    type filter hook input priority -110;
    ${fromOurs(line`ct state new jump refusals`)}
  }`,
    line`  chain filter-forward {
    type filter hook forward priority -110;
    ${fromOurs(line`ct state new jump refusals`)}
  }`,
    // Behind the translation: what still has a service address then has no service.
    line`  chain filter-output { type filter hook output priority -90; ct state new jump refusals; }`,
    line`}`,
  ]
  return line`${joined([...head, ...changeText(emptyRuleset, ruleset, options)], "\n")}\n`
}

/** What leads from one state to the next, or undefined when nothing does. */
export function updateText(from: Ruleset, to: Ruleset, options: RulesetOptions): HostText | undefined {
  const lines = changeText(from, to, options)
  return lines.length > 0 ? line`${joined(lines, "\n")}\n` : undefined
}

const emptyRuleset: Ruleset = { chains: new Map(), sets: new Map(), elements: new Map() }

function changeText(from: Ruleset, to: Ruleset, { family, table }: RulesetOptions): HostText[] {
  const where = line`${family.word} ${table}`
  const lines: HostText[] = []
  const remove: HostText[] = []
  // Chains must be there before rules and elements name them, and may go only when nothing names them any more.
  for (const [name, declaration] of to.sets)
    if (!from.sets.has(name)) lines.push(line`add set ${where} ${name} { ${declaration} }`)
  const changed = [...to.chains].filter(([name, rules]) => !sameRules(from.chains.get(name), rules))
  for (const [name] of changed)
    lines.push(from.chains.has(name) ? line`flush chain ${where} ${name}` : line`add chain ${where} ${name}`)
  for (const [name, rules] of changed)
    for (const rule of rules) lines.push(line`add rule ${where} ${name} ${rule}`)
  for (const map of mapNames) {
    const before = from.elements.get(map)
    const after = to.elements.get(map)
    const element = line`element ${where} ${nameText(map)}`
    const gone = [...(before ?? [])].filter(([key, value]) => after?.get(key) !== value).map(([key]) => key)
    const come = [...(after ?? [])].filter(([key, value]) => before?.get(key) !== value)
    if (gone.length > 0) lines.push(line`delete ${element} { ${joined(gone, ", ")} }`)
    if (come.length > 0) {
      const pairs = come.map(([key, value]) => (value === empty ? key : line`${key} : ${value}`))
      lines.push(line`add ${element} { ${joined(pairs, ", ")} }`)
    }
  }
  for (const name of from.chains.keys()) {
    if (to.chains.has(name)) continue
    lines.push(line`flush chain ${where} ${name}`)
    remove.push(line`delete chain ${where} ${name}`)
  }
  for (const name of from.sets.keys()) if (!to.sets.has(name)) remove.push(line`delete set ${where} ${name}`)
  return [...lines, ...remove]
}

function sameRules(a: readonly HostText[] | undefined, b: readonly HostText[]): boolean {
  return a !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i])
}

/** 128 bits of SHA-256: users choose the names of services, and nobody must find two with one chain. */
function hash(text: string): NameText {
  return nameText(`h${createHash("sha256").update(text).digest("hex").slice(0, 32)}`)
}
