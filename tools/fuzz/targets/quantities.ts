/** Quantities: the canonical form is stable, stands for the same amount, and comparison agrees with whole numbers. */
import { canonicalQuantity, compareQuantities, parseQuantity } from "@knarr/apimachinery"
import { answerOf, defineTarget, expect } from "../target.ts"

const suffixes = [
  "",
  "n",
  "u",
  "m",
  "k",
  "M",
  "G",
  "T",
  "P",
  "E",
  "Ki",
  "Mi",
  "Gi",
  "Ti",
  "Pi",
  "Ei",
  "e3",
  "E-3",
]
const powers: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
}
const binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]

/** Whether it may be as much as 10^18 or more: for 10^21 upstream has no suffix, and its canonical form is wrong. */
function isBeyondSuffixes(text: string): boolean {
  const [, whole = "", suffix = "", exponent = "0"] =
    /^[+-]?0*(\d*)[.\d]*([A-Za-z]*)([+-]?\d*)$/.exec(text) ?? []
  const places = powers[suffix] ?? 4 * (binary.indexOf(suffix) + 1)
  return whole.length + places + Number(exponent) > 18
}

/** The amount times 10^18, by other means than ours; undefined for what is long. */
function amountOf(text: string): bigint | undefined {
  const match = /^([+-]?)(\d{0,30})(?:\.(\d{0,18}))?(?:([numkMGTPE])|([KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/.exec(
    text,
  )
  if (!match) return undefined
  const [, sign, whole = "", fraction = "", decimal, two, exponent] = match
  let scale = 18 - fraction.length + (decimal ? powers[decimal]! : 0) + Number(exponent ?? 0)
  let value = BigInt(whole + fraction || "0")
  if (two) value *= 1024n ** BigInt(binary.indexOf(two) + 1)
  // What is smaller than nano is rounded, and that is not looked at here.
  if (scale < 9 && scale - 9 < 0 && value % 10n ** BigInt(9 - scale) !== 0n) return undefined
  if (scale < 0) {
    value /= 10n ** BigInt(-scale)
    scale = 0
  }
  value *= 10n ** BigInt(scale)
  return sign === "-" ? -value : value
}

export const quantities = defineTarget<{ text: string; other: string }>({
  name: "quantities",
  quick: 1500,
  open: () => ({
    generate(draw) {
      const one = (): string => {
        const digits = (most: number): string => draw.list(most, () => String(draw.int(10))).join("")
        const text = `${draw.pick(["", "", "", "-", "+"])}${digits(24)}${draw.chance(0.4) ? `.${digits(14)}` : ""}${draw.pick(suffixes)}`
        return draw.chance(0.25) ? draw.mutate(text) : text
      }
      return { text: one(), other: one() }
    },
    check({ text, other }) {
      const canonical = answerOf(() => canonicalQuantity(text))
      if (canonical === undefined || isBeyondSuffixes(text)) return
      // A binary amount that is no multiple of 1024 is written without a suffix, and read as a decimal one.
      const staysBinary = text.includes("i") === canonical.includes("i")
      expect(
        !staysBinary || canonicalQuantity(canonical) === canonical,
        "the canonical form is not stable",
        text,
        canonical,
      )
      const quantity = parseQuantity(text)
      const sign = compareQuantities(quantity, parseQuantity(canonical))
      expect(sign === 0, "the canonical form is another amount", text, canonical)
      expect(quantity.sub(quantity).sign() === 0, "x - x is not zero", text)
      const amount = amountOf(text)
      // Binary amounts end at 2^63-1.
      if (amount !== undefined && !canonical.includes("9223372036854775807")) {
        const after = amountOf(canonical)
        expect(
          after === undefined || after === amount,
          "the canonical form stands for another amount",
          text,
          canonical,
        )
      }
      const right = answerOf(() => parseQuantity(other))
      const otherAmount = amountOf(other)
      if (!right || amount === undefined || otherAmount === undefined) return
      if ([quantity, right].some((one) => one.toString().includes("9223372036854775807"))) return
      const expected = amount < otherAmount ? -1 : amount > otherAmount ? 1 : 0
      expect(Math.sign(compareQuantities(quantity, right)) === expected, "comparison", text, other)
      expect(quantity.add(right).sub(right).compare(quantity) === 0, "x + y - y is not x", text, other)
    },
  }),
})
