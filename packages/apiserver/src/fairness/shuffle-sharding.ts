/** Deals each flow its hand of queues. Mirrors: apiserver pkg/util/shufflesharding/dealer.go */
import { createHash } from "node:crypto"

/** What tells a flow from others: the same for all servers. */
export function hashOfFlow(schema: string, distinguisher: string): bigint {
  const hash = createHash("sha256").update(schema).update("\0").update(distinguisher)
  return hash.digest().readBigUInt64LE()
}

/** `handSize` different numbers below `deckSize`. */
export function deal(hash: bigint, deckSize: number, handSize: number): number[] {
  const remainders: number[] = []
  for (let i = 0; i < handSize; i++) {
    const size = BigInt(deckSize - i)
    remainders.push(Number(hash % size))
    hash /= size
  }
  return remainders.map((remainder, i) => {
    let card = remainder
    for (let j = i; j > 0; j--) if (card >= remainders[j - 1]!) card++
    return card
  })
}
