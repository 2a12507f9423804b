/**
 * Compiles the expressions of a policy or of match conditions. Variables are compiled one after the other: each sees those
 * before it, and the policy's other expressions see all of them.
 * Mirrors: apiserver pkg/admission/plugin/cel/{compile,composition}.go
 */
import type { StructType } from "../check/scope.ts"
import { dynType, listOf, mapOf, structOf, type CelType } from "../check/types.ts"
import { CelEnvironment, PlanProblem, type EnvironmentOptions, type Variable } from "../environment.ts"
import { authorizerType, resourceCheckType } from "../libraries/authorizer.ts"
import { jsonPatchFunctions } from "../libraries/jsonpatch.ts"
import type { Program } from "../run/program.ts"
import type { Value } from "../run/values.ts"
import type { DeclType } from "../schema/decl-type.ts"
import { CelIssues } from "../syntax/source.ts"
import { mutationStruct } from "./mutation-types.ts"
import { admissionStructs, namespaceType, requestType } from "./types.ts"

/** An expression that was compiled, or why it cannot be. */
export interface AdmissionExpression {
  readonly text: string
  readonly program?: Program
  readonly problem?: { readonly detail: string; readonly internal: boolean }
}

export interface AdmissionCompilerOptions {
  /** Whether there is a variable `params`. */
  readonly params: boolean
  /** Whether there is `variables`, with what {@link AdmissionCompiler.variable} adds. */
  readonly composed: boolean
  /** What is known of the types of objects and parameters; default: nothing. */
  readonly objectType?: DeclType | undefined
  readonly paramsType?: DeclType | undefined
}

export interface AdmissionExpressionOptions {
  /** The types that it may have; default: any. */
  readonly returns?: readonly CelType[]
  /** Whether it may ask the authorizer. Default true. */
  readonly authorizer?: boolean
  /** Whether it can make objects and operations of patches. Default false. */
  readonly mutates?: boolean
}

const given = (raw: unknown): Value => raw as Value
const variablesType = structOf("kubernetes.variables")

export class AdmissionCompiler {
  readonly #options: AdmissionCompilerOptions
  readonly #environments = new Map<string, CelEnvironment>()
  readonly #types = new Map<string, CelType>()
  /** Each variable's expression, in their order. */
  readonly variables: Map<string, AdmissionExpression> = new Map()

  constructor(options: AdmissionCompilerOptions) {
    this.#options = options
  }

  /** Compiles a variable and makes it known to what is compiled after it. */
  variable(name: string, text: string): AdmissionExpression {
    const { expression, type } = this.#compile(text, {})
    this.#types.set(name, type === undefined ? dynType : composedType(type))
    this.variables.set(name, expression)
    return expression
  }

  compile(text: string, options: AdmissionExpressionOptions = {}): AdmissionExpression {
    return this.#compile(text, options).expression
  }

  /** What is wrong with an expression's types, in the checker's words; undefined when nothing is. */
  issues(text: string): string | undefined {
    const compiled = this.#environment({}).compile(text)
    return compiled instanceof CelIssues ? compiled.toString() : undefined
  }

  #compile(
    text: string,
    options: AdmissionExpressionOptions,
  ): { readonly expression: AdmissionExpression; readonly type?: CelType } {
    const refuse = (detail: string, internal = false): { readonly expression: AdmissionExpression } => ({
      expression: { text, problem: { detail, internal } },
    })
    const compiled = this.#environment(options).compile(text)
    if (compiled instanceof CelIssues) return refuse(`compilation failed: ${compiled.toString()}`)
    const type = compiled.outputType
    const { returns } = options
    if (returns && !returns.some((one) => one.isExactly(type))) {
      const wanted = returns.map(goText)
      const must = wanted.length === 1 ? wanted[0]! : `one of [${wanted.join(" ")}]`
      return refuse(`must evaluate to ${must} but got ${goText(type)}`)
    }
    try {
      return { expression: { text, program: compiled.program() }, type }
    } catch (thrown) {
      if (!(thrown instanceof PlanProblem)) throw thrown
      return refuse(`program instantiation failed: ${thrown.message}`, true)
    }
  }

  #environment({ authorizer = true, mutates = false }: AdmissionExpressionOptions): CelEnvironment {
    const key = `${authorizer} ${mutates}`
    let environment = this.#environments.get(key)
    if (!environment) {
      environment = new CelEnvironment(
        environmentOptions(this.#options, { authorizer, mutates }, this.#types),
      )
      this.#environments.set(key, environment)
    }
    return environment
  }
}

function environmentOptions(
  { params, composed, objectType, paramsType }: AdmissionCompilerOptions,
  { authorizer, mutates }: Required<Omit<AdmissionExpressionOptions, "returns">>,
  composedTypes: ReadonlyMap<string, CelType>,
): EnvironmentOptions {
  const object = objectType?.cel ?? dynType
  const variables: Record<string, Variable> = {
    object: { type: object },
    oldObject: { type: object },
    namespaceObject: { type: namespaceType },
    request: { type: requestType },
  }
  if (params) variables["params"] = { type: paramsType?.cel ?? dynType }
  if (authorizer) {
    variables["authorizer"] = { type: authorizerType, read: given }
    variables["authorizer.requestResource"] = { type: resourceCheckType, read: given }
  }
  if (composed) variables["variables"] = { type: variablesType, read: given }
  const composition: StructType = { type: variablesType, field: (name) => composedTypes.get(name) }
  return {
    variables,
    types: [objectType, paramsType].filter((type) => type !== undefined),
    structs: composed ? [...admissionStructs, composition] : admissionStructs,
    ...(mutates ? { structNamed: mutationStruct, functions: jsonPatchFunctions } : {}),
  }
}

/** What other expressions see of a variable's type: plain types, and lists and maps of them. */
function composedType(type: CelType): CelType {
  switch (type.kind) {
    case "list":
      return listOf(composedType(type.params[0]!))
    case "map":
      return mapOf(composedType(type.params[0]!), composedType(type.params[1]!))
    case "any":
    case "bool":
    case "bytes":
    case "double":
    case "duration":
    case "int":
    case "null":
    case "string":
    case "timestamp":
    case "uint":
      return type
    default:
      return dynType
  }
}

/** A type as Go prints it. */
function goText({ name, params }: CelType): string {
  return params.length === 0 ? name : `${name}(${params.map(goText).join(", ")})`
}
