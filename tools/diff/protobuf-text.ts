/** Answers in protobuf as the JSON that they stand for, so that what differs can be told. */
import "@knarr/api"
import { decodeProtobuf, openProtobufEnvelope, schemaOfType } from "@knarr/apimachinery"
import { WireReader } from "@knarr/base"

export function isProtobuf(type: string): boolean {
  return type.startsWith("application/vnd.kubernetes.protobuf")
}

/** A document, or the events of a watch, a line each; hexadecimal digits when it is neither. */
export function protobufText(type: string, body: Buffer): string {
  try {
    return type.includes("stream=watch") ? events(body) : document(body)
  } catch (thrown) {
    return `${String(thrown)} ${body.toString("hex")}`
  }
}

function document(body: Buffer): string {
  const { apiVersion, kind, raw } = openProtobufEnvelope(body)
  if (kind === "PartialObjectMetadataList") return JSON.stringify({ apiVersion, kind, parts: parts(raw) })
  const schema = schemaOfType({ apiVersion: (apiVersion || "v1").replace("v1beta1", "v1"), kind })
  if (!schema) return JSON.stringify({ apiVersion, kind, raw: raw.toString("hex") })
  return JSON.stringify({ apiVersion, kind, ...decodeProtobuf(schema, raw) })
}

/** The metadata of a list, and its items, by their fields. */
function parts(raw: Buffer): unknown[] {
  const partial = schemaOfType({ apiVersion: "meta.k8s.io/v1", kind: "PartialObjectMetadata" })!
  const listMeta = schemaOfType({ apiVersion: "meta.k8s.io/v1", kind: "ListMeta" })!
  const out: unknown[] = []
  const reader = new WireReader(raw)
  while (reader.next()) out.push(decodeProtobuf(reader.number === 1 ? listMeta : partial, reader.bytes()))
  return out
}

function events(body: Buffer): string {
  let text = ""
  for (let at = 0; at < body.length;) {
    const end = at + 4 + body.readUInt32BE(at)
    const reader = new WireReader(body.subarray(at + 4, end))
    let type = ""
    let object = ""
    while (reader.next()) {
      if (reader.number === 1) type = reader.string()
      else {
        const raw = reader.message()
        while (raw.next()) object = document(raw.bytes())
      }
    }
    text += `{"type":${JSON.stringify(type)},"object":${object}}\n`
    at = end
  }
  return text
}
