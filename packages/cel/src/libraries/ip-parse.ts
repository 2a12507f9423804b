/**
 * Addresses and networks from text, with Go's words for what is wrong.
 * Mirrors: Go net/netip (ParseAddr, ParsePrefix)
 */
import { goQuote } from "@knarr/apimachinery"

/** Thrown with the whole message. */
export class AddressProblem extends Error {}

const wrong = (text: string, message: string, at?: string): AddressProblem =>
  new AddressProblem(
    `ParseAddr(${goQuote(text)}): ${message}${at === undefined ? "" : ` (at ${goQuote(at)})`}`,
  )

export interface Address {
  /** 4 or 16 bytes. */
  readonly bytes: readonly number[]
  readonly zone: string
}

export function parseAddress(text: string): Address {
  for (const char of text) {
    if (char === ".") return { bytes: parseV4(text, text), zone: "" }
    if (char === ":") return parseV6(text)
    if (char === "%") throw wrong(text, "missing IPv6 address")
  }
  throw wrong(text, "unable to parse IP")
}

function parseV4(text: string, whole: string): number[] {
  const fields: number[] = []
  let value = 0
  let digits = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char >= "0" && char <= "9") {
      if (digits === 1 && value === 0) throw wrong(whole, "IPv4 field has octet with leading zero")
      value = value * 10 + Number(char)
      digits++
      if (value > 255) throw wrong(whole, "IPv4 field has value >255")
    } else if (char === ".") {
      if (i === 0 || i === text.length - 1 || text[i - 1] === ".")
        throw wrong(whole, "IPv4 field must have at least one digit", text.slice(i))
      if (fields.length === 3) throw wrong(whole, "IPv4 address too long")
      fields.push(value)
      value = digits = 0
    } else throw wrong(whole, "unexpected character", text.slice(i))
  }
  if (fields.length < 3) throw wrong(whole, "IPv4 address too short")
  return [...fields, value]
}

function parseV6(whole: string): Address {
  let text = whole
  let zone = ""
  const percent = text.indexOf("%")
  if (percent >= 0) {
    zone = text.slice(percent + 1)
    text = text.slice(0, percent)
    if (zone === "") throw wrong(whole, "zone must be a non-empty string")
  }
  const bytes: number[] = []
  let ellipsis = -1
  if (text.startsWith("::")) {
    ellipsis = 0
    text = text.slice(2)
    if (text === "") return { bytes: new Array<number>(16).fill(0), zone }
  }
  while (bytes.length < 16) {
    const digits = /^[0-9a-fA-F]*/.exec(text)![0]
    if (digits.length > 4) throw wrong(whole, "each group must have 4 or less digits", text)
    if (digits === "") throw wrong(whole, "each colon-separated field must have at least one digit", text)
    if (text[digits.length] === ".") {
      if (ellipsis < 0 && bytes.length !== 12)
        throw wrong(whole, "embedded IPv4 address must replace the final 2 fields of the address", text)
      if (bytes.length + 4 > 16)
        throw wrong(whole, "too many hex fields to fit an embedded IPv4 at the end of the address", text)
      bytes.push(...parseV4(text, whole))
      text = ""
      break
    }
    const value = Number.parseInt(digits, 16)
    bytes.push(value >> 8, value & 255)
    text = text.slice(digits.length)
    if (text === "") break
    if (text[0] !== ":") throw wrong(whole, "unexpected character, want colon", text)
    if (text.length === 1) throw wrong(whole, "colon must be followed by more characters", text)
    text = text.slice(1)
    if (text[0] === ":") {
      if (ellipsis >= 0) throw wrong(whole, "multiple :: in address", text)
      ellipsis = bytes.length
      text = text.slice(1)
      if (text === "") break
    }
  }
  if (text !== "") throw wrong(whole, "trailing garbage after address", text)
  if (bytes.length < 16) {
    if (ellipsis < 0) throw wrong(whole, "address string too short")
    bytes.splice(ellipsis, 0, ...new Array<number>(16 - bytes.length).fill(0))
  } else if (ellipsis >= 0) throw wrong(whole, "the :: must expand to at least one field of zeros")
  return { bytes, zone }
}

export function parsePrefix(text: string): { address: Address; bits: number } {
  const bad = (message: string): AddressProblem =>
    new AddressProblem(`netip.ParsePrefix(${goQuote(text)}): ${message}`)
  const slash = text.lastIndexOf("/")
  if (slash < 0) throw bad("no '/'")
  let address: Address
  try {
    address = parseAddress(text.slice(0, slash))
  } catch (error) {
    throw bad((error as Error).message)
  }
  if (address.zone !== "") throw bad("IPv6 zones cannot be present in a prefix")
  const digits = text.slice(slash + 1)
  if (digits.length > 1 && (digits[0]! < "1" || digits[0]! > "9"))
    throw bad(`bad bits after slash: ${goQuote(digits)}`)
  if (!/^\d+$/.test(digits)) throw bad(`bad bits after slash: ${goQuote(digits)}`)
  const bits = Number(digits)
  if (bits > address.bytes.length * 8) throw bad("prefix length out of range")
  return { address, bits }
}
