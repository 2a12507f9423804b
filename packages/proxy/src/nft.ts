/** Runs `nft`. */
import type { HostText, IPFamily, NameText } from "@knarr/apimachinery"
import { runProgram } from "@knarr/base"

/** nft or the kernel did not take the text; anything else that goes wrong is another error. */
export class NftRefusal extends Error {
  constructor(message: string) {
    super(message)
    this.name = "NftRefusal"
  }
}

const maxProblemChars = 4096

/**
 * Runs one transaction; with `check` it is tried and nothing is changed. Rejects with a {@link NftRefusal} that has
 * nft's words.
 */
export async function runNft(
  text: HostText,
  signal: AbortSignal,
  { check = false }: { readonly check?: boolean } = {},
): Promise<void> {
  const args = check ? ["-c", "-f", "-"] : ["-f", "-"]
  const { code, killedBy, err } = await runProgram("nft", args, { signal, input: text })
  if (killedBy) throw new Error(`nft was ended by ${killedBy}`)
  if (code !== 0) throw new NftRefusal(`nft ended with ${code}: ${err.slice(0, maxProblemChars).trim()}`)
}

/** Whether there is a table of this name and family. */
export async function hasTable(
  { family, table }: { readonly family: IPFamily; readonly table: NameText },
  signal: AbortSignal,
): Promise<boolean> {
  const { out } = await runProgram("nft", ["list", "tables", family.word], { signal })
  return out.split("\n").includes(`table ${family.word} ${table}`)
}

/**
 * Finds the items because of which `accepts` says no (answering why), by halves: what is accepted stays, so of two
 * that only do not go together one is found. Throws when even nothing is not accepted.
 */
export async function findRefused<T>(
  items: readonly T[],
  accepts: (items: readonly T[]) => Promise<string | undefined>,
): Promise<{ readonly item: T; readonly reason: string }[]> {
  const found: { item: T; reason: string }[] = []
  const good: T[] = []
  const never = await accepts([])
  if (never !== undefined) throw new NftRefusal(never)
  const search = async (part: readonly T[]): Promise<void> => {
    if (part.length === 0) return
    const reason = await accepts([...good, ...part])
    if (reason === undefined) good.push(...part)
    else if (part.length === 1) found.push({ item: part[0]!, reason })
    else {
      const half = Math.ceil(part.length / 2)
      await search(part.slice(0, half))
      await search(part.slice(half))
    }
  }
  await search(items)
  return found
}
