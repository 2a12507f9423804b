/** The expressions of policies, compiled. Mirrors: apiserver pkg/admission/plugin/policy/{validating/plugin.go,mutating/compilation.go} (compilePolicy) */
import type { MutatingAdmissionPolicy, Mutation, ValidatingAdmissionPolicy, Validation } from "@knarr/api"
import {
  AdmissionCompiler,
  boolType,
  jsonPatchType,
  listOf,
  nullType,
  objectType,
  stringType,
  type AdmissionExpression,
} from "@knarr/cel"
import { MatchConditions } from "../match-conditions.ts"

interface CompiledPolicy {
  readonly variables: ReadonlyMap<string, AdmissionExpression>
  readonly conditions: MatchConditions | undefined
}

export interface CompiledValidation {
  readonly validation: Readonly<Validation>
  readonly expression: AdmissionExpression
  readonly message: AdmissionExpression | undefined
}

export interface CompiledValidating extends CompiledPolicy {
  readonly validations: readonly CompiledValidation[]
  readonly auditAnnotations: readonly { readonly key: string; readonly expression: AdmissionExpression }[]
}

export interface CompiledMutating extends CompiledPolicy {
  readonly mutations: readonly {
    readonly patchType: "ApplyConfiguration" | "JSONPatch"
    readonly expression: AdmissionExpression
  }[]
}

export function compileValidating(policy: Readonly<ValidatingAdmissionPolicy>): CompiledValidating {
  const { validations = [], auditAnnotations = [] } = policy.spec
  const [compiler, conditions] = begin(policy)
  return {
    conditions,
    validations: validations.map((validation) => ({
      validation,
      expression: compiler.compile(validation.expression, { returns: [boolType] }),
      message: validation.messageExpression
        ? compiler.compile(validation.messageExpression, { returns: [stringType], authorizer: false })
        : undefined,
    })),
    auditAnnotations: auditAnnotations.map(({ key, valueExpression }) => ({
      key,
      expression: compiler.compile(valueExpression, { returns: [stringType, nullType] }),
    })),
    variables: compiler.variables,
  }
}

export function compileMutating(policy: Readonly<MutatingAdmissionPolicy>): CompiledMutating {
  const [compiler, conditions] = begin(policy)
  const mutations = (policy.spec.mutations ?? []).map((mutation: Mutation) =>
    mutation.patchType === "JSONPatch"
      ? {
          patchType: "JSONPatch" as const,
          expression: compiler.compile(mutation.jsonPatch?.expression ?? "", {
            returns: [listOf(jsonPatchType)],
            mutates: true,
          }),
        }
      : {
          patchType: "ApplyConfiguration" as const,
          expression: compiler.compile(mutation.applyConfiguration?.expression ?? "", {
            returns: [objectType],
            mutates: true,
          }),
        },
  )
  return { conditions, mutations, variables: compiler.variables }
}

function begin({
  metadata,
  spec,
}: Readonly<ValidatingAdmissionPolicy | MutatingAdmissionPolicy>): [
  AdmissionCompiler,
  MatchConditions | undefined,
] {
  const compiler = new AdmissionCompiler({ params: spec.paramKind !== undefined, composed: true })
  for (const { name, expression } of spec.variables ?? []) compiler.variable(name, expression)
  const { matchConditions = [] } = spec
  const owner = { name: metadata.name ?? "", kind: "policy", type: "validate" } as const
  const conditions =
    matchConditions.length === 0 ? undefined : new MatchConditions(matchConditions, owner, compiler)
  return [compiler, conditions]
}
