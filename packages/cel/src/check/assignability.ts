/**
 * Which types fit where, and what type parameters stand for.
 * Mirrors: cel-go checker/types.go, checker/mapping.go
 */
import { CelType, dynType } from "./types.ts"

/** Type parameters by name, with what they were found to be. What a failed attempt learnt is forgotten again. */
export class Mapping {
  readonly #types = new Map<string, CelType>()
  readonly #journal: [name: string, before: CelType | undefined][] = []

  get(name: string): CelType | undefined {
    return this.#types.get(name)
  }
  set(name: string, type: CelType): void {
    this.#journal.push([name, this.#types.get(name)])
    this.#types.set(name, type)
  }
  /** Keeps what `check` learnt only if it says yes. */
  attempt(check: () => boolean): boolean {
    this.#journal.length = 0
    if (check()) return true
    for (const [name, before] of this.#journal.toReversed()) {
      if (before === undefined) this.#types.delete(name)
      else this.#types.set(name, before)
    }
    return false
  }
}

export const isDyn = (type: CelType): boolean => type.kind === "dyn" || type.kind === "any"
export const isError = (type: CelType): boolean => type.kind === "error"
export const isOptional = (type: CelType): boolean => type.kind === "opaque" && type.name === "optional_type"

const nullable = new Set(["opaque", "struct", "any", "duration", "timestamp", "wrapper", "null"])

function isEqualOrLessSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === "param") return true
  if (isDyn(b) || b.kind === "param" || a.kind !== b.kind) return false
  switch (a.kind) {
    case "opaque":
      return (
        a.name === b.name &&
        a.params.length === b.params.length &&
        a.params.every((param, i) => isEqualOrLessSpecific(param, b.params[i]!))
      )
    case "list":
    case "map":
      return a.params.every((param, i) => isEqualOrLessSpecific(param, b.params[i]!))
    case "type":
      return true
    default:
      return a.isExactly(b)
  }
}

/** The more general of two types that fit each other. */
export const mostGeneral = (a: CelType, b: CelType): CelType => (isEqualOrLessSpecific(a, b) ? a : b)

function assignable(mapping: Mapping, a: CelType, b: CelType): boolean {
  if (b.kind === "param") {
    const { valid, known } = substitutable(mapping, a, b)
    if (valid) return true
    if (known) return false
  }
  if (a.kind === "param") return substitutable(mapping, b, a).valid
  if (isDyn(a) || isError(a) || isDyn(b) || isError(b)) return true
  if (a.kind === "null") return nullable.has(b.kind)
  if (b.kind === "null") return nullable.has(a.kind)
  switch (a.kind) {
    case "type":
      return b.kind === "type"
    case "opaque":
    case "list":
    case "map":
      return a.kind === b.kind && a.name === b.name && listAssignable(mapping, a.params, b.params)
    case "wrapper":
      return (b.kind === "wrapper" && a.name === b.name) || a.params[0]!.isExactly(b)
    default:
      return a.isExactly(b) || (b.kind === "wrapper" && b.params[0]!.isExactly(a))
  }
}

function listAssignable(mapping: Mapping, a: readonly CelType[], b: readonly CelType[]): boolean {
  return a.length === b.length && a.every((type, i) => assignable(mapping, type, b[i]!))
}

/** Whether `param` (or what it stands for) can be `type`; remembers it if so. */
function substitutable(mapping: Mapping, type: CelType, param: CelType): { valid: boolean; known: boolean } {
  if (type.kind === param.kind && type.isExactly(param)) return { valid: true, known: true }
  const known = mapping.get(param.name)
  if (known === undefined) {
    const valid = notWithin(mapping, param, type)
    if (valid) mapping.set(param.name, type)
    return { valid, known: false }
  }
  if (type.kind === known.kind && type.isExactly(known)) return { valid: true, known: true }
  if (!assignable(mapping, type, known)) return { valid: false, known: true }
  const general = mostGeneral(type, known)
  if (notWithin(mapping, param, general)) mapping.set(param.name, general)
  return { valid: true, known: true }
}

function notWithin(mapping: Mapping, param: CelType, type: CelType): boolean {
  if (param.isExactly(type)) return false
  if (type.kind === "param") {
    const known = mapping.get(type.name)
    return known === undefined || notWithin(mapping, param, known)
  }
  return (
    !["opaque", "list", "map", "type"].includes(type.kind) ||
    type.params.every((inner) => notWithin(mapping, param, inner))
  )
}

/** Whether each of the types fits its counterpart; if so, the mapping keeps what that means for parameters. */
export function fits(mapping: Mapping, a: readonly CelType[], b: readonly CelType[]): boolean {
  return mapping.attempt(() => listAssignable(mapping, a, b))
}

/** The type with every known parameter put in; the others become `dyn` if asked. */
export function substitute(mapping: Mapping, type: CelType, toDyn: boolean): CelType {
  if (type.kind === "param") {
    const known = mapping.get(type.name)
    if (known !== undefined) return substitute(mapping, known, toDyn)
    return toDyn ? dynType : type
  }
  if (type.params.length === 0) return type
  const params = type.params.map((param) => substitute(mapping, param, toDyn))
  return params.every((param, i) => param === type.params[i])
    ? type
    : new CelType(type.kind, type.name, params)
}
