/**
 * How many seats a priority level has: its share of the server's, what it must keep and may borrow, and what it gets of that
 * by what was asked of it. Mirrors: apiserver pkg/util/flowcontrol/{apf_controller,conc_alloc}.go
 */

export interface SeatLimits {
  readonly nominal: number
  /** What is never lent. */
  readonly min: number
  /** What there may be with what is borrowed. */
  readonly max: number
}

export interface Shares {
  readonly shares: number
  readonly lendablePercent: number
  /** Undefined: no bound. */
  readonly borrowingLimitPercent: number | undefined
}

export function seatLimits(level: Shares, shareSum: number, serverSeats: number): SeatLimits {
  const nominal = shareSum === 0 ? 0 : Math.ceil((serverSeats * level.shares) / shareSum)
  const lendable = Math.round((nominal * level.lendablePercent) / 100)
  const borrowing =
    level.borrowingLimitPercent === undefined
      ? serverSeats
      : Math.round((nominal * level.borrowingLimitPercent) / 100)
  return { nominal, min: nominal - lendable, max: nominal + borrowing }
}

const smoothing = 0.977

/** How many seats are in use or waited for, over time. */
export class SeatDemand {
  #value = 0
  #since: number
  #from: number
  #sum = 0
  #squares = 0
  #highest = 0
  average = 0
  deviation = 0
  highWatermark = 0
  smoothed = 0

  constructor(nowMs: number) {
    this.#since = this.#from = nowMs
  }

  set(value: number, nowMs: number): void {
    this.#account(nowMs)
    this.#value = value
    if (value > this.#highest) this.#highest = value
  }

  /** Takes stock of the time since it was last taken. */
  update(nowMs: number): void {
    this.#account(nowMs)
    const ms = nowMs - this.#from
    if (ms > 0) {
      this.average = this.#sum / ms
      this.deviation = Math.sqrt(Math.max(0, this.#squares / ms - this.average ** 2))
    }
    this.highWatermark = Math.round(this.#highest)
    const envelope = this.average + this.deviation
    this.smoothed = Math.max(envelope, smoothing * this.smoothed + (1 - smoothing) * envelope)
    this.#from = nowMs
    this.#sum = this.#squares = 0
    this.#highest = this.#value
  }

  #account(nowMs: number): void {
    const ms = nowMs - this.#since
    if (ms <= 0) return
    this.#sum += this.#value * ms
    this.#squares += this.#value ** 2 * ms
    this.#since = nowMs
  }
}

export interface Claim {
  readonly isExempt: boolean
  readonly limits: SeatLimits
  readonly demand: Pick<SeatDemand, "highWatermark" | "smoothed">
}

/** The seats of each level now, and the fraction of what is asked for that all get alike. */
export function allocate(
  claims: readonly Claim[],
  nominalSum: number,
): { seats: number[]; fairFraction: number } {
  const least = claims.map(({ isExempt, limits: { min, nominal }, demand: { highWatermark } }) =>
    isExempt ? Math.max(min, highWatermark) : Math.max(min, Math.min(nominal, highWatermark)),
  )
  const sum = (of: (claim: Claim, i: number) => number): number =>
    claims.reduce((total, claim, i) => total + (claim.isExempt ? 0 : of(claim, i)), 0)
  const remaining = nominalSum - claims.reduce((all, claim, i) => all + (claim.isExempt ? least[i]! : 0), 0)
  const minSum = sum(({ limits }) => limits.min)
  const leastSum = sum((_, i) => least[i]!)
  const forEach = (of: (claim: Claim, i: number) => number): number[] =>
    claims.map((claim, i) => (claim.isExempt ? least[i]! : Math.round(of(claim, i))))
  if (remaining <= minSum) return { seats: forEach(({ limits }) => limits.min), fairFraction: 0 }
  if (remaining <= leastSum) {
    const share = (remaining - minSum) / (leastSum - minSum)
    const seats = forEach(({ limits }, i) => limits.min + (least[i]! - limits.min) * share)
    return { seats, fairFraction: 0 }
  }
  const at =
    (fraction: number) =>
    ({ limits, demand }: Claim, i: number) =>
      Math.min(limits.max, Math.max(least[i]!, fraction * Math.max(least[i]!, demand.smoothed, 1e-6)))
  // What all get together grows with the fraction.
  let low = 0
  let high = 1
  while (sum(at(high)) < remaining && high < 1e12) high *= 2
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (sum(at(middle)) < remaining) low = middle
    else high = middle
  }
  return { seats: forEach(at(high)), fairFraction: high }
}
