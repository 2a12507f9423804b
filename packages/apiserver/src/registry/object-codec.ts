/**
 * The bytes of an object. Stored: JSON without a resourceVersion that always begins with
 * `{"kind":"Pod","apiVersion":"v1","metadata":{`, and behind it a stamp (stored-form.ts), a line of its own. Served: the
 * JSON with `"resourceVersion":"N",` put in right after that beginning, once, when the write commits. Neither needs the object to be encoded again. What is made here is
 * meant for a moment: who keeps it copies it, as the slabs and the history of the watch cache do.
 */
import type { KubeObject } from "@knarr/apimachinery"
import { ByteArena } from "@knarr/base"

const revisionField = '"resourceVersion":"'
const arena = new ByteArena()
const quote = 0x22
const brace = 0x7d

/** What every stored object of a kind begins with. */
export function objectPrefix(kind: string, apiVersion: string): string {
  return `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":{`
}

/** A new line and eight letters. */
const stampPattern = /^\n[\w-]{8}$/
const stampLength = 9

/** `stored` without a stamp, whichever it has. */
export function unstamped(stored: Buffer): Buffer {
  const end = stored.length - stampLength
  return end > 0 && stampPattern.test(stored.toString("latin1", end)) ? stored.subarray(0, end) : stored
}

/** The stored bytes of `obj` (its resourceVersion is left out), which must have a name, and `stamp` behind them. */
export function encodeStored(obj: Readonly<KubeObject>, stamp?: Buffer): Buffer {
  const { kind, apiVersion, metadata, ...rest } = obj
  const { resourceVersion: _, ...meta } = metadata
  const body = JSON.stringify(rest)
  const text =
    objectPrefix(kind, apiVersion) +
    JSON.stringify(meta).slice(1) +
    (body.length === 2 ? "}" : "," + body.slice(1))
  const length = Buffer.byteLength(text)
  const out = arena.take(length + (stamp?.length ?? 0))
  out.write(text)
  if (stamp) stamp.copy(out, length)
  return out
}

/** Where the resourceVersion belongs: the length of the object's prefix. Throws when the bytes do not begin as they should. */
export function prefixLength(bytes: Buffer): number {
  const at = bytes.indexOf('"metadata":{')
  if (at < 0 || at > 512)
    throw new Error("Cannot read a stored object: it does not begin with its type and metadata")
  return at + 12
}

/**
 * The served bytes: `stored` with its resourceVersion. The answer to a dry run of a create has no revision; it shows
 * the text that came with the object, if any.
 */
export function insertRevision(stored: Buffer, revision: number, given: string | undefined): Buffer {
  if (revision === 0 && !given) return stored
  const prefix = prefixLength(stored)
  const text = revision === 0 ? JSON.stringify(given).slice(1) : `${revision}"`
  const field = Buffer.from(`${revisionField}${text}${stored[prefix] === brace ? "" : ","}`)
  const out = arena.take(stored.length + field.length)
  stored.copy(out, 0, 0, prefix)
  field.copy(out, prefix)
  stored.copy(out, prefix + field.length, prefix)
  return out
}

/** `served` with another resourceVersion. */
export function replaceRevision(served: Buffer, prefix: number, revision: number): Buffer {
  const from = prefix + revisionField.length
  const to = served.indexOf(quote, from)
  const digits = String(revision)
  const out = arena.take(served.length - (to - from) + digits.length)
  served.copy(out, 0, 0, from)
  out.write(digits, from, "latin1")
  served.copy(out, from + digits.length, to)
  return out
}

/** Whether `served`, without its resourceVersion, is `stored`. */
export function sameContent(served: Buffer, prefix: number, stored: Buffer): boolean {
  const end = served.indexOf(quote, prefix + revisionField.length) + 2
  if (served.length - (end - prefix) !== stored.length) return false
  return (
    served.compare(stored, 0, prefix, 0, prefix) === 0 &&
    served.compare(stored, prefix, stored.length, end, served.length) === 0
  )
}
