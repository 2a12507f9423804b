/**
 * Lets pods' packets through a host whose iptables drops what is forwarded (a machine with Docker does). An accept
 * in a table of our own could not: a drop in any table is final.
 */
import type { IPv4Network, NameText } from "@knarr/apimachinery"
import { isInstalled, runHostCommand } from "./host-command.ts"

/** The arguments of the `iptables` calls that let `cidrs` through, from the chain's listing (`iptables -S FORWARD`). */
export function planForwardRules(listing: string, cidrs: readonly IPv4Network[], tag: NameText): string[][] {
  const lines = listing.split("\n").map((line) => line.trim())
  if (!lines.includes("-P FORWARD DROP")) return []
  const ours = lines.filter((line) => commentOf(line) === tag)
  return cidrs
    .flatMap((cidr) => [
      ["-s", cidr],
      ["-d", cidr],
    ])
    .filter(([flag, cidr]) => !ours.some((line) => line.includes(`${flag} ${cidr} `)))
    .map((match) => ["-I", "FORWARD", ...match, "-m", "comment", "--comment", tag, "-j", "ACCEPT"])
}

/** The arguments of the calls that remove every rule with this tag. */
export function planForwardRemoval(listing: string, tag: NameText): string[][] {
  return listing
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("-A FORWARD ") && commentOf(line) === tag)
    .map((line) => ["-D", ...line.replaceAll('"', "").split(" ").slice(1)])
}

/** Idempotent; does nothing where iptables is missing or lets everything through. */
export async function acceptForwarded(
  cidrs: readonly IPv4Network[],
  tag: NameText,
  signal: AbortSignal,
): Promise<void> {
  const listing = await listForward(signal)
  for (const args of planForwardRules(listing, cidrs, tag))
    await runHostCommand("iptables", ["-w", ...args], { signal })
}

/** Takes back what {@link acceptForwarded} did. Idempotent. */
export async function removeAccepted(tag: NameText, signal: AbortSignal): Promise<void> {
  for (const args of planForwardRemoval(await listForward(signal), tag))
    await runHostCommand("iptables", ["-w", ...args], { signal })
}

/** Empty where there is no such chain to look at. */
async function listForward(signal: AbortSignal): Promise<string> {
  if (!isInstalled("iptables")) return ""
  try {
    return await runHostCommand("iptables", ["-w", "-S", "FORWARD"], { signal })
  } catch {
    signal.throwIfAborted()
    return ""
  }
}

function commentOf(line: string): string | undefined {
  return /--comment "?([^" ]+)"?/.exec(line)?.[1]
}
