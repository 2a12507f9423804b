/** The functions that every expression can call, as the checker wants them. Mirrors: apiserver pkg/cel/environment/base.go */
import { declarations as table } from "./declarations.gen.ts"
import type { Overload } from "./scope.ts"
import { parseType, type CelType } from "./types.ts"

function paramsIn(types: readonly CelType[], found: Set<string> = new Set()): Set<string> {
  for (const type of types) {
    if (type.kind === "param") found.add(type.name)
    paramsIn(type.params, found)
  }
  return found
}

/** One form of a function, from the text of its types. */
export function overload(id: string, args: string, result: string): Overload {
  const types = args === "" ? [] : parseType(`arguments(${args})`).params
  const resultType = parseType(result)
  return {
    id: id.replace(/^\./, ""),
    member: id.startsWith("."),
    args: types,
    result: resultType,
    params: [...paramsIn([...types, resultType])],
  }
}

let standard: ReadonlyMap<string, readonly Overload[]> | undefined

/** Made for whoever asks first: most processes that load this never do. */
export function standardFunctions(): ReadonlyMap<string, readonly Overload[]> {
  standard ??= new Map(
    Object.entries(table).map(([name, forms]) => [
      name,
      forms.map(([id, args, result]) => overload(id, args, result)),
    ]),
  )
  return standard
}
