/**
 * Where expressions are compiled: Kubernetes' functions, and the variables and types that the user declares.
 * Mirrors: apiserver pkg/cel/environment, cel-go cel/env.go, cel/program.go
 */
import { check } from "./check/checker.ts"
import { standardFunctions } from "./check/declarations.ts"
import type { Declarations, Overload, StructType } from "./check/scope.ts"
import type { CelType } from "./check/types.ts"
import { validate } from "./check/validators.ts"
import { estimateCost } from "./cost/estimate.ts"
import type { SizeOf } from "./cost/shapes.ts"
import type { Range } from "./cost/sizes.ts"
import { authorizerType, resourceCheckType } from "./libraries/authorizer.ts"
import { kubernetesFunctions } from "./libraries/all.ts"
import { formatType, quantityType, urlType } from "./libraries/kubernetes.ts"
import { cidrType, ipType } from "./libraries/net.ts"
import { semverType } from "./libraries/semver.ts"
import type { Functions } from "./run/functions.ts"
import { PlanProblem } from "./run/step.ts"
import { Program } from "./run/program.ts"
import type { Value } from "./run/values.ts"
import { structsOf, type DeclType } from "./schema/decl-type.ts"
import { plainValue } from "./schema/values.ts"
import type { Expr } from "./syntax/ast.ts"
import { macrosWithBind, standardMacros } from "./syntax/macros.ts"
import { parse } from "./syntax/parser.ts"
import { CelIssues, Source } from "./syntax/source.ts"

/** A name that expressions can use. */
export interface Variable {
  readonly type: CelType
  /** Makes the value of what is given for it, when it is first read. Default: a decoded value without a schema. */
  readonly read?: (raw: unknown) => Value
}

export interface EnvironmentOptions {
  readonly variables?: Readonly<Record<string, Variable>>
  /** Types of objects that variables have; their inner types are found. */
  readonly types?: readonly DeclType[]
  /** Types that expressions can make. */
  readonly structs?: readonly StructType[]
  /** Types by their name, beside `structs`: where any name of a form is a type. */
  readonly structNamed?: (name: string) => StructType | undefined
  /** Functions beside Kubernetes' own. */
  readonly functions?: Readonly<
    Record<string, readonly { readonly overload: Overload; readonly run: (...args: Value[]) => Value }[]>
  >
  /** Whether there is `cel.bind(name, value, result)`: in selectors of devices alone. Default false. */
  readonly bind?: boolean
  /** Whether all items of a list literal must be of one type. Default true, as in Kubernetes. */
  readonly homogeneousLiterals?: boolean
}

const noFields = (): undefined => undefined
const libraryTypes = [
  ipType,
  cidrType,
  quantityType,
  urlType,
  formatType,
  semverType,
  authorizerType,
  resourceCheckType,
].map((type): [string, StructType] => [type.name, { type, field: noFields }])

export class CelEnvironment {
  readonly #options: EnvironmentOptions
  readonly #declarations: Declarations
  readonly #functions: Functions

  constructor(options: EnvironmentOptions = {}) {
    this.#options = options
    const structs = new Map<string, StructType>(libraryTypes)
    for (const type of options.types ?? []) structsOf(type, structs)
    for (const struct of options.structs ?? []) structs.set(struct.type.name, struct)
    const own = Object.entries(options.functions ?? {})
    const functions = new Map(standardFunctions())
    for (const [name, forms] of own)
      functions.set(name, [...(functions.get(name) ?? []), ...forms.map(({ overload }) => overload)])
    const variables = new Map(Object.entries(options.variables ?? {}).map(([name, { type }]) => [name, type]))
    this.#declarations = { variables, functions, structs, structNamed: options.structNamed }
    const runs = own.flatMap(([, forms]) => forms.map(({ overload, run }) => [overload.id, run] as const))
    this.#functions =
      runs.length === 0
        ? kubernetesFunctions
        : { ...kubernetesFunctions, overloads: new Map([...kubernetesFunctions.overloads, ...runs]) }
  }

  /** The same with more. */
  extend(options: EnvironmentOptions): CelEnvironment {
    const before = this.#options
    return new CelEnvironment({
      ...before,
      ...options,
      variables: { ...before.variables, ...options.variables },
      types: [...(before.types ?? []), ...(options.types ?? [])],
      structs: [...(before.structs ?? []), ...(options.structs ?? [])],
      functions: { ...before.functions, ...options.functions },
    })
  }

  /** Parses and checks. Issues say in cel-go's words what is wrong. */
  compile(text: string): CompiledExpression | CelIssues {
    const issues = new CelIssues(new Source(text))
    const tree = parse(issues, this.#options.bind === true ? macrosWithBind : standardMacros)
    if (issues.count > 0) return issues
    check(tree, this.#declarations, issues)
    if (issues.count > 0) return issues
    validate(tree, issues, this.#options.homogeneousLiterals ?? true)
    return issues.count > 0
      ? issues
      : new CompiledExpression(tree, this.#declarations, this.#functions, this.#options.variables ?? {})
  }
}

/** An expression whose types fit. */
export class CompiledExpression {
  readonly tree: Expr
  readonly outputType: CelType
  readonly #declarations: Declarations
  readonly #functions: Functions
  readonly #variables: Readonly<Record<string, Variable>>

  constructor(
    tree: Expr,
    declarations: Declarations,
    functions: Functions,
    variables: Readonly<Record<string, Variable>>,
  ) {
    this.tree = tree
    this.outputType = tree.type!
    this.#declarations = declarations
    this.#functions = functions
    this.#variables = variables
  }

  /** The least and most that evaluating it can cost. */
  estimateCost(sizeOf: SizeOf = noFields): Range {
    return estimateCost(this.tree, sizeOf)
  }

  /** Makes it runnable. Throws {@link PlanProblem} when a constant in it fails. */
  program(): Program {
    return new Program(
      this.tree,
      this.#declarations,
      this.#functions,
      (name) => this.#variables[name]?.read ?? plainValue,
    )
  }
}

export { PlanProblem }
