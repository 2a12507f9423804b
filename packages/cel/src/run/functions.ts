/**
 * How functions are run: each overload has its own, or one serves a whole name. Arguments of a wrong type, which only
 * `dyn` lets through, are refused before.
 * Mirrors: cel-go common/decls/decls.go (Bindings), interpreter/interpretable.go
 */
import type { Overload } from "../check/scope.ts"
import type { CelType } from "../check/types.ts"
import {
  CelError,
  CelList,
  CelMap,
  Double,
  Optional,
  Uint,
  isInt,
  typeOfValue,
  type Value,
} from "./values.ts"

/** Works on values; an error among them is passed on by the caller, but for those that absorb errors. */
export type Implementation = (...args: Value[]) => Value

/** What libraries bring: by overload, or by name where one serves them all. */
export interface Functions {
  readonly overloads: ReadonlyMap<string, Implementation>
  readonly names: ReadonlyMap<string, Implementation>
}

type Matches = (value: Value) => boolean

const named =
  (type: CelType): Matches =>
  (value) =>
    typeOfValue(value).name === type.name

function matcher(type: CelType): Matches {
  switch (type.kind) {
    case "dyn":
    case "any":
    case "param":
      return () => true
    case "string":
      return (value) => typeof value === "string"
    case "bool":
      return (value) => typeof value === "boolean"
    case "int":
      return isInt
    case "double":
      return (value) => value instanceof Double
    case "uint":
      return (value) => value instanceof Uint
    case "bytes":
      return (value) => value instanceof Uint8Array
    case "list": {
      const item = matcher(type.params[0]!)
      return (value) => value instanceof CelList && (value.size === 0 || item(value.get(0)))
    }
    case "map": {
      const key = matcher(type.params[0]!)
      const item = matcher(type.params[1]!)
      return (value) => {
        if (!(value instanceof CelMap)) return false
        if (value.size === 0) return true
        const [first] = value.keys()
        return first === undefined || (key(first) && item(value.find(first)!))
      }
    }
    case "opaque":
      if (type.name === "optional_type") {
        const inner = matcher(type.params[0]!)
        return (value) => value instanceof Optional && (value.value === undefined || inner(value.value))
      }
      return named(type)
    default:
      return named(type)
  }
}

function refused(name: string, args: readonly Value[]): CelError {
  const error = args.find((arg) => arg instanceof CelError)
  return (
    error ?? new CelError(`no such overload: ${name}(${args.map((arg) => typeOfValue(arg).name).join(", ")})`)
  )
}

interface Guarded {
  readonly matches: (args: readonly Value[]) => boolean
  readonly run: Implementation
}

function guarded(overload: Overload, run: Implementation): Guarded {
  const matchers = overload.args.map(matcher)
  return {
    run,
    matches: (args) => args.length === matchers.length && matchers.every((matches, i) => matches(args[i]!)),
  }
}

export interface Binding {
  readonly run: Implementation
  /** Several overloads are tried: then arguments after one that failed are not evaluated, nor the call charged. */
  readonly stopsAtError: boolean
}

/** What runs a call whose overloads are known, or undefined when nothing does. */
export function bind(
  name: string,
  ids: readonly string[],
  all: readonly Overload[],
  functions: Functions,
): Binding | undefined {
  const whole = functions.names.get(name)
  if (ids.length === 1) {
    const overload = all.find(({ id }) => id === ids[0])
    const own = functions.overloads.get(ids[0]!)
    if (own !== undefined && overload !== undefined) {
      const { matches, run } = guarded(overload, own)
      return {
        stopsAtError: overload.args.length > 2,
        run: (...args) => (matches(args) ? run(...args) : refused(name, args)),
      }
    }
  }
  if (whole !== undefined) return { run: whole, stopsAtError: false }
  const candidates = all.flatMap((overload) => {
    const run = functions.overloads.get(overload.id)
    return run === undefined ? [] : [guarded(overload, run)]
  })
  if (candidates.length === 0) return undefined
  return {
    stopsAtError: candidates.length > 1,
    run: (...args) => {
      const fitting = candidates.find(({ matches }) => matches(args))
      return fitting === undefined ? refused(name, args) : fitting.run(...args)
    },
  }
}
