/**
 * What expressions of mutating policies make: objects of any fields (`Object{spec: Object.spec{…}}`) and operations of JSON
 * patches (`JSONPatch{op: "add", …}`).
 * Mirrors: apiserver pkg/cel/mutation/{typeresolver,jsonpatch}.go, pkg/cel/mutation/dynamic/objects.go
 */
import type { StructType } from "../check/scope.ts"
import { dynType, stringType, structOf, type CelType } from "../check/types.ts"
import { CelError, CelList, CelMap, ObjectValue, equal, typeOfValue, type Value } from "../run/values.ts"
import { jsonValue } from "./json-value.ts"

export const objectType: CelType = structOf("Object")
export const jsonPatchType: CelType = structOf("JSONPatch")

/** The types that a mutation can make, by name. */
export function mutationStruct(name: string): StructType | undefined {
  if (name === "JSONPatch") return jsonPatchStruct
  if (name !== "Object" && !name.startsWith("Object.")) return undefined
  const type = structOf(name)
  return { type, field: () => dynType, create: (fields) => new MadeObject(type, fields) }
}

/** An object that an expression made. */
export class MadeObject extends ObjectValue {
  readonly type: CelType
  readonly fields: ReadonlyMap<string, Value>

  constructor(type: CelType, fields: ReadonlyMap<string, Value>) {
    super()
    this.type = type
    this.fields = fields
  }

  override isZero(): boolean {
    return this.fields.size === 0
  }

  equalTo(other: Value): Value {
    if (!(other instanceof MadeObject) || other.type.name !== this.type.name) return false
    if (other.fields.size !== this.fields.size) return false
    for (const [name, value] of this.fields) {
      const theirs = other.fields.get(name)
      if (theirs === undefined || equal(value, theirs) !== true) return false
    }
    return true
  }

  toJSONValue(): Record<string, unknown> {
    return Object.fromEntries(Array.from(this.fields, ([name, value]) => [name, jsonValue(value)]))
  }

  /** What is wrong with the names of its types, which have to be those of its fields; "" when nothing is. */
  nameMismatch(): string {
    return mismatches(this, [this.type.name]).join("\n")
  }
}

function mismatches(value: Value, path: readonly string[]): string[] {
  if (value instanceof MadeObject) {
    const expected = path.join(".")
    const { name } = value.type
    const own =
      name === expected
        ? []
        : [
            `unexpected type name "${name}", expected "${expected}", which matches field name path from root Object type`,
          ]
    return [
      ...own,
      ...Array.from(value.fields, ([field, inner]) => mismatches(inner, [...path, field])).flat(),
    ]
  }
  // What was read from an object holds no made ones.
  if (value instanceof CelList)
    return Array.from({ length: value.size }, (_, i) => mismatches(value.get(i), path)).flat()
  if (value instanceof CelMap) return value.keys().flatMap((key) => mismatches(value.find(key)!, path))
  return []
}

/** One operation of a JSON patch that an expression made. */
export class MadeOperation extends ObjectValue {
  readonly type: CelType = jsonPatchType
  readonly op: string
  readonly path: string
  readonly from: string
  readonly value: Value | undefined

  constructor(fields: ReadonlyMap<string, Value>) {
    super()
    const text = (name: string): string => (fields.get(name) as string | undefined) ?? ""
    this.op = text("op")
    this.path = text("path")
    this.from = text("from")
    this.value = fields.get("value")
  }

  equalTo(other: Value): Value {
    if (!(other instanceof MadeOperation)) return false
    if (this.op !== other.op || this.path !== other.path || this.from !== other.from) return false
    if (this.value === undefined || other.value === undefined) return this.value === other.value
    return equal(this.value, other.value)
  }
}

const operationFields: Readonly<Record<string, CelType>> = {
  op: stringType,
  path: stringType,
  from: stringType,
  value: dynType,
}
const jsonPatchStruct: StructType = {
  type: jsonPatchType,
  // A field that there is not has no type, and nothing fits it.
  field: (name) => (Object.hasOwn(operationFields, name) ? operationFields[name] : structOf("")),
  create(fields) {
    for (const name of ["op", "path", "from"]) {
      const value = fields.get(name)
      if (value !== undefined && typeof value !== "string")
        return new CelError(`unexpected type ${typeOfValue(value).name} for JSONPatchType '${name}' field`)
    }
    return new MadeOperation(fields)
  },
}
