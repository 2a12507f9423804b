/**
 * Types of expressions, and values too: `type(1) == int`.
 * Mirrors: cel-go common/types/types.go, checker/format.go
 */

export type TypeKind =
  | "any"
  | "bool"
  | "bytes"
  | "double"
  | "duration"
  | "dyn"
  | "error"
  | "int"
  | "list"
  | "map"
  | "null"
  | "opaque"
  | "param"
  | "string"
  | "struct"
  | "timestamp"
  | "type"
  | "uint"
  | "wrapper"

export class CelType {
  readonly kind: TypeKind
  /** As `type(x)` prints it. */
  readonly name: string
  readonly params: readonly CelType[]

  constructor(kind: TypeKind, name: string, params: readonly CelType[] = []) {
    this.kind = kind
    this.name = name
    this.params = params
  }

  /** As messages name it: `list(map(string, int))`. */
  toString(): string {
    const name = messageNames[this.kind] ?? this.name
    return this.params.length === 0 || this.kind === "wrapper" ? name : `${name}(${this.params.join(", ")})`
  }

  /** The same type, parameters too. */
  isExactly(other: CelType): boolean {
    if (this === other) return true
    if (this.kind !== other.kind || this.name !== other.name || this.params.length !== other.params.length)
      return false
    return this.params.every((param, index) => param.isExactly(other.params[index]!))
  }
}

const messageNames: Readonly<Partial<Record<TypeKind, string>>> = {
  duration: "duration",
  timestamp: "timestamp",
  null: "null",
  any: "any",
  error: "!error!",
}

export const boolType = new CelType("bool", "bool")
export const bytesType = new CelType("bytes", "bytes")
export const doubleType = new CelType("double", "double")
export const durationType = new CelType("duration", "google.protobuf.Duration")
export const dynType = new CelType("dyn", "dyn")
export const errorType = new CelType("error", "error")
export const intType = new CelType("int", "int")
export const nullType = new CelType("null", "null_type")
export const stringType = new CelType("string", "string")
export const timestampType = new CelType("timestamp", "google.protobuf.Timestamp")
export const typeType = new CelType("type", "type")
export const uintType = new CelType("uint", "uint")
/** What holds no schema: `x-kubernetes-preserve-unknown-fields`. */
export const unknownType = new CelType("struct", "unknown")

export const listOf = (item: CelType): CelType => new CelType("list", "list", [item])
export const mapOf = (key: CelType, value: CelType): CelType => new CelType("map", "map", [key, value])
export const typeOf = (type: CelType): CelType => new CelType("type", "type", [type])
export const optionalOf = (type: CelType): CelType => new CelType("opaque", "optional_type", [type])
export const structOf = (name: string): CelType => new CelType("struct", name)
export const opaqueOf = (name: string): CelType => new CelType("opaque", name)
export const paramOf = (name: string): CelType => new CelType("param", name)

export const listType = listOf(dynType)
export const mapType = mapOf(dynType, dynType)
export const optionalType = optionalOf(dynType)

/** Types that programs can name. */
export const namedTypes: ReadonlyMap<string, CelType> = new Map(
  [
    boolType,
    bytesType,
    doubleType,
    durationType,
    intType,
    listType,
    mapType,
    nullType,
    stringType,
    timestampType,
    typeType,
    uintType,
    optionalType,
  ].map((type) => [type.name, type]),
)

/** A type as the declarations write it: `list(string)`, `optional_type(V)`, single capitals are parameters. */
export function parseType(text: string): CelType {
  const open = text.indexOf("(")
  if (open < 0) {
    if (/^[A-Z]$/.test(text)) return paramOf(text)
    return (
      simpleTypes.get(text) ??
      (text.startsWith("net.") || text.startsWith("kubernetes.NamedFormat") ? opaqueOf(text) : structOf(text))
    )
  }
  const params: CelType[] = []
  let depth = 0
  let start = open + 1
  for (let at = start; at < text.length; at++) {
    const char = text[at]
    if (depth === 0 && (char === "," || char === ")")) {
      params.push(parseType(text.slice(start, at).trim()))
      start = at + 1
    } else if (char === "(") depth++
    else if (char === ")") depth--
  }
  const name = text.slice(0, open)
  return new CelType(name === "list" || name === "map" || name === "type" ? name : "opaque", name, params)
}

const simpleTypes: ReadonlyMap<string, CelType> = new Map<string, CelType>([
  ["bool", boolType],
  ["bytes", bytesType],
  ["double", doubleType],
  ["duration", durationType],
  ["dyn", dynType],
  ["int", intType],
  ["null", nullType],
  ["string", stringType],
  ["timestamp", timestampType],
  ["type", typeType],
  ["uint", uintType],
  ["list", listType],
  ["map", mapType],
])
