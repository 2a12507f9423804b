/**
 * Protobuf, in Kubernetes' envelope. Objects are encoded by the shape of their type, so only what is published has this form:
 * no tables, no custom resources.
 * Mirrors: apimachinery pkg/runtime/serializer/protobuf/protobuf.go
 */
import {
  encodeProtobufDocument,
  encodeProtobufField,
  protobufEnvelopeEnd,
  protobufEnvelopeStart,
  type Schema,
  schemaOf,
  schemaOfType,
  statusErrorFrom,
} from "@knarr/apimachinery"
import { WireWriter } from "@knarr/base"
import { protobufType } from "../server/accept.ts"
import { EncodedObjects } from "./encoded-objects.ts"
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

const nothing: Buffer = Buffer.alloc(0)
/** Of the items of lists. 64 MiB are 40,000 pods. */
const kept = new EncodedObjects(64 * 1024 * 1024)

/** Every list has its metadata and its items in these fields. */
const metadataField = 1
const itemsField = 2

/** Throws 406 for a type that has no protobuf form. */
function schemaOfDocument(type: DocumentType): Schema {
  // The first documents of all, of the core group, do not say their version.
  const schema = type.schema ?? schemaOfType({ ...type, apiVersion: type.apiVersion || "v1" })
  if (schema?.fields && !schema.reader) return schema
  const message =
    `object *${type.apiVersion.split("/").at(-1)}.${type.kind} does not implement the protobuf marshalling interface ` +
    "and cannot be encoded to a protobuf message"
  throw statusErrorFrom({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: "NotAcceptable",
    code: 406,
  })
}

function document(content: Content, type: DocumentType): Buffer {
  return encodeProtobufDocument(schemaOfDocument(type), type, valueOf(content))
}

function list(shown: Presentation, metadata: ListMetadata): ListEncoding {
  const schema = schemaOfDocument(shown.type)
  const { fields } = shown.list(metadata)
  const listMeta = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")
  const head = encodeProtobufField(metadataField, listMeta, fields["metadata"] as object)
  return {
    sized: true,
    begin: (items) =>
      Buffer.concat([protobufEnvelopeStart(shown.listType, head.length + items!.bytes), head]),
    open: nothing,
    separator: nothing,
    item: (object) =>
      kept.get(object, shown.key, () => encodeProtobufField(itemsField, schema, valueOf(shown.item(object)))),
    itemFrom: 0,
    end: () => protobufEnvelopeEnd(),
  }
}

/** The length in four bytes, and the event, in which the object is a document of its own (a `RawExtension`). */
function event(type: EventType, content: Content, of: DocumentType): Buffer {
  const object = document(content, of)
  const start = new WireWriter()
  start.tag(1, 2)
  start.string(type)
  const raw = new WireWriter()
  raw.tag(1, 2)
  raw.int64(object.length)
  const rawStart = raw.finish()
  start.tag(2, 2)
  start.int64(rawStart.length + object.length)
  const head = start.finish()
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(head.length + rawStart.length + object.length)
  return Buffer.concat([length, head, rawStart, object])
}

export const protobuf: Encoding = {
  name: "protobuf",
  mediaType: protobufType,
  document,
  list,
  watch: { mediaType: `${protobufType};stream=watch`, event },
}
