/** Draws inputs from a seeded source: choices, nasty texts and numbers, mutations of texts and of JSON values. */
import type { Random } from "@knarr/base"

/** What readers of text stumble over. */
const nasty: readonly string[] = [
  ...Array.from(" \t\n\r\0\x01\x7f\x80\xff.,:;/\\'\"`!?*&#%@$|<>()[]{}=+-_~^0123456789aAzZ"),
  ...["\r\n", "\n\n", "\ufeff", "\u2028", "\ud800", "\udc00x", "😀", "e\u0301", "İ", "ſ", "\u200b", "ß"],
  ...["..", "../", "//", "/./", "%00", "%2f", "%2e%2e", "%zz", "%", "%ff", "\\u0000", "\\ud800", "\\x00"],
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "length", "then"],
  ...["-0", "-1", "00", "01", "1e400", "1e-400", "0.1", ".5", "5.", "1_000", "0x1F", "0b1", "0o7", "1e9"],
  ...["2147483647", "2147483648", "-2147483649", "9007199254740993", "9223372036854775807"],
  ...["9223372036854775808", "-9223372036854775808", "18446744073709551616", "NaN", "Infinity", "-Inf"],
  ...[
    "null",
    "true",
    "false",
    "undefined",
    "[]",
    "{}",
    "~",
    "yes",
    "on",
    "---\n",
    "...\n",
    "&a ",
    "*a",
    "<<: ",
  ],
  ...["$(A)", "${A}", "$$", "{{", "}}", "!!", "<!--", "a".repeat(63), "a".repeat(64), "a".repeat(254)],
]

const numbers: readonly number[] = [
  ...[0, -0, 1, -1, 2, 3, 0.5, 1.5, -1.5, 80, 255, 256, 65535, 65536, 1e21, 1e308, 5e-324],
  ...[2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32, 2 ** 53, 2 ** 53 - 1, 2 ** 63, -(2 ** 63)],
]

export class Draw {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** A whole number in [0, below). */
  int(below: number): number {
    return Math.floor(this.#random.next() * below)
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!
  }

  /** Mostly few, sometimes many. */
  count(most: number): number {
    return Math.min(most, Math.floor(-Math.log(1 - this.#random.next()) * (most / 4)))
  }

  /** `count(most)` of them. */
  list<T>(most: number, one: () => T): T[] {
    return Array.from({ length: this.count(most) }, one)
  }

  /** Some of a list, in its order. */
  some<T>(list: readonly T[], probability = 0.5): T[] {
    return list.filter(() => this.chance(probability))
  }

  number(): number {
    return this.chance(0.7)
      ? this.pick(numbers)
      : Math.floor((this.#random.next() - 0.3) * 10 ** this.int(20))
  }

  /** A text of nasty pieces. */
  text(most = 8): string {
    return this.list(most, () => this.pick(nasty)).join("")
  }

  /** Any bytes, as latin1. */
  bytes(most: number): string {
    return Buffer.from(this.#random.bytes(this.count(most))).toString("latin1")
  }

  /** A name as users write them, and sometimes not. */
  name(): string {
    if (this.chance(0.1)) return this.text(4)
    return this.pick(["a", "b", "web", "db-0", "x.y", "kube-system", "default", "a1", "zz-top.example.com"])
  }

  /** `text` with one to four changes. `others` are texts that pieces may be taken from. */
  mutate(text: string, others: readonly string[] = []): string {
    let out = text
    for (let left = 1 + this.count(3); left > 0; left--) out = this.#change(out, others)
    return out
  }

  #change(text: string, others: readonly string[]): string {
    const at = this.int(text.length + 1)
    const length = Math.min(text.length - at, 1 + this.count(12))
    const [before, middle, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)]
    switch (this.int(9)) {
      case 0:
        return before + after
      case 1:
        return before + this.pick(nasty) + middle + after
      case 2:
        return before + this.pick(nasty) + after
      case 3:
        return before + middle.repeat(2 + this.count(20)) + after
      case 4:
        return before
      case 5: {
        const other = others.length > 0 ? this.pick(others) : text
        const from = this.int(other.length + 1)
        return before + other.slice(from, from + 1 + this.count(40)) + after
      }
      case 6: {
        const code = (text.charCodeAt(at) || 0) ^ (1 << this.int(8))
        return before + String.fromCharCode(code) + text.slice(at + 1)
      }
      case 7:
        return text.replace(/\d+/, () => String(this.number()))
      default:
        return after + middle + before
    }
  }

  /** Any JSON value. */
  json(depth = 4): unknown {
    switch (this.int(depth > 0 ? 9 : 5)) {
      case 0:
        return null
      case 1:
        return this.chance(0.5)
      case 2:
        return this.number()
      case 3:
      case 4:
        return this.text()
      case 5:
      case 6:
        return this.list(6, () => this.json(depth - 1))
      default:
        return ownObject(
          this.list(6, () => [this.chance(0.6) ? this.name() : this.text(3), this.json(depth - 1)]),
        )
    }
  }

  /** A copy of a JSON value with one to three changes somewhere in it. */
  mutateJson(value: unknown): unknown {
    let out = value
    for (let left = 1 + this.count(2); left > 0; left--) out = this.#changeJson(out)
    return out
  }

  #changeJson(value: unknown): unknown {
    const inside = typeof value === "object" && value !== null ? Object.keys(value) : []
    // Deeper places are as likely as those at the top.
    if (inside.length > 0 && this.chance(0.85)) {
      const key = this.pick(inside)
      const item = (value as Record<string, unknown>)[key]
      if (Array.isArray(value))
        return value.map((one: unknown, i) => (String(i) === key ? this.#changeJson(item) : one))
      return ownObject(
        Object.entries(value as object).map(([name, one]) => [
          name,
          name === key ? this.#changeJson(one) : one,
        ]),
      )
    }
    if (Array.isArray(value)) {
      const list = value as unknown[]
      const at = this.int(list.length + 1)
      return this.pick([
        () => list.toSpliced(at, 1),
        () => [...list, ...list],
        () => list.toSpliced(at, 0, this.json(2)),
        () => list.toSpliced(at, 0, null),
        () => list.toReversed(),
        () => [],
        () => this.json(2),
      ])()
    }
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value)
      const at = this.int(entries.length + 1)
      return this.pick<() => unknown>([
        () => ownObject(entries.toSpliced(at, 1)),
        () => ownObject([...entries, [this.text(2), this.json(2)]]),
        () => ownObject([...entries, [this.name(), this.json(2)]]),
        () => ownObject(entries.map(([key, item], i) => [key, i === at ? null : item])),
        () => ownObject(entries.map(([key, item], i) => [i === at ? this.mutate(key) : key, item])),
        () => ({}),
        () => this.json(2),
      ])()
    }
    if (typeof value === "string" && this.chance(0.6)) return this.mutate(value)
    if (typeof value === "number" && this.chance(0.6)) return this.number()
    return this.json(2)
  }
}

/** An object with these fields, one of which may be called `__proto__`. */
function ownObject(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries)
}
