/**
 * What is written as a call and means more: `has`, the loops over lists and maps, and the maps of optionals.
 * Mirrors: cel-go parser/macro.go, ext/comprehensions.go, ext/lists.go (sortBy), cel/library.go (optMap)
 */
import type { Value } from "../run/values.ts"
import { accumulatorName, copyExpr, operators, type Call, type Comprehension, type Expr } from "./ast.ts"

/** Where a macro complains. */
interface Complaints {
  macroProblem(pos: number, message: string): Expr
}

interface Expansion {
  readonly at: number
  readonly target: Expr
  readonly args: readonly Expr[]
  fail(expr: Expr, message: string): never
}

/** Undefined: the call is no macro after all. */
type Expand = (expansion: Expansion) => Expr | undefined

class MacroProblem {
  readonly pos: number
  readonly message: string
  constructor(pos: number, message: string) {
    this.pos = pos
    this.message = message
  }
}

/** Macros by name, number of arguments and whether they are called on something. */
export class Macros {
  readonly #byKey: ReadonlyMap<string, Expand>

  constructor(macros: readonly (readonly [key: string, expand: Expand])[]) {
    this.#byKey = new Map(macros)
  }

  /** What a call stands for, or undefined when it is no macro. */
  expand(
    complaints: Complaints,
    at: number,
    name: string,
    target: Expr | undefined,
    args: readonly Expr[],
  ): Expr | undefined {
    if (target === undefined && name.startsWith(".")) return undefined
    const expand = this.#byKey.get(`${target === undefined ? "" : "."}${name}/${args.length}`)
    if (expand === undefined) return undefined
    const fail = (expr: Expr, message: string): never => {
      throw new MacroProblem(expr.pos, message)
    }
    try {
      return expand({ at, target: target ?? { kind: "error", pos: at }, args, fail })
    } catch (problem) {
      if (!(problem instanceof MacroProblem)) throw problem
      return complaints.macroProblem(problem.pos, problem.message)
    }
  }
}

const literal = (pos: number, value: Value): Expr => ({ kind: "literal", pos, value })
const ident = (pos: number, name: string): Expr => ({ kind: "ident", pos, name })
const call = (pos: number, name: string, ...args: Expr[]): Call => ({ kind: "call", pos, name, args })
const method = (pos: number, name: string, target: Expr, ...args: Expr[]): Call => ({
  kind: "call",
  pos,
  name,
  target,
  args,
})
const list = (pos: number, ...items: Expr[]): Expr => ({ kind: "list", pos, items, optional: new Set() })
const accumulator = (pos: number): Expr => ident(pos, accumulatorName)

function loop(
  at: number,
  range: Expr,
  variables: readonly string[],
  parts: Pick<Comprehension, "initial" | "condition" | "step"> & { result?: Expr },
): Expr {
  return {
    kind: "comprehension",
    pos: at,
    range,
    variable: variables[0]!,
    ...(variables.length > 1 && { variable2: variables[1]! }),
    accumulator: accumulatorName,
    result: accumulator(at),
    ...parts,
  }
}

/** `name` stands for `value` in `result`. */
function bind(at: number, name: string, value: Expr, result: Expr): Expr {
  return {
    kind: "comprehension",
    pos: at,
    range: list(at),
    variable: "#unused",
    accumulator: name,
    initial: value,
    condition: literal(at, false),
    step: ident(at, name),
    result,
  }
}

/** The names of the loop's variables: one, or two in the two-variable forms. */
function variablesOf({ args, fail }: Expansion, count: 1 | 2, wording: string): string[] {
  const names = args.slice(0, count).map((arg) => (arg.kind === "ident" ? arg.name : fail(arg, wording)))
  if (count === 2 && names[0] === names[1]) fail(args[1]!, `duplicate variable name: ${names[0]}`)
  for (const [index, name] of names.entries()) {
    if (name === accumulatorName || name === "__result__")
      fail(args[index]!, "iteration variable overwrites accumulator variable")
  }
  return names
}

const simpleName = "argument must be a simple name"
const notIdentifier = "argument is not an identifier"

const quantifier =
  (kind: "all" | "exists" | "one", count: 1 | 2): Expand =>
  (expansion) => {
    const { at, target, args } = expansion
    const variables = variablesOf(expansion, count, simpleName)
    const predicate = args[count]!
    const yes = literal(at, true)
    switch (kind) {
      case "all":
        return loop(at, target, variables, {
          initial: yes,
          condition: call(at, operators.notStrictlyFalse, accumulator(at)),
          step: call(at, operators.and, accumulator(at), predicate),
        })
      case "exists":
        return loop(at, target, variables, {
          initial: literal(at, false),
          condition: call(at, operators.notStrictlyFalse, call(at, operators.not, accumulator(at))),
          step: call(at, operators.or, accumulator(at), predicate),
        })
      case "one":
        return loop(at, target, variables, {
          initial: literal(at, 0),
          condition: yes,
          step: call(
            at,
            operators.conditional,
            predicate,
            call(at, operators.add, accumulator(at), literal(at, 1)),
            accumulator(at),
          ),
          result: call(at, operators.equals, accumulator(at), literal(at, 1)),
        })
    }
  }

/** A loop that gathers: `step` of those that pass the filter, if there is one. */
function gather(
  expansion: Expansion,
  variables: string[],
  initial: Expr,
  step: Expr,
  filter: Expr | undefined,
): Expr {
  const { at, target } = expansion
  return loop(at, target, variables, {
    initial,
    condition: literal(at, true),
    step: filter === undefined ? step : call(at, operators.conditional, filter, step, accumulator(at)),
  })
}

const map = (expansion: Expansion): Expr => {
  const { at, args } = expansion
  const variables = variablesOf(expansion, 1, notIdentifier)
  const step = call(at, operators.add, accumulator(at), list(at, args.at(-1)!))
  return gather(expansion, variables, list(at), step, args.length === 3 ? args[1] : undefined)
}

const filter: Expand = (expansion) => {
  const { at, args } = expansion
  const variables = variablesOf(expansion, 1, notIdentifier)
  return gather(
    expansion,
    variables,
    list(at),
    call(at, operators.add, accumulator(at), list(at, args[0]!)),
    args[1],
  )
}

const transform =
  (kind: "list" | "map" | "entry"): Expand =>
  (expansion) => {
    const { at, args } = expansion
    const variables = variablesOf(expansion, 2, simpleName)
    const value = args.at(-1)!
    const passes = args.length === 4 ? args[2] : undefined
    if (kind === "list")
      return gather(
        expansion,
        variables,
        list(at),
        call(at, operators.add, accumulator(at), list(at, value)),
        passes,
      )
    const insert = kind === "entry" ? [value] : [ident(at, variables[0]!), value]
    const step = call(at, "cel.@mapInsert", accumulator(at), ...insert)
    return gather(expansion, variables, { kind: "map", pos: at, entries: [] }, step, passes)
  }

const optionalMap =
  (flat: boolean): Expand =>
  ({ at, target, args, fail }) => {
    const name =
      args[0]!.kind === "ident"
        ? args[0]!.name
        : fail(args[0]!, `${flat ? "optFlatMap" : "optMap"}() variable name must be a simple identifier`)
    const mapped = bind(
      at,
      name,
      method(at, "value", copyExpr(target) ?? fail(target, "expression is too large")),
      args[1]!,
    )
    return call(
      at,
      operators.conditional,
      method(at, "hasValue", target),
      flat ? mapped : call(at, "optional.of", mapped),
      call(at, "optional.none"),
    )
  }

const sortable = new Set(["list", "select", "ident", "comprehension", "call"])

const sortBy: Expand = (expansion) => {
  const { at, target, fail } = expansion
  const name = "@__sortBy_input__"
  if (!sortable.has(target.kind))
    fail(target, "sortBy can only be applied to a list, identifier, comprehension, call or select expression")
  const keys = map({ ...expansion, target: ident(at, name) })
  return bind(at, name, target, method(at, "@sortByAssociatedKeys", ident(at, name), keys))
}

const has: Expand = ({ at, args, fail }) => {
  const [arg] = args
  if (arg!.kind !== "select") return fail(arg!, "invalid argument to has() macro")
  return { kind: "select", pos: at, operand: arg!.operand, field: arg!.field, test: true }
}

const celBind: Expand = ({ at, target, args, fail }) => {
  if (target.kind !== "ident" || target.name !== "cel") return undefined
  const [name, value, result] = args
  if (name!.kind !== "ident") return fail(name!, "cel.bind() variable names must be simple identifiers")
  return bind(at, name!.name, value!, result!)
}

const standard: readonly (readonly [string, Expand])[] = [
  ["has/1", has],
  [".all/2", quantifier("all", 1)],
  [".exists/2", quantifier("exists", 1)],
  [".exists_one/2", quantifier("one", 1)],
  [".map/2", map],
  [".map/3", map],
  [".filter/2", filter],
  [".all/3", quantifier("all", 2)],
  [".exists/3", quantifier("exists", 2)],
  [".exists_one/3", quantifier("one", 2)],
  [".existsOne/3", quantifier("one", 2)],
  [".transformList/3", transform("list")],
  [".transformList/4", transform("list")],
  [".transformMap/3", transform("map")],
  [".transformMap/4", transform("map")],
  [".transformMapEntry/3", transform("entry")],
  [".transformMapEntry/4", transform("entry")],
  [".optMap/2", optionalMap(false)],
  [".optFlatMap/2", optionalMap(true)],
  [".sortBy/2", sortBy],
]

/** Every macro of Kubernetes' environment. */
export const standardMacros: Macros = new Macros(standard)
/** The same with `cel.bind`. */
export const macrosWithBind: Macros = new Macros([...standard, [".bind/3", celBind]])
