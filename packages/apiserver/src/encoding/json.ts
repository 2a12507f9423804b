/** JSON: the bytes of the watch cache as they are, and values. All punctuation of JSON that clients see is here. */
import {
  type Content,
  type DocumentType,
  type Encoding,
  type EventType,
  type ListEncoding,
  type ListMetadata,
  type Presentation,
  valueOf,
} from "./encoding.ts"

const mediaType = "application/json"

function bytesOf(content: Content): Buffer {
  return Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
}

const heads: Readonly<Record<EventType, Buffer>> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
  BOOKMARK: Buffer.from('{"type":"BOOKMARK","object":'),
  ERROR: Buffer.from('{"type":"ERROR","object":'),
}
const tail = Buffer.from("}\n")
const some = { open: Buffer.from("["), separator: Buffer.from(","), end: Buffer.from("]}\n") }
/** Around items whose type is cut off. */
const untyped = { open: Buffer.from("[{"), separator: Buffer.from(",{") }

function list(shown: Presentation, metadata: ListMetadata): ListEncoding {
  const { fields, itemsField, noItems } = shown.list(metadata)
  const { open, separator } = shown.itemsHaveType ? some : untyped
  return {
    sized: false,
    begin: () => Buffer.from(`${JSON.stringify(fields).slice(0, -1)},${JSON.stringify(itemsField)}:`),
    open,
    separator,
    item: (object) => bytesOf(shown.item(object)),
    itemFrom: shown.itemsHaveType ? 0 : typeLength(shown.type),
    end: (count) => (count > 0 ? some.end : Buffer.from(`${JSON.stringify(noItems)}}\n`)),
  }
}

/** The length of the beginning of an object that says its type. */
function typeLength({ kind, apiVersion }: DocumentType): number {
  return Buffer.byteLength(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},`)
}

const prettyJson: Encoding = {
  name: "pretty json",
  mediaType,
  document: (content) => Buffer.from(JSON.stringify(valueOf(content), null, 2)),
}

export const json: Encoding = {
  name: "json",
  mediaType,
  pretty: prettyJson,
  document: (content) => (Buffer.isBuffer(content) ? content : Buffer.from(`${JSON.stringify(content)}\n`)),
  list,
  watch: { mediaType, event: (type, content) => Buffer.concat([heads[type], bytesOf(content), tail]) },
}
