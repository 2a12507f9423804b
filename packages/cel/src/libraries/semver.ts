/**
 * Semantic versions.
 * Mirrors: apiserver pkg/cel/library/semverlib.go, blang/semver
 */
import { goQuote } from "@knarr/apimachinery"
import { structOf, type CelType } from "../check/types.ts"
import type { Implementation } from "../run/functions.ts"
import { CelError, ObjectValue, maybeNoSuchOverload, toInt, type Value } from "../run/values.ts"

export const semverType: CelType = structOf("kubernetes.Semver")

type Part = string | bigint

class Semver extends ObjectValue {
  readonly type = semverType
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly pre: readonly Part[]
  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly Part[]) {
    super()
    this.numbers = numbers
    this.pre = pre
  }
  equalTo(other: Value): Value {
    return other instanceof Semver ? this.compare(other) === 0 : maybeNoSuchOverload(other)
  }
  compare(other: Semver): number {
    for (let i = 0; i < 3; i++)
      if (this.numbers[i] !== other.numbers[i]) return this.numbers[i]! < other.numbers[i]! ? -1 : 1
    if (this.pre.length === 0 || other.pre.length === 0) return Math.sign(other.pre.length - this.pre.length)
    for (const [i, a] of this.pre.entries()) {
      const b = other.pre[i]
      if (b === undefined) return 1
      if (a === b) continue
      if (typeof a !== typeof b) return typeof a === "bigint" ? -1 : 1
      return a < b ? -1 : 1
    }
    return this.pre.length === other.pre.length ? 0 : -1
  }
}

const maxUint = 2n ** 64n - 1n

/** A plain number, or the error: `what` names it with a capital, `text` is the text. */
function number(text: string, what: string): bigint | CelError {
  if (!/^\d*$/.test(text))
    return new CelError(`Invalid character(s) found in ${what.toLowerCase()} number ${goQuote(text)}`)
  if (text.length > 1 && text[0] === "0")
    return new CelError(`${what} number must not contain leading zeroes ${goQuote(text)}`)
  return parseUint(text)
}

function parseUint(text: string): bigint | CelError {
  if (text === "") return new CelError('strconv.ParseUint: parsing "": invalid syntax')
  const tooLarge = new CelError(`strconv.ParseUint: parsing ${goQuote(text)}: value out of range`)
  if (text.length > 20) return tooLarge
  const value = BigInt(text)
  return value > maxUint ? tooLarge : value
}

function parse(text: string): Semver | CelError {
  if (text === "") return new CelError("Version string empty")
  const dots = text.split(".")
  if (dots.length < 3) return new CelError("No Major.Minor.Patch elements found")
  const numbers: bigint[] = []
  for (const [i, what] of ["Major", "Minor"].entries()) {
    const value = number(dots[i]!, what)
    if (value instanceof CelError) return value
    numbers.push(value)
  }
  let patchText = dots.slice(2).join(".")
  let build: string[] = []
  let pre: string[] = []
  const plus = patchText.indexOf("+")
  if (plus >= 0) {
    build = patchText.slice(plus + 1).split(".")
    patchText = patchText.slice(0, plus)
  }
  const dash = patchText.indexOf("-")
  if (dash >= 0) {
    pre = patchText.slice(dash + 1).split(".")
    patchText = patchText.slice(0, dash)
  }
  const patch = number(patchText, "Patch")
  if (patch instanceof CelError) return patch
  const parts: Part[] = []
  for (const part of pre) {
    const parsed = prePart(part)
    if (parsed instanceof CelError) return parsed
    parts.push(parsed)
  }
  for (const part of build) {
    if (part === "") return new CelError("Build meta data is empty")
    if (!/^[0-9A-Za-z-]+$/.test(part))
      return new CelError(`Invalid character(s) found in build meta data ${goQuote(part)}`)
  }
  return new Semver([numbers[0]!, numbers[1]!, patch], parts)
}

function prePart(text: string): Part | CelError {
  if (text === "") return new CelError("Prerelease is empty")
  if (/^\d+$/.test(text)) {
    if (text.length > 1 && text[0] === "0")
      return new CelError(`Numeric PreRelease version must not contain leading zeroes ${goQuote(text)}`)
    return parseUint(text)
  }
  return /^[0-9A-Za-z-]+$/.test(text)
    ? text
    : new CelError(`Invalid character(s) found in prerelease ${goQuote(text)}`)
}

/** `v1.02` as `1.2.0`. */
function normalized(text: string): Semver | CelError {
  const bare = text.startsWith("v") ? text.slice(1) : text
  const [major, minor, ...rest] = bare.split(".")
  const parts = [
    major!,
    ...(minor === undefined ? [] : [minor]),
    ...(rest.length === 0 ? [] : [rest.join(".")]),
  ].map((part) => {
    if (part.length < 2) return part
    const digits = part.replace(/^0+/, "")
    return /^\d/.test(digits) ? digits : `0${digits}`
  })
  if (parts.length < 3 && /[+-]/.test(parts.at(-1)!))
    return new CelError("short version cannot contain PreRelease/Build meta data")
  while (parts.length < 3) parts.push("0")
  return parse(parts.join("."))
}

const read = (text: Value, normalize: Value | undefined): Semver | CelError =>
  normalize === true ? normalized(text as string) : parse(text as string)
const compared =
  (result: (order: number) => Value): Implementation =>
  (a, b) =>
    a instanceof Semver && b instanceof Semver ? result(a.compare(b)) : maybeNoSuchOverload(a!)
const numberOf =
  (index: 0 | 1 | 2): Implementation =>
  (version) =>
    version instanceof Semver
      ? toInt(BigInt.asIntN(64, version.numbers[index]))!
      : maybeNoSuchOverload(version!)

/** By overload. */
export const semverOverloads: readonly (readonly [string, Implementation])[] = [
  ["string_to_semver", (text) => read(text!, undefined)],
  ["string_bool_to_semver", (text, normalize) => read(text!, normalize)],
  ["is_semver_string", (text) => !(read(text!, undefined) instanceof CelError)],
  ["is_semver_string_bool", (text, normalize) => !(read(text!, normalize) instanceof CelError)],
  ["semver_is_greater_than", compared((order) => order > 0)],
  ["semver_is_less_than", compared((order) => order < 0)],
  ["semver_compare_to", compared((order) => order)],
  ["semver_major", numberOf(0)],
  ["semver_minor", numberOf(1)],
  ["semver_patch", numberOf(2)],
]
