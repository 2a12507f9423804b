/**
 * Values as Go's types print them in refusals: of internal types by Go's field names and in Go's order, with what is
 * not there as null, "" or 0. Mirrors: encoding/json of the types in pkg/apis
 */
import { goTypes } from "./go-types.gen.ts"

type Loose = Readonly<Record<string, unknown>>

interface GoField {
  readonly out: string
  readonly type: string
  /** Where it is in the published type. */
  readonly from: readonly string[]
  readonly option: "" | "omitempty" | "omitzero"
}

const known = new Map<string, readonly GoField[]>()

function fieldsOf(type: string): readonly GoField[] | undefined {
  const rows = goTypes[type]
  let fields = known.get(type)
  if (!fields && rows) {
    fields = rows.map((row) => {
      const [out, goType, ...words] = row.split(" ") as [string, string, ...string[]]
      const from = words.find((word) => word.startsWith("="))?.slice(1)
      const option = words.find((word) => word.startsWith("omit")) as GoField["option"] | undefined
      return {
        out,
        type: goType,
        from: from?.split(".") ?? [option || /^[a-z]/.test(out) ? out : out[0]!.toLowerCase() + out.slice(1)],
        option: option ?? "",
      }
    })
    known.set(type, fields)
  }
  return fields
}

const zeros: Readonly<Record<string, unknown>> = {
  string: "",
  int: 0,
  float64: 0,
  bool: false,
  quantity: "0",
  intstr: 0,
}

/** `value`, of the published type, as Go prints it in the type `type`: `core.PodSpec`, `[]core.Taint`, `meta.LabelSelector`. */
export function goValue(type: string, value: unknown): unknown {
  if (value === undefined || value === null) {
    if (/^(\*|\[\]|map\[\])/.test(type)) return null
    return fieldsOf(type) ? goStruct(type, {}) : (zeros[type] ?? null)
  }
  if (type.startsWith("*")) return goValue(type.slice(1), value)
  if (type.startsWith("[]")) return (value as unknown[]).map((item) => goValue(type.slice(2), item))
  if (type.startsWith("map[]")) {
    const names = Object.keys(value).sort()
    return Object.fromEntries(names.map((name) => [name, goValue(type.slice(5), (value as Loose)[name])]))
  }
  const union = unions[type]?.(value)
  if (union) return union
  return fieldsOf(type) ? goStruct(type, value as Loose) : value
}

function goStruct(type: string, value: Loose): unknown {
  const out: Record<string, unknown> = {}
  for (const field of fieldsOf(type)!) {
    const found = field.from.reduce<unknown>((at, name) => (at as Loose | undefined)?.[name], value)
    const printed = goValue(field.type, found)
    if (field.option !== "" && isNothing(printed, field)) continue
    out[field.out] = printed
  }
  return out
}

/** Whether Go leaves the field out. A struct is never empty to `omitempty`. */
function isNothing(printed: unknown, { type, option }: GoField): boolean {
  if (printed === null || printed === "" || printed === 0 || printed === false)
    return !type.startsWith("*") || printed === null
  if (typeof printed !== "object" || (option === "omitempty" && fieldsOf(type))) return false
  return Object.keys(printed).length === 0 && !type.startsWith("*")
}

const schema = "apiextensions.JSONSchemaProps"

/** What is one of several things in JSON has a field for each in Go. */
const unions: Readonly<Record<string, (value: unknown) => unknown>> = {
  "apiextensions.JSONSchemaPropsOrBool": (value) =>
    typeof value === "boolean"
      ? { Allows: value, Schema: null }
      : { Allows: true, Schema: goValue(schema, value) },
  "apiextensions.JSONSchemaPropsOrArray": (value) =>
    Array.isArray(value)
      ? { Schema: null, JSONSchemas: goValue(`[]${schema}`, value) }
      : { Schema: goValue(schema, value), JSONSchemas: null },
  "apiextensions.JSONSchemaPropsOrStringArray": (value) =>
    Array.isArray(value)
      ? { Schema: null, Property: value }
      : { Schema: goValue(schema, value), Property: null },
}
