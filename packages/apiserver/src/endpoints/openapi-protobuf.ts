/**
 * An OpenAPI v2 document as protobuf, the only form that older kubectl reads.
 * Mirrors: gnostic-models openapiv2/OpenAPIv2.proto (field numbers)
 */
import type { Json } from "./openapi-schemas.ts"

/** A protobuf message under construction. */
class Message {
  readonly #parts: Buffer[] = []
  #length = 0

  #push(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
  }

  text(field: number, value: unknown): this {
    if (typeof value === "string" && value !== "") this.#bytes(field, Buffer.from(value, "utf8"))
    return this
  }

  texts(field: number, values: unknown): this {
    if (Array.isArray(values))
      for (const value of values) this.#bytes(field, Buffer.from(String(value), "utf8"))
    return this
  }

  flag(field: number, value: unknown): this {
    if (value === true) this.#push(Buffer.from([...varint((field << 3) | 0), 1]))
    return this
  }

  message(field: number, value: Message | undefined): this {
    if (value) this.#bytes(field, value.finish())
    return this
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#length)
  }

  #bytes(field: number, bytes: Buffer): void {
    this.#push(Buffer.from([...varint((field << 3) | 2), ...varint(bytes.length)]))
    this.#push(bytes)
  }
}

function varint(value: number): number[] {
  const out: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128)
  out.push(value)
  return out
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function named(name: string, value: Message): Message {
  return new Message().text(1, name).message(2, value)
}

function anyOf(value: unknown): Message {
  return new Message().text(2, `${JSON.stringify(value)}\n`)
}

function extensions(out: Message, field: number, source: Json): Message {
  for (const key in source) if (key.startsWith("x-")) out.message(field, named(key, anyOf(source[key])))
  return out
}

/** The document of openapi.ts in version 2, encoded. */
export function encodeOpenApiV2(document: Json): Buffer {
  const info = document["info"] as Json
  const paths = new Message()
  for (const path in document["paths"] as Json)
    paths.message(2, named(path, pathItem((document["paths"] as Json)[path] as Json)))
  const definitions = new Message()
  for (const name in document["definitions"] as Json)
    definitions.message(1, named(name, schema((document["definitions"] as Json)[name] as Json)))
  const parameters = new Message()
  for (const name in document["parameters"] as Json)
    parameters.message(1, named(name, parameter((document["parameters"] as Json)[name] as Json)))
  return new Message()
    .text(1, document["swagger"])
    .message(2, new Message().text(1, info["title"]).text(2, info["version"]))
    .message(8, paths)
    .message(9, definitions)
    .message(10, parameters)
    .finish()
}

const methods: readonly (readonly [number, string])[] = [
  [2, "get"],
  [3, "put"],
  [4, "post"],
  [5, "delete"],
  [6, "options"],
  [7, "head"],
  [8, "patch"],
]

function pathItem(item: Json): Message {
  const out = new Message()
  for (const [field, method] of methods)
    if (isObject(item[method])) out.message(field, operation(item[method]))
  for (const one of (item["parameters"] as Json[] | undefined) ?? []) out.message(9, parameterItem(one))
  return extensions(out, 10, item)
}

function operation(o: Json): Message {
  const out = new Message()
    .texts(1, o["tags"])
    .text(3, o["description"])
    .text(5, o["operationId"])
    .texts(6, o["produces"])
    .texts(7, o["consumes"])
  for (const one of (o["parameters"] as Json[] | undefined) ?? []) out.message(8, parameterItem(one))
  const responses = new Message()
  for (const code in o["responses"] as Json) {
    const response = (o["responses"] as Json)[code] as Json
    const value = new Message().text(1, response["description"])
    if (isObject(response["schema"])) value.message(2, new Message().message(1, schema(response["schema"])))
    responses.message(1, named(code, new Message().message(1, value)))
  }
  out.message(9, responses).texts(10, o["schemes"])
  return extensions(out, 13, o)
}

/** A parameter where it is used: itself, or where it is. */
function parameterItem(p: Json): Message {
  return "$ref" in p
    ? new Message().message(2, new Message().text(1, p["$ref"]))
    : new Message().message(1, parameter(p))
}

function parameter(p: Json): Message {
  if (p["in"] === "body") {
    const body = new Message()
      .text(1, p["description"])
      .text(2, p["name"])
      .text(3, "body")
      .flag(4, p["required"])
      .message(5, isObject(p["schema"]) ? schema(p["schema"]) : undefined)
    return new Message().message(1, body)
  }
  const query = p["in"] === "query"
  const value = new Message()
    .flag(1, p["required"])
    .text(2, p["in"])
    .text(3, p["description"])
    .text(4, p["name"])
    .text(query ? 6 : 5, p["type"])
    .flag(query ? 20 : 19, p["uniqueItems"])
  return new Message().message(2, new Message().message(query ? 3 : 4, value))
}

function schema(s: Json): Message {
  const out = new Message().text(1, s["$ref"]).text(2, s["format"]).text(4, s["description"])
  if (s["default"] !== undefined) out.message(5, anyOf(s["default"]))
  out.texts(19, s["required"])
  for (const value of (s["enum"] as unknown[] | undefined) ?? []) out.message(20, anyOf(value))
  if (isObject(s["additionalProperties"]))
    out.message(21, new Message().message(1, schema(s["additionalProperties"])))
  if (typeof s["type"] === "string") out.message(22, new Message().texts(1, [s["type"]]))
  if (isObject(s["items"])) out.message(23, new Message().message(1, schema(s["items"])))
  if (isObject(s["properties"])) {
    const properties = new Message()
    for (const name in s["properties"])
      properties.message(1, named(name, schema(s["properties"][name] as Json)))
    out.message(25, properties)
  }
  return extensions(out, 31, s)
}
