/** IP addresses and networks as text and bytes. Mirrors: Go net and net/netip, as apimachinery pkg/util/validation/ip.go uses them */
import { invalid, type FieldError } from "./field-error.ts"
import { goQuote } from "./go-format.ts"

/** An address: 4 bytes, or 16. An IPv4 address that was written inside IPv6 (`::ffff:1.2.3.4`) has 16. */
export interface IPAddress {
  readonly bytes: Uint8Array
  /** A part had leading zeros, which strict parsers refuse. */
  readonly leadingZeros: boolean
}

/** A network: its address as it was written, and the length of its prefix in that address's family. */
export interface IPNetwork {
  readonly address: IPAddress
  readonly prefixLength: number
  readonly leadingZeros: boolean
}

/** The address that `text` stands for, leading zeros allowed (and decimal), or undefined. */
export function parseIP(text: string): IPAddress | undefined {
  if (text.includes(":")) return parseIPv6(text)
  const v4 = parseIPv4(text)
  return v4 && { bytes: Uint8Array.from(v4.parts), leadingZeros: v4.leadingZeros }
}

function parseIPv4(text: string): { parts: number[]; leadingZeros: boolean } | undefined {
  const words = text.split(".")
  if (words.length !== 4) return undefined
  const parts: number[] = []
  let leadingZeros = false
  for (const word of words) {
    if (!/^\d+$/.test(word)) return undefined
    const value = Number(word)
    if (value > 255) return undefined
    if (word.length > 1 && word[0] === "0") leadingZeros = true
    parts.push(value)
  }
  return { parts, leadingZeros }
}

function parseIPv6(text: string): IPAddress | undefined {
  let tail: number[] = []
  let leadingZeros = false
  let head = text
  const lastColon = text.lastIndexOf(":")
  if (text.includes(".")) {
    const v4 = parseIPv4(text.slice(lastColon + 1))
    if (!v4) return undefined
    leadingZeros = v4.leadingZeros
    tail = v4.parts
    head = text.slice(0, lastColon + 1)
    if (!head.endsWith("::")) head = head.slice(0, -1)
  }
  const halves = head.split("::")
  if (halves.length > 2) return undefined
  const left = readGroups(halves[0]!)
  const right = halves.length === 2 ? readGroups(halves[1]!) : []
  if (!left || !right) return undefined
  const used = left.length + right.length + tail.length
  if (halves.length === 1 ? used !== 16 : used > 14) return undefined
  const bytes = new Uint8Array(16)
  bytes.set(left, 0)
  bytes.set(tail, 16 - tail.length)
  bytes.set(right, 16 - tail.length - right.length)
  return { bytes, leadingZeros }
}

function readGroups(text: string): number[] | undefined {
  if (text === "") return []
  const out: number[] = []
  for (const group of text.split(":")) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
    const value = parseInt(group, 16)
    out.push(value >> 8, value & 255)
  }
  return out
}

/** Whether the address is an IPv4 address inside IPv6. */
export function isIPv4Mapped(ip: IPAddress): boolean {
  const b = ip.bytes
  if (b.length !== 16 || b[10] !== 255 || b[11] !== 255) return false
  for (let i = 0; i < 10; i++) if (b[i] !== 0) return false
  return true
}

/** 4 or 6; an IPv4 address inside IPv6 is 4, as Go's net.IP has it. */
export function ipFamily(ip: IPAddress): 4 | 6 {
  return ip.bytes.length === 4 || isIPv4Mapped(ip) ? 4 : 6
}

/** The address as Go's net.IP prints it: dotted, or RFC 5952. */
export function formatIP(ip: IPAddress): string {
  if (ip.bytes.length === 4) return ip.bytes.join(".")
  if (isIPv4Mapped(ip)) return ip.bytes.subarray(12).join(".")
  return formatIPv6(ip.bytes)
}

function formatIPv6(bytes: Uint8Array): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!)
  let start = -1
  let length = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > length) {
      start = i
      length = end - i
    }
    if (end > i) i = end
  }
  const text = groups.map((group) => group.toString(16))
  if (start < 0) return text.join(":")
  return `${text.slice(0, start).join(":")}::${text.slice(start + length).join(":")}`
}

/** The network that `text` stands for (`10.0.0.0/8`), bits beyond the prefix and leading zeros allowed, or undefined. */
export function parseCIDR(text: string): IPNetwork | undefined {
  const slash = text.indexOf("/")
  if (slash < 0) return undefined
  const address = parseIP(text.slice(0, slash))
  const lengthText = text.slice(slash + 1)
  if (!address || !/^\d+$/.test(lengthText)) return undefined
  const prefixLength = Number(lengthText)
  if (prefixLength > address.bytes.length * 8) return undefined
  const leadingZeros = address.leadingZeros || (lengthText.length > 1 && lengthText[0] === "0")
  return { address, prefixLength, leadingZeros }
}

/** The address with the bits beyond the prefix cleared. */
export function networkAddress(network: IPNetwork): IPAddress {
  const bytes = Uint8Array.from(network.address.bytes)
  for (let bit = network.prefixLength; bit < bytes.length * 8;) {
    if (bit % 8 === 0) {
      bytes[bit / 8] = 0
      bit += 8
    } else {
      bytes[bit >> 3]! &= 0xff << (8 - (bit & 7))
      bit += 8 - (bit & 7)
    }
  }
  return { bytes, leadingZeros: false }
}

/** The network as Go's net.IPNet prints it. */
export function formatCIDR(network: IPNetwork): string {
  return `${formatIP(networkAddress(network))}/${network.prefixLength}`
}

/** Whether the network holds the address; families must agree. */
export function networkContains(network: IPNetwork, ip: IPAddress): boolean {
  const a = network.address.bytes
  const b = ip.bytes.length === 16 && a.length === 4 && isIPv4Mapped(ip) ? ip.bytes.subarray(12) : ip.bytes
  if (a.length !== b.length) return false
  for (let i = 0, bits = network.prefixLength; bits > 0; i++, bits -= 8) {
    const mask = bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff
    if ((a[i]! & mask) !== (b[i]! & mask)) return false
  }
  return true
}

function ipProblems(value: string, strict: boolean): string[] {
  const ip = parseIP(value)
  if (!ip) return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
  const out: string[] = []
  if (strict && ip.leadingZeros) out.push("must not have leading 0s")
  else if (strict && isIPv4Mapped(ip)) out.push("must not be an IPv4-mapped IPv6 address")
  return out
}

/** Why `value` is no IP address in canonical form. */
export function isValidIP(value: string): string[] {
  const out = ipProblems(value, true)
  if (out.length > 0) return out
  const canonical = formatIP(parseIP(value)!)
  return value === canonical ? [] : [`must be in canonical form (${goQuote(canonical)})`]
}

/** The same, as problems of a field. */
export function validateIP(path: string, value: string): FieldError[] {
  return isValidIP(value).map((reason) => invalid(path, value, reason))
}

/**
 * Why `value` is no IP address for a field that has always taken more than the canonical form. `oldValues` pass
 * whatever they are.
 */
export function validateLegacyIP(
  path: string,
  value: string,
  strict: boolean,
  oldValues: readonly string[] = [],
): FieldError[] {
  if (oldValues.includes(value)) return []
  return ipProblems(value, strict).map((reason) => invalid(path, value, reason))
}

function cidrProblems(value: string, strict: boolean): string[] {
  const network = parseCIDR(value)
  if (!network) return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
  if (!strict) return []
  if (network.leadingZeros) return ["must not have leading 0s in IP or prefix length"]
  if (isIPv4Mapped(network.address)) return ["must not have an IPv4-mapped IPv6 address"]
  const masked = networkAddress(network).bytes
  return masked.every((byte, i) => byte === network.address.bytes[i])
    ? []
    : ["must not have bits set beyond the prefix length"]
}

/** Why `value` is no network in canonical form. */
export function isValidCIDR(value: string): string[] {
  const out = cidrProblems(value, true)
  if (out.length > 0) return out
  const canonical = formatCIDR(parseCIDR(value)!)
  return value === canonical ? [] : [`must be in canonical form (${goQuote(canonical)})`]
}

/** The same, as problems of a field. */
export function validateCIDR(path: string, value: string): FieldError[] {
  return isValidCIDR(value).map((reason) => invalid(path, value, reason))
}

/** As {@link validateLegacyIP}, for networks. */
export function validateLegacyCIDR(
  path: string,
  value: string,
  strict: boolean,
  oldValues: readonly string[] = [],
): FieldError[] {
  if (oldValues.includes(value)) return []
  return cidrProblems(value, strict).map((reason) => invalid(path, value, reason))
}

/** Warnings about an address that passed only the legacy check. */
export function warningsForIP(path: string, value: string): string[] {
  const ip = parseIP(value)
  if (!ip) return []
  const canonical = formatIP(ip)
  if (ip.leadingZeros || isIPv4Mapped(ip)) {
    return [`${path}: non-standard IP address ${goQuote(value)} is invalid: use ${goQuote(canonical)}`]
  }
  if (ip.bytes.length === 16 && canonical !== value) {
    return [
      `${path}: IPv6 address ${goQuote(value)} should be in RFC 5952 canonical format (${goQuote(canonical)})`,
    ]
  }
  return []
}

/** Warnings about a network that passed only the legacy check. */
export function warningsForCIDR(path: string, value: string): string[] {
  const network = parseCIDR(value)
  if (!network) return []
  const out: string[] = []
  const canonical = formatCIDR(network)
  const address = formatIP(network.address)
  if (address !== formatIP(networkAddress(network))) {
    const single = `${address}/${network.address.bytes.length * 8}`
    out.push(
      `${path}: CIDR value ${goQuote(value)} is ambiguous in this context ` +
        `(should be ${goQuote(canonical)} or ${goQuote(single)}?)`,
    )
  }
  if (network.leadingZeros || isIPv4Mapped(network.address)) {
    out.push(`${path}: non-standard CIDR value ${goQuote(value)} is invalid: use ${goQuote(canonical)}`)
  }
  if (out.length === 0 && network.address.bytes.length === 16 && canonical !== value) {
    out.push(
      `${path}: IPv6 CIDR value ${goQuote(value)} should be in RFC 5952 canonical format (${goQuote(canonical)})`,
    )
  }
  return out
}

/** Why `value` is no address of an interface, such as `10.9.8.7/24`, in canonical form. */
export function validateInterfaceAddress(path: string, value: string): FieldError[] {
  const network = parseCIDR(value)
  if (!network) {
    return [
      invalid(path, value, "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"),
    ]
  }
  const mapped = isIPv4Mapped(network.address) && network.prefixLength > 32
  const length = mapped ? network.prefixLength - 96 : network.prefixLength
  const canonical = `${formatIP(network.address)}/${length}`
  return value === canonical
    ? []
    : [invalid(path, value, `must be in canonical form (${goQuote(canonical)})`)]
}
