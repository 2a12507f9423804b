/**
 * Fits types to each other in one expression, and remembers what type parameters turned out to be.
 * Mirrors: cel-go checker/checker.go (isAssignable, resolveOverload, joinTypes)
 */
import { Mapping, fits, mostGeneral, substitute } from "./assignability.ts"
import type { Overload } from "./scope.ts"
import { dynType, intType, paramOf, type CelType } from "./types.ts"

export class Unifier {
  readonly #mapping = new Mapping()
  #typeVars = 0

  /** Whether each type fits its counterpart. */
  fits(a: readonly CelType[], b: readonly CelType[]): boolean {
    return fits(this.#mapping, a, b)
  }

  /** The type with what is known of its parameters; `settled`: the others are `dyn`. */
  resolved(type: CelType, settled = false): CelType {
    return substitute(this.#mapping, type, settled)
  }

  /** A type that nothing is known of yet. */
  unknown(): CelType {
    return paramOf(`_var${this.#typeVars++}`)
  }

  /** An overload's types with parameters of their own. */
  instance(overload: Overload): { args: readonly CelType[]; result: CelType } {
    if (overload.params.length === 0) return overload
    const fresh = new Mapping()
    for (const name of overload.params) fresh.set(name, this.unknown())
    return {
      args: overload.args.map((arg) => substitute(fresh, arg, false)),
      result: substitute(fresh, overload.result, false),
    }
  }

  /** The type of items of which those before are of type `before`. */
  join(before: CelType | undefined, type: CelType): CelType {
    if (before === undefined) return type
    return this.fits([before], [type]) ? mostGeneral(before, type) : dynType
  }
}

/** Types of a loop's variables by what it goes over; undefined when nothing can go over that. */
export function loopTypes(
  range: CelType,
  two: boolean,
  types: Unifier,
): readonly [CelType, CelType] | undefined {
  switch (range.kind) {
    case "list":
      return [two ? intType : range.params[0]!, range.params[0]!]
    case "map":
      return [range.params[0]!, range.params[1]!]
    case "dyn":
    case "any":
    case "error":
    case "param":
      types.fits([dynType], [range])
      return [dynType, dynType]
    default:
      return undefined
  }
}
