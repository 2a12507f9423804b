/**
 * Reading through variables: `a.b[c].?d`. A chain is one step with qualifiers, each costs 1, and the chain 1 more.
 * Mirrors: cel-go interpreter/attributes.go
 */
import type { Frame } from "./frame.ts"
import { shown } from "./format.ts"
import {
  CelError,
  CelList,
  CelMap,
  Double,
  Optional,
  Uint,
  isInt,
  maybeNoSuchOverload,
  none,
  type Value,
} from "./values.ts"

export type Run = (frame: Frame) => Value

interface Qualifier {
  /** The key, or how to find it. */
  readonly key: Value | Run
  readonly optional: boolean
  /** `has()`: whether it is there. */
  readonly test: boolean
}

/** What a chain begins with. */
export abstract class Attribute {
  /** What finishing the chain costs. */
  abstract readonly cost: number
  abstract qualify(qualifier: Qualifier): void
  /** The value, without the chain's own cost. */
  abstract resolve(frame: Frame): Value
}

/** A variable, or the result of something else. */
export class BaseAttribute extends Attribute {
  readonly cost = 1
  readonly #base: Run
  readonly #qualifiers: Qualifier[] = []

  constructor(base: Run) {
    super()
    this.#base = base
  }

  qualify(qualifier: Qualifier): void {
    this.#qualifiers.push(qualifier)
  }

  resolve(frame: Frame): Value {
    const base = this.#base(frame)
    return this.#qualifiers.length === 0 ? base : applyQualifiers(frame, base, this.#qualifiers)
  }
}

/** `c ? a : b`: the branches' own chains cost nothing more. */
export class ConditionalAttribute extends Attribute {
  readonly cost = 0
  readonly #condition: Run
  readonly #then: Attribute
  readonly #otherwise: Attribute

  constructor(condition: Run, then: Attribute, otherwise: Attribute) {
    super()
    this.#condition = condition
    this.#then = then
    this.#otherwise = otherwise
  }

  qualify(qualifier: Qualifier): void {
    this.#then.qualify(qualifier)
    this.#otherwise.qualify(qualifier)
  }

  resolve(frame: Frame): Value {
    const condition = this.#condition(frame)
    if (condition === true) return this.#then.resolve(frame)
    if (condition === false) return this.#otherwise.resolve(frame)
    return maybeNoSuchOverload(condition)
  }
}

/** A list has nothing at an index. */
class NotFound extends CelError {}

function applyQualifiers(frame: Frame, base: Value, qualifiers: readonly Qualifier[]): Value {
  let value = base
  let optional = false
  if (value instanceof Optional) {
    if (value.value === undefined) return value
    optional = true
    value = value.value
  }
  if (value instanceof CelError) return value
  for (const { key, optional: asked, test } of qualifiers) {
    optional ||= asked
    const found = qualified(frame, value, key, optional || test)
    // What may be missing costs nothing when it is, or fails.
    if (!optional || !(found === undefined || found instanceof CelError)) frame.charge(1)
    // An item of a list that is no value fails where it is used.
    if (found instanceof CelError && (!(value instanceof CelList) || found instanceof NotFound)) return found
    if (test) return found instanceof CelError ? found : found !== undefined
    if (found === undefined) return none
    value = found
  }
  return optional && !(value instanceof CelError) ? new Optional(value) : value
}

function qualified(frame: Frame, value: Value, key: Value | Run, optional: boolean): Value | undefined {
  if (typeof key !== "function") return member(value, key, optional)
  const resolved = key(frame)
  return resolved instanceof CelError ? resolved : member(value, resolved, optional)
}

/** What a map or list has under a key; undefined when it has none and that is allowed. */
function member(value: Value, key: Value, optional: boolean): Value | undefined {
  if (value instanceof CelMap) {
    const found = value.find(key)
    return found !== undefined || optional ? found : new CelError(`no such key: ${shown(key)}`)
  }
  if (value instanceof CelList) {
    const index = listIndex(key)
    if (typeof index !== "number") return index
    if (index >= 0 && index < value.size) return value.get(index)
    return optional ? undefined : new NotFound(`index out of bounds: ${shown(key)}`)
  }
  if (value instanceof CelError) return value
  return optional ? undefined : new CelError(`no such key: ${shown(key)}`)
}

function listIndex(key: Value): number | CelError {
  if (isInt(key)) return Number(key)
  if (key instanceof Uint) return Number(key.value)
  if (key instanceof Double && Number.isInteger(key.value)) return key.value
  if (key instanceof Double) return new NotFound(`unsupported index value ${shown(key)} in list`)
  return new NotFound(`unsupported index type '${typeName(key)}' in list`)
}

function typeName(value: Value): string {
  return typeof value === "boolean"
    ? "bool"
    : value === null
      ? "null_type"
      : typeof value === "string"
        ? "string"
        : "object"
}
