/**
 * Parsed JSON to an API object of a known shape: unknown fields and nulls go, types are checked with the messages of
 * Go's decoder, quantities and times become canonical, and what Go prints although it is empty is filled in. Each
 * shape is compiled once. Custom resources, whose objects keep nulls and empties, use `pruneUnknown` instead.
 * Mirrors: sigs.k8s.io/json, apimachinery pkg/runtime/serializer/json
 */
import { parseJson } from "@knarr/base"
import { markEmptyMap, setOwn } from "./deep.ts"
import { scalarReader, TypeProblem } from "./decode-scalars.ts"
import { countKeys, countTextKeys, scanStrict } from "./json-strict.ts"
import { isEmpty, isLeftOutEmpty } from "./empties.ts"
import type { Schema } from "./schema.ts"

/** What came out of decoding. */
export interface Decoded<T> {
  readonly object: T
  /** With `strict`: `unknown field "spec.foo"`, `duplicate field "spec.bar"`; at most 100, each once. */
  readonly strictErrors: readonly string[]
}

export interface DecodeOptions {
  /** Collect unknown (and, from text, duplicate) fields; they are dropped in any case. Default false. */
  readonly strict?: boolean
  /**
   * Keep empty lists and maps of fields that Go leaves out when it prints: to Go's rules they are not the same as nothing.
   * Who asks for them makes them nothing, with `settleEmpties`, when the object is stored or shown. Default false.
   */
  readonly keepEmpties?: boolean
}

/** A value that does not fit its type, or is no JSON at all; the message is what Go's decoder would say. */
export class DecodeError extends Error {
  /** The same of a value that never was text. */
  readonly unstructuredMessage: string

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "DecodeError"
    this.unstructuredMessage =
      options?.cause instanceof TypeProblem ? options.cause.unstructuredText() : message
  }
}

/** Upstream reports no more. */
const maxStrictErrors = 100

/** The state of one decoding. */
class Run {
  readonly strict: boolean
  readonly keepEmpties: boolean
  /** Paths of unknown fields, relative to the object that is being read. */
  unknown: string[] = []
  keys = 0

  constructor({ strict = false, keepEmpties = false }: DecodeOptions = {}) {
    this.strict = strict
    this.keepEmpties = keepEmpties
  }
}

type Walk = (value: unknown, run: Run) => unknown

interface FieldPlan {
  readonly name: string
  readonly walk: Walk
  /** Go leaves an empty list or map out when it prints. */
  readonly dropEmpty: boolean
  /** Go leaves a plain value out when it is zero. */
  readonly dropZero: boolean
  /** Where it is in Go's struct. */
  readonly path: string
  readonly plainType: string
  readonly typeName: string | undefined
}

interface Fill {
  readonly name: string
  make(): unknown
}

/** How to read an object of one shape; its fields are compiled on first use, because shapes are recursive. */
class ObjectPlan {
  readonly #schema: Schema
  readonly preserveUnknown: boolean
  readonly goType: string
  readonly #fields = new Map<string, FieldPlan | null>()
  #fills: readonly Fill[] | undefined

  constructor(schema: Schema) {
    this.#schema = schema
    this.preserveUnknown = schema.preserveUnknown === true
    this.goType = goTypeOf(schema)
  }

  /** null for a field that the shape does not have. */
  field(name: string): FieldPlan | null {
    const known = this.#fields.get(name)
    if (known !== undefined) return known
    const field = this.#schema.fields?.get(name)
    if (!field) return null
    const plan: FieldPlan = {
      name,
      walk: walkOf(field.schema),
      // No managers at all is not the same as nothing said of them: it resets them.
      dropEmpty: isLeftOutEmpty(field) && name !== "managedFields",
      dropZero: field.omitZero === true,
      path: field.inside === undefined ? name : `${field.inside}.${name}`,
      plainType: goTypeOf(field.schema),
      typeName: field.goType,
    }
    this.#fields.set(name, plan)
    return plan
  }

  get fills(): readonly Fill[] {
    return (this.#fills ??= fillsOf(this.#schema))
  }
}

function fillsOf(schema: Schema): Fill[] {
  const out: Fill[] = []
  for (const field of schema.fields?.values() ?? []) {
    const value = field.default
    const { type } = field.schema
    if (field.printNull && type !== "array" && type !== "map")
      out.push({ name: field.name, make: () => null })
    if (type === "quantity" && field.required && !field.omitEmpty)
      out.push({ name: field.name, make: () => "0" })
    if (value === undefined) continue
    if (isEmptyObject(value)) {
      const walk = walkOf(field.schema)
      out.push({ name: field.name, make: () => walk({}, new Run()) })
    } else if (!field.omitZero && (value === "" || value === 0 || value === false)) {
      out.push({ name: field.name, make: () => value })
    }
  }
  return out
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0
}

/** `io.k8s.api.core.v1.PodSpec` is `v1.PodSpec` in Go. */
function goTypeOf(schema: Schema): string {
  switch (schema.type) {
    case "object":
      return schema.name ? schema.name.split(".").slice(-2).join(".") : "map[string]interface {}"
    case "map":
      return `map[string]${schema.values ? goTypeOf(schema.values) : "interface {}"}`
    case "array":
      return `[]${schema.items ? goTypeOf(schema.items) : "interface {}"}`
    case "boolean":
      return "bool"
    case "integer":
      return schema.format ?? "int64"
    case "number":
      return "float64"
    case "bytes":
      return "[]uint8"
    case "quantity":
      return "resource.Quantity"
    case "time":
      return "v1.Time"
    case "micro-time":
      return "v1.MicroTime"
    case "int-or-string":
      return "intstr.IntOrString"
    case "any":
      return "interface {}"
    default:
      return "string"
  }
}

const walks = new WeakMap<Schema, Walk>()

function walkOf(schema: Schema): Walk {
  const known = walks.get(schema)
  if (known) return known
  const walk = compile(schema)
  walks.set(schema, walk)
  return walk
}

function compile(schema: Schema): Walk {
  if (schema.reader) return readerWalk(schema.reader)
  switch (schema.type) {
    case "object":
      return objectWalk(new ObjectPlan(schema))
    case "map":
      return mapWalk(schema)
    case "array":
      return arrayWalk(schema)
    case "any":
      return anyWalk
    default: {
      const read = scalarReader(schema)
      return (value) => read(value)
    }
  }
}

const anyWalk: Walk = (value, run) => {
  if (run.strict) run.keys += countKeys(value)
  return value
}

function readerWalk(reader: NonNullable<Schema["reader"]>): Walk {
  return (value, run) => {
    const { object, unknown } = reader(value)
    if (run.strict) {
      run.keys += countKeys(value)
      for (const path of unknown) run.unknown.push(path)
    }
    return object
  }
}

function objectWalk(plan: ObjectPlan): Walk {
  return (value, run) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new TypeProblem(value, plan.goType)
    }
    const source = value as Record<string, unknown>
    const out: Record<string, unknown> = {}
    let name = ""
    try {
      for (name in source) {
        if (run.strict) run.keys++
        const item = source[name]
        const field = plan.field(name)
        if (field === null) {
          if (plan.preserveUnknown) {
            setOwn(out, name, anyWalk(item, run))
          } else if (run.strict) {
            run.keys += countKeys(item)
            run.unknown.push(name)
          }
          continue
        }
        if (item === null || item === undefined) continue
        const before = run.unknown.length
        const read = field.walk(item, run)
        if (run.unknown.length > before) prefixFrom(run.unknown, before, name)
        if (read === null || (field.dropEmpty && !run.keepEmpties && isEmpty(read))) continue
        if (field.dropZero && (read === "" || read === 0 || read === false)) continue
        out[name] = read
      }
    } catch (thrown) {
      if (thrown instanceof TypeProblem) {
        const { path, plainType, typeName } = plan.field(name)!
        thrown.within(plan.goType, path, plainType, typeName)
      }
      throw thrown
    }
    const fills = plan.fills
    for (let i = 0; i < fills.length; i++) {
      const fill = fills[i]!
      if (out[fill.name] === undefined) out[fill.name] = fill.make()
    }
    return out
  }
}

function prefixFrom(paths: string[], from: number, name: string): void {
  for (let i = from; i < paths.length; i++) {
    const path = paths[i]!
    paths[i] = path.startsWith("[") ? name + path : `${name}.${path}`
  }
}

function mapWalk(schema: Schema): Walk {
  const goType = goTypeOf(schema)
  const values = schema.values
  const zero = values ? zeroOf(values) : () => null
  let walk: Walk | undefined
  return (value, run) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new TypeProblem(value, goType)
    }
    walk ??= values ? walkOf(values) : anyWalk
    const source = value as Record<string, unknown>
    const out: Record<string, unknown> = {}
    for (const name in source) {
      if (run.strict) run.keys++
      const item = source[name]
      const before = run.unknown.length
      const read = item === null || item === undefined ? zero() : walk(item, run)
      if (run.unknown.length > before) prefixFrom(run.unknown, before, name)
      if (name === "__proto__") setOwn(out, name, read)
      else out[name] = read
    }
    if (run.keepEmpties && isEmpty(out)) markEmptyMap(out)
    return out
  }
}

function arrayWalk(schema: Schema): Walk {
  const goType = goTypeOf(schema)
  const items = schema.items
  const zero = items ? zeroOf(items) : () => null
  let walk: Walk | undefined
  return (value, run) => {
    if (!Array.isArray(value)) throw new TypeProblem(value, goType)
    walk ??= items ? walkOf(items) : anyWalk
    const out: unknown[] = []
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      const before = run.unknown.length
      out.push(item === null || item === undefined ? zero() : walk(item, run))
      if (run.unknown.length > before) prefixFrom(run.unknown, before, `[${i}]`)
    }
    return out
  }
}

/** What Go has for a null in a list or map: the type's zero value. */
function zeroOf(schema: Schema): () => unknown {
  switch (schema.type) {
    case "object":
      return () => walkOf(schema)({}, new Run())
    case "string":
    case "bytes":
      return () => ""
    case "integer":
    case "number":
    case "int-or-string":
      return () => 0
    case "boolean":
      return () => false
    case "quantity":
      return () => "0"
    default:
      return () => null
  }
}

/**
 * The object that a parsed JSON value stands for. The value is not changed; values of type `any` (RawExtension,
 * FieldsV1) are shared with it. Throws {@link DecodeError}.
 */
export function decodeObject<T>(schema: Schema, value: unknown, options?: DecodeOptions): Decoded<T> {
  const run = new Run(options)
  const object = read<T>(schema, value, run)
  return { object, strictErrors: strictErrorsOf(run.unknown) }
}

/** {@link decodeObject} of text; in strict mode it finds duplicate fields too, in the order of the text. */
export function decodeJson<T>(schema: Schema, text: string, options?: DecodeOptions): Decoded<T> {
  const value = parseJson(text)
  const run = new Run(options)
  const object = read<T>(schema, value, run, text)
  // JSON.parse drops the first of two equal keys: a text with more keys than its value has a duplicate.
  const hasDuplicates = run.strict && countTextKeys(text) !== run.keys
  return {
    object,
    strictErrors: hasDuplicates ? scanStrict(text, schema) : strictErrorsOf(run.unknown),
  }
}

function read<T>(schema: Schema, value: unknown, run: Run, text?: string): T {
  try {
    return walkOf(schema)(value, run) as T
  } catch (cause) {
    if (cause instanceof DecodeError) throw cause
    if (cause instanceof TypeProblem) throw new DecodeError(cause.text(text), { cause })
    throw cause instanceof RangeError ? cause : new DecodeError((cause as Error).message, { cause })
  }
}

function strictErrorsOf(unknown: readonly string[]): readonly string[] {
  if (unknown.length === 0) return noErrors
  return [...new Set(unknown)]
    .slice(0, maxStrictErrors)
    .map((path) => `unknown field ${JSON.stringify(path)}`)
}

const noErrors: readonly string[] = Object.freeze([])

/** What upstream says of strict errors: `strict decoding error: unknown field "spec.foo", …`. */
export function strictErrorMessage(strictErrors: readonly string[]): string {
  return `strict decoding error: ${strictErrors.join(", ")}`
}
