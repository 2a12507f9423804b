/**
 * The formats of texts that schemas of custom resources may ask for; what is not among them is ignored.
 * Mirrors: apiextensions pkg/apiserver/validation/formats.go, kube-openapi pkg/validation/strfmt
 */
import { parseCIDR, parseIP } from "@knarr/apimachinery"
import { lenientDuration } from "@knarr/cel"
import { tableOf } from "@knarr/base"

type IsFormat = (text: string) => boolean

const matches =
  (pattern: RegExp): IsFormat =>
  (text) =>
    pattern.test(text)

/** Leading zeros are taken, as Go once did. */
const withoutZeros = (text: string): string => text.replace(/(^|\.)0+(?=\d)/g, "$1")

function isEmail(text: string): boolean {
  if (text.length > 1024) return false
  const address = /^[^<>]*<([^<>]+)>\s*$/.exec(text)?.[1] ?? text.trim()
  const at = address.lastIndexOf("@")
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)]
  if (at < 1 || domain === "") return false
  const atom = /^[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+(\.[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+)*$/
  const quoted = /^"([^"\\\r\n]|\\.)*"$/
  return (atom.test(local) || quoted.test(local)) && (atom.test(domain) || /^\[[^[\]\\]+\]$/.test(domain))
}

function isHostname(text: string): boolean {
  const first = /^[a-zA-Z0-9\p{S}\p{L}]-?[a-zA-Z0-9\p{S}\p{L}]{0,62}$|^[a-zA-Z0-9\p{S}\p{L}]$/u
  if (Buffer.byteLength(text) > 255) return false
  const labels = text.split(".")
  if (labels.some((label) => Buffer.byteLength(label) > 63)) return false
  if (labels.length === 1) return first.test(text)
  const label = /^[a-zA-Z0-9\p{S}\p{L}]([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?$/u
  const top = labels.pop()!
  return /^[a-zA-Z\p{L}]{2,63}$/u.test(top) && labels.every((one) => label.test(one))
}

/** Mirrors: Go's net.ParseMAC */
function isMAC(text: string): boolean {
  const octets = [5, 7, 19].map(
    (n) => `[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\\1[0-9a-fA-F]{2}){${n - 1}}`,
  )
  const quads = [2, 3, 9].map((n) => `[0-9a-fA-F]{4}(?:\\.[0-9a-fA-F]{4}){${n}}`)
  if (text.length > 60) return false
  return [...octets, ...quads].some((pattern) => new RegExp(`^${pattern}$`).test(text))
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, "")
  const known =
    /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/
  if (!known.test(digits)) return false
  let sum = 0
  for (const [i, digit] of Array.from(digits, Number).reverse().entries()) {
    const value = i % 2 === 1 ? digit * 2 : digit
    sum += value >= 10 ? (value % 10) + 1 : value
  }
  return sum % 10 === 0
}

function isISBN10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, "")
  if (!/^(?:[0-9]{9}X|[0-9]{10})$/.test(digits)) return false
  let sum = 0
  for (let i = 0; i < 9; i++) sum += (i + 1) * Number(digits[i])
  return (sum + 10 * (digits[9] === "X" ? 10 : Number(digits[9]))) % 11 === 0
}

function isISBN13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, "")
  if (!/^[0-9]{13}$/.test(digits)) return false
  let sum = 0
  for (let i = 0; i < 12; i++) sum += (i % 2 === 0 ? 1 : 3) * Number(digits[i])
  return Number(digits[12]) === (10 - (sum % 10)) % 10
}

function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (!parts) return false
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number]
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  return days !== undefined && day >= 1 && day <= days
}

function isDateTime(text: string): boolean {
  const [date, time, ...rest] = text.toLowerCase().split("t")
  if (time === undefined || rest.length > 0 || !isDate(date!)) return false
  const parts = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/.exec(time)
  return parts !== null && parts[1]! <= "23" && parts[2]! <= "59" && parts[3]! <= "59"
}

/** Mirrors: Go's url.ParseRequestURI, as far as what it refuses */
function isRequestURI(text: string): boolean {
  if (
    text === "" ||
    /[\x00-\x20\x7f]/.test(text.split("?")[0]!) ||
    /%(?![0-9a-fA-F]{2})/.test(text.split("?")[0]!)
  )
    return false
  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.exec(text)?.[0]
  if (scheme === undefined) return text.startsWith("/") || text === "*"
  const rest = text.slice(scheme.length)
  if (!rest.startsWith("//")) return rest !== ""
  const authority = /^\/\/([^/?]*)/.exec(rest)![1]!
  const host = authority.slice(authority.lastIndexOf("@") + 1)
  if (host.startsWith("[")) return /^\[[^\]]+\](:\d*)?$/.test(host)
  return /^[^:\s<>"\\^`{|}]*(:\d*)?$/.test(host)
}

const shortName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const uuid = (third: string, fourth: string): IsFormat =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${fourth}-?[0-9a-f]{12}$`, "i"))
const hex4 = "[0-9a-f]{4}"

/** By name without dashes. */
export const formats: Readonly<Record<string, IsFormat>> = tableOf<IsFormat>({
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  cidr: (text) => parseCIDR(withoutZeros(text)) !== undefined,
  creditcard: isCreditCard,
  date: isDate,
  datetime: isDateTime,
  duration: (text) => lenientDuration(text) !== undefined,
  email: isEmail,
  hexcolor: matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  hostname: isHostname,
  ipv4: (text) => text.includes(".") && parseIP(withoutZeros(text)) !== undefined,
  ipv6: (text) => text.includes(":") && parseIP(text) !== undefined,
  isbn: (text) => isISBN10(text) || isISBN13(text),
  isbn10: isISBN10,
  isbn13: isISBN13,
  k8slongname: (text) => text.length <= 253 && text.split(".").every((label) => shortName.test(label)),
  k8sshortname: (text) => text.length <= 63 && shortName.test(text),
  mac: isMAC,
  password: () => true,
  rgbcolor: matches(
    /^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$/,
  ),
  ssn: (text) => text.length === 11 && /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  uri: isRequestURI,
  uuid: uuid(hex4, hex4),
  uuid3: uuid("3[0-9a-f]{3}", hex4),
  uuid4: uuid("4[0-9a-f]{3}", "[89ab][0-9a-f]{3}"),
  uuid5: uuid("5[0-9a-f]{3}", "[89ab][0-9a-f]{3}"),
})

/** The format that counts for values of `types`; "" for one that is ignored. */
export function knownFormat(types: readonly string[], format: string | undefined): string {
  if (!format) return ""
  switch (types.length === 1 ? types[0] : "") {
    case "":
    case "string":
      return formats[format.replaceAll("-", "")] ? format : ""
    case "integer":
      return format === "int32" || format === "int64" ? format : ""
    case "number":
      return format === "float" || format === "double" ? format : ""
    default:
      return ""
  }
}
