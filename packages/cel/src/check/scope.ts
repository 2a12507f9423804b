/**
 * What names mean to an expression: variables, functions and types.
 * Mirrors: cel-go checker/env.go, checker/scopes.go
 */
import type { Value } from "../run/values.ts"
import { namedTypes, typeOf, type CelType } from "./types.ts"

/** One form of a function. */
export interface Overload {
  readonly id: string
  /** Called on its first argument: `a.f(b)`. */
  readonly member: boolean
  readonly args: readonly CelType[]
  readonly result: CelType
  /** Names of the type parameters in it. */
  readonly params: readonly string[]
}

/** A type with named fields. */
export interface StructType {
  readonly type: CelType
  field(name: string): CelType | undefined
  /** Makes one from its fields; without it expressions cannot. */
  readonly create?: (fields: ReadonlyMap<string, Value>) => Value
}

export interface Declarations {
  readonly variables: ReadonlyMap<string, CelType>
  readonly functions: ReadonlyMap<string, readonly Overload[]>
  readonly structs: ReadonlyMap<string, StructType>
  /** Types that are known by their name alone. */
  readonly structNamed?: ((name: string) => StructType | undefined) | undefined
}

export function structOfName(declarations: Declarations, name: string): StructType | undefined {
  return declarations.structs.get(name) ?? declarations.structNamed?.(name)
}

export interface Resolved {
  readonly name: string
  readonly type: CelType
  /** Of a name that stands for a type. */
  readonly constant?: CelType
}

/** Names in scope; each loop adds some. */
export class Scope {
  readonly #declarations: Declarations
  readonly #locals: ReadonlyMap<string, CelType>[] = []

  constructor(declarations: Declarations) {
    this.#declarations = declarations
  }

  enter(locals: ReadonlyMap<string, CelType>): void {
    this.#locals.push(locals)
  }
  leave(): void {
    this.#locals.pop()
  }

  isLocal(name: string): boolean {
    return this.#local(name) !== undefined
  }

  #local(name: string): CelType | undefined {
    for (let i = this.#locals.length - 1; i >= 0; i--) {
      const type = this.#locals[i]!.get(name)
      if (type !== undefined) return type
    }
    return undefined
  }

  /** A variable or type; a leading dot skips those of loops. */
  resolve(name: string): Resolved | undefined {
    const local = this.#local(name)
    if (local !== undefined) return { name, type: local }
    const plain = name.startsWith(".") ? name.slice(1) : name
    const type = this.#declarations.variables.get(plain)
    const resolved = this.isLocal(plain) ? `.${plain}` : plain
    if (type !== undefined) return { name: resolved, type }
    const named = structOfName(this.#declarations, plain)?.type ?? namedTypes.get(plain)
    return named === undefined ? undefined : { name: resolved, type: typeOf(named), constant: named }
  }

  overloads(name: string): readonly Overload[] | undefined {
    return this.#declarations.functions.get(name.startsWith(".") ? name.slice(1) : name)
  }

  struct(name: string): StructType | undefined {
    return structOfName(this.#declarations, name.startsWith(".") ? name.slice(1) : name)
  }
}
