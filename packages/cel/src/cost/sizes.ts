/**
 * Ranges of sizes and of costs, which stop at 2^64-1 and do not overflow.
 * Mirrors: cel-go checker/cost.go (SizeEstimate, CostEstimate)
 */

export const unlimited: bigint = 2n ** 64n - 1n

/** From the least to the most. */
export interface Range {
  readonly min: bigint
  readonly max: bigint
}

export const range = (min: bigint | number, max: bigint | number = min): Range => ({
  min: BigInt(min),
  max: BigInt(max),
})
export const anything: Range = range(0n, unlimited)
export const nothing: Range = range(0)
export const one: Range = range(1)

const capped = (value: bigint): bigint => (value > unlimited ? unlimited : value)

export const plus = (a: Range, b: Range): Range => ({
  min: capped(a.min + b.min),
  max: capped(a.max + b.max),
})
export const times = (a: Range, b: Range): Range => ({
  min: capped(a.min * b.min),
  max: capped(a.max * b.max),
})
export const union = (a: Range, b: Range): Range => ({
  min: a.min < b.min ? a.min : b.min,
  max: a.max > b.max ? a.max : b.max,
})

/** Rounded up, in floating point as upstream. */
export function scaled(value: bigint, factor: number): bigint {
  const product = Math.ceil(Number(value) * factor)
  return product >= 2 ** 64 ? unlimited : BigInt(product)
}

export const scale = (a: Range, factor: number): Range => ({
  min: scaled(a.min, factor),
  max: scaled(a.max, factor),
})
