/** cel-spec's conformance vectors, but for those about what Kubernetes does not turn on. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { gunzipSync } from "node:zlib"
import { namedTypes } from "./check/types.ts"
import { parseDuration, parseTimestamp } from "./run/time.ts"
import {
  ArrayList,
  CelEnvironment,
  CelIssues,
  CelType,
  Double,
  Duration,
  EntriesMap,
  Timestamp,
  Uint,
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  equal,
  intType,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  stringType,
  timestampType,
  uintType,
  type Value,
  type Variable,
} from "./index.ts"

interface Vector {
  name: string
  expr: string
  noMacros?: boolean
  noCheck?: boolean
  checkOnly?: boolean
  container?: string
  typeEnv?: { name: string; ident?: { type: Json }; function?: unknown }[]
  bindings?: Record<string, { value?: Json }>
  value?: Json
  type?: Json
  error?: boolean
  unknown?: boolean
}
type Json = Record<string, any>

const vectors = JSON.parse(
  gunzipSync(readFileSync(join(import.meta.dirname, "../testdata/vectors.json.gz"))).toString(),
) as Vector[]

/** Why a vector is none of ours, by what it is about. */
const excludedSuites: Readonly<Record<string, string>> = {
  proto2: "protocol buffers",
  proto2_ext: "protocol buffers",
  proto3: "protocol buffers",
  enums: "protocol buffers",
  wrappers: "protocol buffers",
  block_ext: "not in Kubernetes' environment",
  bindings_ext: "not in Kubernetes' environment",
  encoders_ext: "not in Kubernetes' environment",
  math_ext: "not in Kubernetes' environment",
}

/** Where cel-go, as Kubernetes sets it up, says something else than the specification; golden.test.ts has what it says. */
const excluded: readonly { readonly names: RegExp; readonly reason: string }[] = [
  { names: /\/map_value_repeat_key/, reason: "cel-go lets a key be repeated in a map literal" },
  {
    names: /\/(?:map_null_entry_no_such_key|map_present_key_invalid_field)$/,
    reason: "cel-go's older presence tests: no error where there is no map",
  },
  {
    names: /^string_ext\/format\/.*(?:scientific|infinity support|NaN support for decimal)/,
    reason: "version 2 of strings prints exponents and infinity otherwise",
  },
  {
    names:
      /^string_ext\/format\/(?:list support for string|map support|dyntype (?:NaN|support for (?:scientific|lists|maps)))/,
    reason: "version 2 of strings prints values in lists and maps otherwise",
  },
  {
    names: /^string_ext\/value_errors\/(?:last)?indexof_out_of_range$/,
    reason: "version 2 of strings answers -1",
  },
  {
    names: /null_assignable_to_abstract_parameter_candidate$/,
    reason: "cel-go joins an optional and null to null",
  },
]

function reasonToSkip(vector: Vector): string | undefined {
  const suite = vector.name.split("/")[0]!
  if (excludedSuites[suite] !== undefined) return excludedSuites[suite]
  if (vector.noCheck) return "Kubernetes checks every expression"
  if (vector.container || vector.noMacros || vector.unknown)
    return "containers, disabled macros and unknowns are not in Kubernetes' environment"
  if (
    /google\.protobuf|TestAllTypes|NestedTest|GlobalEnum|messageType/.test(
      vector.expr + JSON.stringify([vector.typeEnv, vector.type]),
    )
  )
    return "protocol buffers"
  if (vector.typeEnv?.some((declared) => declared.function !== undefined)) return "declares functions"
  return excluded.find(({ names }) => names.test(vector.name))?.reason
}

const primitives: Readonly<Record<string, CelType>> = {
  BOOL: boolType,
  INT64: intType,
  UINT64: uintType,
  DOUBLE: doubleType,
  STRING: stringType,
  BYTES: bytesType,
}

function typeFrom(json: Json): CelType {
  if (json["primitive"]) return primitives[json["primitive"] as string]!
  if (json["wellKnown"])
    return (
      ({ TIMESTAMP: timestampType, DURATION: durationType } as Record<string, CelType>)[
        json["wellKnown"] as string
      ] ?? dynType
    )
  if (json["listType"]) return listOf(typeFrom(json["listType"].elemType ?? { dyn: {} }))
  if (json["mapType"]) return mapOf(typeFrom(json["mapType"].keyType), typeFrom(json["mapType"].valueType))
  if (json["null"] !== undefined) return nullType
  if (json["abstractType"]) return optionalOf(typeFrom(json["abstractType"].parameterTypes[0]))
  if (json["type"])
    return new CelType(
      "type",
      "type",
      Object.keys(json["type"] as Json).length === 0 ? [] : [typeFrom(json["type"] as Json)],
    )
  return dynType
}

function valueFrom(json: Json): Value {
  const [kind, value] = Object.entries(json)[0]!
  switch (kind) {
    case "int64Value":
      return Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value)
    case "uint64Value":
      return new Uint(BigInt(value))
    case "doubleValue":
      return new Double(Number(value))
    case "bytesValue":
      return Buffer.from(value, "base64")
    case "nullValue":
      return null
    case "listValue":
      return new ArrayList(((value.values ?? []) as Json[]).map(valueFrom))
    case "mapValue":
      return new EntriesMap(
        new Map(
          ((value.entries ?? []) as Json[]).map((entry) => {
            const key = valueFrom(entry["key"] as Json)
            return [
              key instanceof Uint ? Number(key.value) : key,
              [key, valueFrom(entry["value"] as Json)] as const,
            ]
          }),
        ),
      )
    case "typeValue":
      return namedTypes.get(value)!
    case "objectValue":
      if (value["@type"].endsWith("Duration")) return new Duration(parseDuration(value.value)!)
      if (value["@type"].endsWith("Timestamp")) {
        const time = parseTimestamp(value.value)!
        return new Timestamp(time.seconds, time.nanos)
      }
      throw new Error("message")
    default:
      return value
  }
}

function outcome(vector: Vector): string | undefined {
  const variables: Record<string, Variable> = {}
  for (const { name, ident } of vector.typeEnv ?? [])
    if (ident !== undefined) variables[name] = { type: typeFrom(ident.type) }
  const compiled = new CelEnvironment({ variables, homogeneousLiterals: false }).compile(vector.expr)
  if (compiled instanceof CelIssues) return vector.error ? undefined : compiled.toString()
  if (vector.type !== undefined && compiled.outputType.toString() !== typeFrom(vector.type).toString())
    return `type ${compiled.outputType}`
  if (vector.checkOnly) return undefined
  const bindings = Object.fromEntries(
    Object.entries(vector.bindings ?? {}).map(([name, { value }]) => [name, valueFrom(value!)]),
  )
  let result
  try {
    result = compiled.program().evaluate(bindings)
  } catch (error) {
    result = { error: (error as Error).message, value: undefined }
  }
  if (vector.error) return result.error === undefined ? "no error" : undefined
  if (result.error !== undefined) return result.error
  const wanted = valueFrom(vector.value!)
  const same =
    equal(result.value!, wanted) === true ||
    (wanted instanceof Double &&
      Number.isNaN(wanted.value) &&
      result.value instanceof Double &&
      Number.isNaN(result.value.value))
  return same ? undefined : `got ${JSON.stringify(result.value)}`
}

test("cel-spec's vectors hold for all that Kubernetes turns on", () => {
  const failed: string[] = []
  let ran = 0
  for (const vector of vectors) {
    if (reasonToSkip(vector) !== undefined) continue
    ran++
    const problem = outcome(vector)
    if (problem !== undefined) failed.push(`${vector.name}: ${vector.expr}\n  ${problem}`)
  }
  assert.deepEqual(failed, [])
  assert.equal(ran, 1280)
})
