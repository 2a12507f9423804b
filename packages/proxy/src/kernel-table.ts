/** The proxy's table in the kernel: brought from state to state, without the objects that the kernel refuses. */
import type { HostText } from "@knarr/apimachinery"
import { NftRefusal, findRefused, hasTable, runNft } from "./nft.ts"
import { computeRuleset, fullText, updateText, type Ruleset, type RulesetOptions } from "./ruleset.ts"
import { keyOf, type ProxyState, type Refused } from "./service-map.ts"
import type { Owner } from "./owner.ts"

/** The states' parts that are in the table. */
export type Programmed = Pick<ProxyState, "servicePorts" | "hostPorts" | "foreign">

/** The table as far as we know it, and the objects that the kernel would not take. */
export class KernelTable {
  readonly #options: RulesetOptions
  /** Undefined: not known, as at the start and after a failure. */
  #applied: Ruleset | undefined
  /** Owner → what of it was refused, and why. */
  readonly #refused = new Map<
    string,
    { readonly owner: Owner; readonly text: string; readonly reason: string }
  >()

  constructor(options: RulesetOptions) {
    this.#options = options
  }

  /** Brings the kernel to this state, but for the objects it answers. */
  async program(state: Programmed, signal: AbortSignal): Promise<Refused[]> {
    const texts = textsOf(state)
    // What has changed is tried again.
    for (const [key, { text }] of this.#refused) if (texts.get(key) !== text) this.#refused.delete(key)
    const broken: Refused[] = []
    const rulesWithout = (left: (key: string) => boolean): Ruleset =>
      computeRuleset(without(state, left), this.#options, (owner, reason) => broken.push({ owner, reason }))
    let wanted = rulesWithout((key) => this.#refused.has(key))
    try {
      await this.#change(wanted, signal)
    } catch (thrown) {
      if (!(thrown instanceof NftRefusal)) throw thrown
      // Perhaps the kernel's table was not what we thought; if it was, somebody's rules are not to be had.
      await this.#change(wanted, signal).catch(async (again: unknown) => {
        if (!(again instanceof NftRefusal)) throw again
        await this.#find(state, signal)
        wanted = rulesWithout((key) => this.#refused.has(key))
        await this.#change(wanted, signal)
      })
    }
    return [...broken, ...[...this.#refused.values()].map(({ owner, reason }) => ({ owner, reason }))]
  }

  /** Whether somebody has removed the table: what is programmed next makes it again, whole. */
  async isGone(signal: AbortSignal): Promise<boolean> {
    if (this.#applied === undefined || (await hasTable(this.#options, signal))) return false
    this.#applied = undefined
    return true
  }

  async #change(wanted: Ruleset, signal: AbortSignal): Promise<void> {
    const before = this.#applied
    const text = before ? updateText(before, wanted, this.#options) : fullText(wanted, this.#options)
    this.#applied = undefined
    if (text !== undefined) await runNft(text, signal)
    this.#applied = wanted
  }

  /** Remembers whose rules the kernel refuses. */
  async #find(state: Programmed, signal: AbortSignal): Promise<void> {
    const texts = textsOf(state)
    const owners = new Map<string, Owner>()
    for (const { owner } of [...state.servicePorts, ...state.hostPorts]) {
      const key = keyOf(owner)
      if (!this.#refused.has(key)) owners.set(key, owner)
    }
    const found = await findRefused([...owners.keys()], async (keys) => {
      const kept = new Set(keys)
      const rules = computeRuleset(
        without(state, (key) => !kept.has(key)),
        this.#options,
        () => {},
      )
      return refusalOf(fullText(rules, this.#options), signal)
    })
    for (const { item, reason } of found)
      this.#refused.set(item, { owner: owners.get(item)!, text: texts.get(item)!, reason })
  }
}

/** What nft says against the text, or undefined. */
async function refusalOf(text: HostText, signal: AbortSignal): Promise<string | undefined> {
  try {
    await runNft(text, signal, { check: true })
    return undefined
  } catch (thrown) {
    if (thrown instanceof NftRefusal) return thrown.message
    throw thrown
  }
}

/** Everything that is programmed for each owner. */
function textsOf({ servicePorts, hostPorts }: Programmed): Map<string, string> {
  const texts = new Map<string, string>()
  for (const part of [...servicePorts, ...hostPorts]) {
    const key = keyOf(part.owner)
    texts.set(key, `${texts.get(key) ?? ""}${JSON.stringify(part)}\n`)
  }
  return texts
}

function without(
  { servicePorts, hostPorts, foreign }: Programmed,
  left: (key: string) => boolean,
): Programmed {
  const stays = ({ owner }: { readonly owner: Owner }): boolean => !left(keyOf(owner))
  return { servicePorts: servicePorts.filter(stays), hostPorts: hostPorts.filter(stays), foreign }
}
