/**
 * Lets the cluster's packets through a host whose iptables drops what is forwarded or what comes in (a machine with
 * Docker or ufw does). An accept in a table of our own could not: a drop in any table is final.
 */
import {
  familyOf,
  ipFamilies,
  ipv4,
  type IPFamily,
  type IPv4Address,
  type IPv4Network,
  type NameText,
  type NetworkText,
  type PortNumber,
} from "@knarr/apimachinery"
import { isInstalled, runHostCommand } from "./host-command.ts"

type ChainName = "FORWARD" | "INPUT" | "OUTPUT"

/** What pods and nodes ask of the machine itself. */
export interface Doors {
  readonly from: readonly IPv4Network[]
  readonly address: IPv4Address
  readonly tcp: readonly PortNumber[]
  readonly udp: readonly PortNumber[]
}

/**
 * The arguments of the `iptables` calls that accept `matches` in a chain, from its listing (`iptables -S FORWARD`);
 * none where the chain lets everything through. Matches are written as listings write them.
 */
function planAccept(
  chain: ChainName,
  listing: string,
  matches: readonly string[][],
  tag: NameText,
): string[][] {
  const lines = listing.split("\n").map((line) => line.trim())
  const drops = lines.some(
    (line) => line === `-P ${chain} DROP` || new RegExp(`^-A ${chain} -j (?:DROP|REJECT)\\b`).test(line),
  )
  if (!drops) return []
  const ours = lines.filter((line) => commentOf(line) === tag)
  return matches
    .filter((match) => !ours.some((line) => line.includes(` ${match.join(" ")} -m comment`)))
    .map((match) => ["-I", chain, ...match, "-m", "comment", "--comment", tag, "-j", "ACCEPT"])
}

/** The calls that let what comes from or goes to `cidrs` be forwarded. */
export function planForwardRules(listing: string, cidrs: readonly NetworkText[], tag: NameText): string[][] {
  const matches = cidrs.flatMap((cidr) => [
    ["-s", cidr],
    ["-d", cidr],
  ])
  return planAccept("FORWARD", listing, matches, tag)
}

/** The calls that let pods and nodes in at the doors. */
export function planInputRules(listing: string, doors: readonly Doors[], tag: NameText): string[][] {
  const matches = doors.flatMap(({ from, address, tcp, udp }) =>
    from.flatMap((network) => [
      ...tcp.map((port) => [
        "-s",
        network,
        "-d",
        `${address}/32`,
        "-p",
        "tcp",
        "-m",
        "tcp",
        "--dport",
        `${port}`,
      ]),
      ...udp.map((port) => [
        "-s",
        network,
        "-d",
        `${address}/32`,
        "-p",
        "udp",
        "-m",
        "udp",
        "--dport",
        `${port}`,
      ]),
    ]),
  )
  return planAccept("INPUT", listing, matches, tag)
}

/** The calls that let the answers of {@link Doors.udp} out: they belong to no tracked connection. */
export function planOutputRules(listing: string, doors: readonly Doors[], tag: NameText): string[][] {
  const matches = doors.flatMap(({ from, address, udp }) =>
    from.flatMap((network) =>
      udp.map((port) => {
        const ends = ["-s", `${address}/32`, "-d", network]
        return [...ends, "-p", "udp", "-m", "udp", "--sport", `${port}`]
      }),
    ),
  )
  return planAccept("OUTPUT", listing, matches, tag)
}

/** The arguments of the calls that remove every rule with this tag. */
export function planForwardRemoval(listing: string, tag: NameText): string[][] {
  return listing
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^-A (?:FORWARD|INPUT|OUTPUT) /.test(line) && commentOf(line) === tag)
    .map((line) => ["-D", ...line.replaceAll('"', "").split(" ").slice(1)])
}

/** Idempotent; does nothing where iptables is missing or lets everything through. */
export async function acceptForwarded(
  cidrs: readonly NetworkText[],
  tag: NameText,
  signal: AbortSignal,
): Promise<void> {
  for (const family of ipFamilies) {
    const ours = cidrs.filter((cidr) => familyOf(cidr) === family)
    if (ours.length === 0) continue
    const listing = await listChain("FORWARD", signal, family)
    for (const args of planForwardRules(listing, ours, tag))
      await runHostCommand(programOf(family), ["-w", ...args], { signal })
  }
}

/** As {@link acceptForwarded}, for what comes in, and for what answers it without a tracked connection. */
export async function acceptAtDoors(
  doors: readonly Doors[],
  tag: NameText,
  signal: AbortSignal,
): Promise<void> {
  const incoming = planInputRules(await listChain("INPUT", signal), doors, tag)
  const outgoing = planOutputRules(await listChain("OUTPUT", signal), doors, tag)
  for (const args of [...incoming, ...outgoing]) await runHostCommand("iptables", ["-w", ...args], { signal })
}

/** Takes back what {@link acceptForwarded} and {@link acceptAtDoors} did of IPv4. Idempotent. */
export async function removeAccepted(tag: NameText, signal: AbortSignal): Promise<void> {
  for (const chain of ["FORWARD", "INPUT", "OUTPUT"] as const)
    for (const args of planForwardRemoval(await listChain(chain, signal), tag))
      await runHostCommand("iptables", ["-w", ...args], { signal })
}

/** Empty where there is no such chain to look at. */
async function listChain(chain: ChainName, signal: AbortSignal, family: IPFamily = ipv4): Promise<string> {
  const program = programOf(family)
  if (!isInstalled(program)) return ""
  try {
    return await runHostCommand(program, ["-w", "-S", chain], { signal })
  } catch {
    signal.throwIfAborted()
    return ""
  }
}

function programOf(family: IPFamily): "iptables" | "ip6tables" {
  return family === ipv4 ? "iptables" : "ip6tables"
}

function commentOf(line: string): string | undefined {
  return /--comment "?([^" ]+)"?/.exec(line)?.[1]
}
