/** Steps that evaluate their parts in a way of their own. Mirrors: cel-go interpreter/interpretable.go, decorators.go */
import type { CallCost } from "../cost/actual.ts"
import type { Run } from "./attributes.ts"
import type { Implementation } from "./functions.ts"
import { constant, type Step } from "./step.ts"
import {
  CelError,
  Double,
  Optional,
  Uint,
  mapKey,
  maybeNoSuchOverload,
  noSuchOverload,
  typeOfValue,
  type CelList,
  type Value,
} from "./values.ts"

/** A call with one argument; `absorbs`: an error is an argument like others. */
export function unary(arg: Run, run: Implementation, cost: CallCost, absorbs: boolean): Run {
  return (frame) => {
    const value = arg(frame)
    const result = value instanceof CelError && !absorbs ? value : run(value)
    frame.charge(cost([value], result))
    return result
  }
}

/** A call with two arguments. Both are evaluated, and it is charged, whatever comes of them. */
export function binary(left: Run, right: Run, run: Implementation, cost: CallCost): Run {
  return (frame) => {
    const a = left(frame)
    const b = right(frame)
    const result = a instanceof CelError ? a : b instanceof CelError ? b : run(a, b)
    frame.charge(cost([a, b], result))
    return result
  }
}

/** `&&` ends at the first false, `||` at the first true; an error counts only when neither comes. */
export function logical(terms: readonly Run[], decisive: boolean): Run {
  return (frame) => {
    let error: CelError | undefined
    for (const term of terms) {
      const value = term(frame)
      if (value === decisive) return decisive
      if (typeof value !== "boolean") error ??= maybeNoSuchOverload(value)
    }
    return error ?? !decisive
  }
}

/** `a.or(b)`, `a.orValue(b)`: the second is evaluated when the first is nothing. */
export function optionalOr(left: Run, right: Run, unwrap: boolean): Run {
  return (frame) => {
    const value = left(frame)
    if (value instanceof CelError) return value
    if (!(value instanceof Optional)) return noSuchOverload
    if (value.value === undefined) return right(frame)
    return unwrap ? value.value : value
  }
}

/** `x in [constants]` as a look-up that costs nothing; undefined when the list holds what cannot be looked up. */
export function membership(value: Run, list: CelList): Step | undefined {
  if (list.size === 0) return constant(false)
  const set = new Set<Value>()
  for (let i = 0; i < list.size; i++) {
    const item = list.get(i)
    const kind = typeOfValue(item).kind
    if (!["bool", "double", "int", "string", "uint"].includes(kind)) return undefined
    set.add(lookupKey(item))
  }
  return {
    run: (frame) => {
      const found = value(frame)
      return found instanceof CelError ? found : set.has(lookupKey(found))
    },
  }
}

function lookupKey(value: Value): Value {
  return value instanceof Double || value instanceof Uint ? (mapKey(value) as Value) : value
}
