/**
 * Header blocks of answers. Nothing is kept between two of them: each field is a literal, its name by number where it has
 * one. So blocks need no order, and a table's memory is spent for no connection. Mirrors: RFC 7541
 */
import { frameHeaderBytes } from "../protocol.ts"
import { staticTable } from "./static-table.ts"

/** Names and values in turn; one character is one octet. */
export type HeaderList = readonly string[]

const numbers = new Map<string, number>()
staticTable.forEach(([name], i) => {
  if (!numbers.has(name)) numbers.set(name, i + 1)
})
/** Statuses with a number of their own. */
const statusNumbers = new Map(
  staticTable.flatMap(([name, value], i) => (name === ":status" ? [[Number(value), i + 1] as const] : [])),
)

let scratch = Buffer.allocUnsafe(16_384)

/**
 * The block of an answer's head with its date, behind room for a frame's header. `first`: on its connection, where it also says that
 * no table is used. The result is the caller's.
 */
export function encodeHead(status: number, headers: HeaderList, date: string, first: boolean): Buffer {
  let most = frameHeaderBytes + 8 + date.length + 6
  // A string's length takes at most five octets.
  for (const text of headers) most += text.length + 6
  if (scratch.length < most) scratch = Buffer.allocUnsafe(most)
  let at = frameHeaderBytes
  if (first) scratch[at++] = 0x20
  const known = statusNumbers.get(status)
  if (known !== undefined) scratch[at++] = 0x80 | known
  else {
    scratch[at++] = numbers.get(":status")!
    at = writeString(String(status), at)
  }
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const number = numbers.get(name)
    if (number === undefined) {
      scratch[at++] = 0
      at = writeString(name, at)
    } else at = writeInteger(number, 4, at)
    at = writeString(headers[i + 1]!, at)
  }
  if (status >= 200) {
    at = writeInteger(numbers.get("date")!, 4, at)
    at = writeString(date, at)
  }
  return Buffer.from(scratch.subarray(0, at))
}

function writeString(text: string, at: number): number {
  const start = writeInteger(text.length, 7, at)
  return start + scratch.write(text, start, "latin1")
}

/** The bits before the prefix are 0. */
function writeInteger(value: number, prefixBits: number, at: number): number {
  const mask = 2 ** prefixBits - 1
  if (value < mask) {
    scratch[at] = value
    return at + 1
  }
  scratch[at++] = mask
  for (value -= mask; value >= 128; value = Math.floor(value / 128)) scratch[at++] = (value % 128) | 128
  scratch[at] = value
  return at + 1
}
