/**
 * Amounts of a resource: `100m`, `1.5Gi`, `12e6`. Exact at any size: the value is mantissa × 10^scale, with a plain
 * number as mantissa while it is a safe integer and a BigInt beyond. Values are immutable.
 * Mirrors: apimachinery pkg/api/resource
 */

/** How a quantity is printed: `1500m`, `1536Mi`, `15e2`. */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent"

const formatWrong =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const suffixWrong = "unable to parse quantity's suffix"
const numericWrong = "unable to parse numeric part of quantity"

const decimalSuffixes: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
}
const binarySuffixes: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 }
const decimalNames = new Map(Object.entries(decimalSuffixes).map(([name, exponent]) => [exponent, name]))
const binaryNames = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]

const maxInt64 = 2n ** 63n - 1n
/** No printed amount needs more; it keeps a hostile exponent from filling memory. */
const maxExpandedScale = 4096

type Integer = number | bigint

function normal(value: bigint): Integer {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value
}

function isZero(value: Integer): boolean {
  return typeof value === "number" ? value === 0 : value === 0n
}

function power10(exponent: number): bigint {
  return 10n ** BigInt(Math.min(exponent, maxExpandedScale))
}

function multiply10(value: Integer, exponent: number): Integer {
  if (exponent === 0 || isZero(value)) return value
  if (typeof value === "number" && exponent <= 15) {
    const product = value * 10 ** exponent
    if (Number.isSafeInteger(product)) return product
  }
  return normal(BigInt(value) * power10(exponent))
}

/** `value` / 10^exponent, rounded away from zero, as upstream rounds. */
function divide10Up(value: Integer, exponent: number): Integer {
  if (typeof value === "number" && exponent <= 15) {
    const divisor = 10 ** exponent
    const rest = value % divisor
    const whole = (value - rest) / divisor
    return rest === 0 ? whole : whole + Math.sign(value)
  }
  const big = BigInt(value)
  const divisor = power10(exponent)
  const whole = big / divisor
  const rest = big % divisor
  return normal(rest === 0n ? whole : whole + (big < 0n ? -1n : 1n))
}

/** An amount of a resource. Build it with {@link parseQuantity} or {@link Quantity.of}. */
export class Quantity {
  readonly format: QuantityFormat
  readonly #mantissa: Integer
  /** value = mantissa × 10^scale; never below -9. */
  readonly #scale: number
  #text: string | undefined

  constructor(mantissa: Integer, scale: number, format: QuantityFormat, text?: string) {
    this.#mantissa = typeof mantissa === "bigint" ? normal(mantissa) : mantissa
    this.#scale = scale
    this.format = format
    this.#text = text
  }

  /** A whole amount. */
  static of(value: Integer, format: QuantityFormat = "DecimalSI"): Quantity {
    return new Quantity(value, 0, format)
  }

  /** An amount in thousandths. */
  static ofMilli(value: Integer, format: QuantityFormat = "DecimalSI"): Quantity {
    return new Quantity(value, -3, format)
  }

  /** -1, 0 or 1. */
  sign(): number {
    return this.#mantissa > 0 ? 1 : this.#mantissa < 0 ? -1 : 0
  }

  isZero(): boolean {
    return isZero(this.#mantissa)
  }

  /** In units of 10^scale, rounded away from zero; exact. */
  scaledValue(scale: number): Integer {
    const shift = this.#scale - scale
    return shift >= 0 ? multiply10(this.#mantissa, shift) : divide10Up(this.#mantissa, -shift)
  }

  /** The whole amount, rounded away from zero. Exact up to 2^53. */
  value(): number {
    return Number(this.scaledValue(0))
  }

  /** The amount in thousandths, rounded away from zero. Exact up to 2^53. */
  milliValue(): number {
    return Number(this.scaledValue(-3))
  }

  /** The nearest floating-point number. */
  asNumber(): number {
    if (this.#scale === 0) return Number(this.#mantissa)
    return Number(`${this.#mantissa}e${this.#scale}`)
  }

  /** Negative, 0 or positive as this is less than, equal to or more than `other`. */
  compare(other: Quantity): number {
    const sign = this.sign()
    const otherSign = other.sign()
    if (sign !== otherSign) return sign - otherSign
    if (sign === 0) return 0
    const a = this.#mantissa
    const b = other.#mantissa
    const shift = this.#scale - other.#scale
    if (Math.abs(shift) > maxExpandedScale) return shift > 0 ? sign : -sign
    const x = shift > 0 ? multiply10(a, shift) : a
    const y = shift < 0 ? multiply10(b, -shift) : b
    return x < y ? -1 : x > y ? 1 : 0
  }

  /** Whether both are the same amount, in whatever format. */
  equals(other: Quantity): boolean {
    return this.compare(other) === 0
  }

  /** The sum, in this one's format (in the other's when this one is zero). */
  add(other: Quantity): Quantity {
    return this.#plus(other.#mantissa, other)
  }

  /** The difference, in this one's format (in the other's when this one is zero). */
  sub(other: Quantity): Quantity {
    return this.#plus(-other.#mantissa, other)
  }

  /** This times a whole number. */
  mul(factor: Integer): Quantity {
    return new Quantity(BigInt(this.#mantissa) * BigInt(factor), this.#scale, this.format)
  }

  neg(): Quantity {
    return new Quantity(isZero(this.#mantissa) ? 0 : -this.#mantissa, this.#scale, this.format)
  }

  #plus(mantissa: Integer, other: Quantity): Quantity {
    const format = this.isZero() ? other.format : this.format
    const scale = Math.min(this.#scale, other.#scale)
    const a = multiply10(this.#mantissa, this.#scale - scale)
    const b = multiply10(mantissa, other.#scale - scale)
    if (typeof a === "number" && typeof b === "number") {
      const sum = a + b
      if (Number.isSafeInteger(sum)) return new Quantity(sum, scale, format)
    }
    return new Quantity(BigInt(a) + BigInt(b), scale, format)
  }

  /** The canonical text. */
  toString(): string {
    return (this.#text ??= this.#print())
  }

  toJSON(): string {
    return this.toString()
  }

  #print(): string {
    if (this.isZero()) return "0"
    if (this.format === "BinarySI") {
      const rounded = this.scaledValue(0)
      const small = rounded > -1024 && rounded < 1024
      const exact = this.#scale >= 0 || multiply10(rounded, -this.#scale) === this.#mantissa
      // What is below 1Ki, or no whole number, is printed in decimal. (Rounding up cannot hide a value below 1024
      // that matters: 1023.5 rounds to 1024 and is not exact.)
      if (!small && exact) return printBinary(rounded)
    }
    return this.#printDecimal()
  }

  #printDecimal(): string {
    let exponent = this.#scale
    let digits = this.#mantissa.toString()
    let zeros = 0
    while (digits[digits.length - 1 - zeros] === "0") zeros++
    digits = zeros > 0 ? digits.slice(0, -zeros) : digits
    exponent += zeros
    while (exponent % 3 !== 0) {
      digits += "0"
      exponent--
    }
    if (this.format === "DecimalExponent") return exponent === 0 ? digits : `${digits}e${exponent}`
    return digits + (decimalNames.get(exponent) ?? "")
  }
}

function printBinary(value: Integer): string {
  let exponent = 0
  if (typeof value === "number") {
    while (value % 1024 === 0) {
      value /= 1024
      exponent++
    }
  } else {
    while (value % 1024n === 0n) {
      value /= 1024n
      exponent++
    }
  }
  return value.toString() + (binaryNames[exponent] ?? "")
}

/** More digits than any amount has. Upstream reads them, in a time that grows faster than they do. */
const maxDigits = 1024

interface Parts {
  readonly negative: boolean
  /** Without leading zeros; "0" for none. */
  readonly whole: string
  readonly fraction: string
  readonly suffix: string
}

/** Takes `[+-]? digits? (. digits?)? letters? [+-]? digits?` apart, in one pass; undefined for anything else. */
function partsOf(text: string): Parts | undefined {
  let at = 0
  const isDigit = (): boolean => text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57
  const digits = (): string => {
    const from = at
    while (isDigit()) at++
    return text.slice(from, at)
  }
  const sign = text[0]
  if (sign === "+" || sign === "-") at++
  while (text[at] === "0") at++
  const whole = digits() || "0"
  let fraction = ""
  if (text[at] === ".") {
    at++
    fraction = digits()
  }
  const from = at
  while (at < text.length && "eEinumkKMGTP".includes(text[at]!)) at++
  if (text[at] === "+" || text[at] === "-") at++
  digits()
  if (at < text.length) return undefined
  return { negative: sign === "-", whole, fraction, suffix: text.slice(from) }
}

function readSuffix(suffix: string): { format: QuantityFormat; exponent: number } {
  const decimal = decimalSuffixes[suffix]
  if (decimal !== undefined) return { format: "DecimalSI", exponent: decimal }
  const binary = binarySuffixes[suffix]
  if (binary !== undefined) return { format: "BinarySI", exponent: binary }
  if (/^[eE][-+]?\d+$/.test(suffix)) {
    const exponent = Number(suffix.slice(1))
    if (Math.abs(exponent) <= 2 ** 31) return { format: "DecimalExponent", exponent }
  }
  throw new Error(suffixWrong)
}

function read(text: string): Quantity {
  if (text === "") throw new Error(formatWrong)
  const parts = partsOf(text)
  if (!parts) throw new Error(formatWrong)
  const { negative, whole, fraction } = parts
  const { format, exponent } = readSuffix(parts.suffix)
  const digits = whole + fraction
  if (digits.length > maxDigits) throw new Error(numericWrong)
  const sign = negative ? -1n : 1n

  if (format === "BinarySI") {
    const short = fraction === "" && 15 - whole.length - Math.trunc((exponent * 3) / 10) - 1 >= 0
    if (short) {
      const count = BigInt(digits)
      const product = count << BigInt(exponent)
      if (product <= maxInt64) {
        // A count that is no multiple of eight cannot be written shorter: upstream keeps the text as it came.
        return new Quantity(sign * product, 0, format, (count & 7n) !== 0n ? text : undefined)
      }
    }
    requireDigit(text)
    let value = divide10Up(BigInt(digits) << BigInt(exponent), 0)
    let scale = -fraction.length
    if (scale < -9) {
      value = divide10Up(value, -9 - scale)
      scale = -9
    }
    const big = BigInt(value)
    if (big > maxInt64 * 10n ** BigInt(-scale)) return new Quantity(sign * maxInt64, 0, format)
    const belowOne = big < 10n ** BigInt(-scale)
    return new Quantity(sign * big, scale, belowOne && big > 0n ? "DecimalSI" : format)
  }

  const scale = exponent - fraction.length
  if (scale >= -9 && digits.length <= 18) {
    const keep = scale % 3 === 0 && !digits.endsWith("000") && digits[0] !== "0"
    return new Quantity(sign * BigInt(digits), scale, format, keep ? text : undefined)
  }
  requireDigit(text)
  if (scale >= -9) return new Quantity(sign * BigInt(digits), scale, format)
  const dropped = -9 - scale
  const rounded =
    dropped > maxExpandedScale || dropped > digits.length
      ? /[1-9]/.test(digits)
        ? 1n
        : 0n
      : BigInt(divide10Up(BigInt(digits), dropped))
  return new Quantity(sign * rounded, -9, format)
}

function requireDigit(text: string): void {
  if (!/^[+-]?(?:\d|\.\d)/.test(text)) throw new Error(numericWrong)
}

const parsed = new Map<string, Quantity>()
const maxParsed = 8192

/** The amount that `text` stands for. Throws an Error with upstream's message. Repeated texts share one value. */
export function parseQuantity(text: string): Quantity {
  const known = parsed.get(text)
  if (known) return known
  const value = read(text)
  if (parsed.size >= maxParsed) parsed.clear()
  if (text.length <= 64) parsed.set(text, value)
  return value
}

/** `text` as Kubernetes prints it: `0.5` is `500m`, `1024Mi` is `1Gi`. Throws as {@link parseQuantity}. */
export function canonicalQuantity(text: string): string {
  return parseQuantity(text).toString()
}

/** Negative, 0 or positive as `a` is less than, equal to or more than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.compare(b)
}

/** Zero, in decimal format. */
export const zeroQuantity: Quantity = new Quantity(0, 0, "DecimalSI")
