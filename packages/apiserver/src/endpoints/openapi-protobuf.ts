/**
 * An OpenAPI v2 document as protobuf, the only form that older kubectl reads.
 * Mirrors: gnostic-models openapiv2/OpenAPIv2.proto (field numbers)
 */
import { WireWriter } from "@knarr/base"
import type { Json } from "./openapi-schemas.ts"

/** A protobuf message under construction; what is empty is left out. */
class Message {
  readonly #writer = new WireWriter()

  text(field: number, value: unknown): this {
    if (typeof value === "string" && value !== "") {
      this.#writer.tag(field, 2)
      this.#writer.string(value)
    }
    return this
  }

  texts(field: number, values: unknown): this {
    if (Array.isArray(values)) {
      for (const value of values) {
        this.#writer.tag(field, 2)
        this.#writer.string(String(value))
      }
    }
    return this
  }

  flag(field: number, value: unknown): this {
    if (value === true) {
      this.#writer.tag(field, 0)
      this.#writer.int64(1)
    }
    return this
  }

  /** A message inside this one, which `fill` writes. */
  message(field: number, fill: (inner: this) => void): this {
    this.#writer.tag(field, 2)
    this.#writer.delimited(() => fill(this))
    return this
  }

  /** A message of a name and a value. */
  named(field: number, name: string, fill: (inner: this) => void): this {
    return this.message(field, (pair) => pair.text(1, name).message(2, fill))
  }

  /** Any value, as YAML. */
  any(field: number, value: unknown): this {
    return this.message(field, (any) => any.text(2, `${JSON.stringify(value)}\n`))
  }

  finish(): Buffer {
    return this.#writer.finish()
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function extensions(out: Message, field: number, source: Json): void {
  for (const key in source) {
    if (key.startsWith("x-"))
      out.named(field, key, (value) => value.text(2, `${JSON.stringify(source[key])}\n`))
  }
}

/** The document of openapi.ts in version 2, encoded. */
export function encodeOpenApiV2(document: Json): Buffer {
  const info = document["info"] as Json
  const paths = document["paths"] as Json
  const definitions = document["definitions"] as Json
  const shared = document["parameters"] as Json
  return new Message()
    .text(1, document["swagger"])
    .message(2, (out) => out.text(1, info["title"]).text(2, info["version"]))
    .message(8, (out) => {
      for (const path in paths) out.named(2, path, (item) => pathItem(item, paths[path] as Json))
    })
    .message(9, (out) => {
      for (const name in definitions) out.named(1, name, (value) => schema(value, definitions[name] as Json))
    })
    .message(10, (out) => {
      for (const name in shared) out.named(1, name, (value) => parameter(value, shared[name] as Json))
    })
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

function pathItem(out: Message, item: Json): void {
  for (const [field, method] of methods) {
    const one = item[method]
    if (isObject(one)) out.message(field, (value) => operation(value, one))
  }
  parameters(out, 9, item)
  extensions(out, 10, item)
}

function operation(out: Message, o: Json): void {
  const responses = o["responses"] as Json
  out
    .texts(1, o["tags"])
    .text(3, o["description"])
    .text(5, o["operationId"])
    .texts(6, o["produces"])
    .texts(7, o["consumes"])
  parameters(out, 8, o)
  out
    .message(9, (all) => {
      for (const code in responses)
        all.named(1, code, (value) => value.message(1, (one) => response(one, responses[code] as Json)))
    })
    .texts(10, o["schemes"])
  extensions(out, 13, o)
}

function response(out: Message, r: Json): void {
  const body = r["schema"]
  out.text(1, r["description"])
  if (isObject(body)) out.message(2, (item) => item.message(1, (value) => schema(value, body)))
}

/** Parameters where they are used: themselves, or where they are. */
function parameters(out: Message, field: number, source: Json): void {
  for (const one of (source["parameters"] as Json[] | undefined) ?? []) {
    out.message(field, (item) => {
      if ("$ref" in one) item.message(2, (where) => where.text(1, one["$ref"]))
      else item.message(1, (value) => parameter(value, one))
    })
  }
}

function parameter(out: Message, p: Json): void {
  if (p["in"] === "body") bodyParameter(out, p)
  else plainParameter(out, p)
}

function bodyParameter(out: Message, p: Json): void {
  const shape = p["schema"]
  out.message(1, (body) => {
    body.text(1, p["description"]).text(2, p["name"]).text(3, "body").flag(4, p["required"])
    if (isObject(shape)) body.message(5, (value) => schema(value, shape))
  })
}

function plainParameter(out: Message, p: Json): void {
  const query = p["in"] === "query"
  out.message(2, (plain) =>
    plain.message(query ? 3 : 4, (value) =>
      value
        .flag(1, p["required"])
        .text(2, p["in"])
        .text(3, p["description"])
        .text(4, p["name"])
        .text(query ? 6 : 5, p["type"])
        .flag(query ? 20 : 19, p["uniqueItems"]),
    ),
  )
}

function schema(out: Message, s: Json): void {
  const { items, properties, additionalProperties } = s
  out.text(1, s["$ref"]).text(2, s["format"]).text(4, s["description"])
  if (s["default"] !== undefined) out.any(5, s["default"])
  out.texts(19, s["required"])
  for (const value of (s["enum"] as unknown[] | undefined) ?? []) out.any(20, value)
  if (isObject(additionalProperties))
    out.message(21, (item) => item.message(1, (value) => schema(value, additionalProperties)))
  if (typeof s["type"] === "string") out.message(22, (item) => item.texts(1, [s["type"]]))
  if (isObject(items)) out.message(23, (list) => list.message(1, (value) => schema(value, items)))
  if (isObject(properties)) {
    out.message(25, (all) => {
      for (const name in properties) all.named(1, name, (value) => schema(value, properties[name] as Json))
    })
  }
  extensions(out, 31, s)
}
