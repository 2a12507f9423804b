/** Lists, maps and messages that an expression makes. Mirrors: cel-go interpreter/interpretable.go (evalList, evalMap, evalObj) */
import type { StructType } from "../check/scope.ts"
import type { Expr, ListExpr, MapExpr, StructExpr } from "../syntax/ast.ts"
import type { Run } from "./attributes.ts"
import { shown } from "./format.ts"
import { PlanProblem, constant, type Step } from "./step.ts"
import { ArrayList, CelError, EntriesMap, Optional, mapKey, type Value } from "./values.ts"

type Plan = (expr: Expr) => Step

export function planList(expr: ListExpr, plan: Plan): Step {
  const steps = expr.items.map(plan)
  const runs = steps.map(({ run }) => run)
  const optional = runs.map((_, i) => expr.optional.has(i))
  const anyOptional = expr.optional.size > 0
  const make: Run = (frame) => {
    const items: Value[] = []
    for (let i = 0; i < runs.length; i++) {
      let item = runs[i]!(frame)
      if (item instanceof CelError) return item
      if (anyOptional && optional[i] === true) {
        if (!(item instanceof Optional))
          return new CelError(
            `cannot initialize optional list element from non-optional value ${shown(item)}`,
          )
        if (item.value === undefined) continue
        item = item.value
      }
      items.push(item)
    }
    return new ArrayList(items)
  }
  return literal(steps, make, 10)
}

export function planMap(expr: MapExpr, plan: Plan): Step {
  const keys = expr.entries.map(({ key }) => plan(key))
  const values = expr.entries.map(({ value }) => plan(value))
  const optional = expr.entries.map((entry) => entry.optional)
  const make: Run = (frame) => {
    const entries = new Map<Value, readonly [Value, Value]>()
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!.run(frame)
      if (key instanceof CelError) return key
      let value = values[i]!.run(frame)
      if (value instanceof CelError) return value
      if (optional[i] === true) {
        if (!(value instanceof Optional))
          return new CelError(
            `cannot initialize optional entry '${shown(key)}' from non-optional value ${shown(value)}`,
          )
        if (value.value === undefined) {
          entries.delete(mapKey(key) as Value)
          continue
        }
        value = value.value
      }
      entries.set(mapKey(key) as Value, [key, value])
    }
    return new EntriesMap(entries)
  }
  return literal([...keys, ...values], make, 30)
}

/** A list or map: made once and free when all its parts are constants. */
function literal(parts: readonly Step[], make: Run, cost: number): Step {
  if (parts.every((part) => part.constant !== undefined)) return constant(make(undefined as never))
  return {
    run: (frame) => {
      const value = make(frame)
      frame.charge(cost)
      return value
    },
  }
}

export function planStruct(expr: StructExpr, plan: Plan, create: StructType["create"]): Step {
  if (create === undefined) throw new PlanProblem(`unknown type: ${expr.name}`)
  const runs = expr.fields.map(({ value }) => plan(value).run)
  return {
    run: (frame) => {
      const fields = new Map<string, Value>()
      for (const [i, { name, optional }] of expr.fields.entries()) {
        let value = runs[i]!(frame)
        if (value instanceof CelError) return value
        if (optional) {
          if (!(value instanceof Optional))
            return new CelError(
              `cannot initialize optional entry '${name}' from non-optional value ${shown(value)}`,
            )
          if (value.value === undefined) continue
          value = value.value
        }
        fields.set(name, value)
      }
      const made = create(fields)
      frame.charge(40)
      return made
    },
  }
}
