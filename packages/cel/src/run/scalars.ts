/** Values that JavaScript has no type for, and whole numbers of 64 bits. Mirrors: cel-go common/types */

export class Double {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

export class Uint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

/** A moment; `offset` is how many seconds east of UTC it was written, for printing alone. */
export class Timestamp {
  readonly seconds: number
  readonly nanos: number
  readonly offset: number
  constructor(seconds: number, nanos: number, offset = 0) {
    this.seconds = seconds
    this.nanos = nanos
    this.offset = offset
  }
}

export class Duration {
  readonly nanos: bigint
  constructor(nanos: bigint) {
    this.nanos = nanos
  }
}

const maxInt = 2n ** 63n - 1n
const maxUint = 2n ** 64n - 1n

/** The int, or undefined when it has more than 64 bits. */
export function toInt(value: bigint): number | bigint | undefined {
  if (value >= -9007199254740991n && value <= 9007199254740991n) return Number(value)
  return value > maxInt || value < -maxInt - 1n ? undefined : value
}

export function toUint(value: bigint): Uint | undefined {
  return value < 0n || value > maxUint ? undefined : new Uint(value)
}
