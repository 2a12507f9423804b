/**
 * What is wrong with a policy's expressions, by the types of the objects that it judges.
 * Mirrors: apiserver pkg/admission/plugin/policy/validating/typechecking.go
 */
import type {
  CustomResourceDefinition,
  ExpressionWarning,
  NamedRuleWithOperations,
  ValidatingAdmissionPolicy,
} from "@knarr/api"
import { compareBytes, type Kind, schemaOf } from "@knarr/apimachinery"
import { AdmissionCompiler, celSchemaOf, declTypeOf, type CelSchema, type DeclType } from "@knarr/cel"

/** Of one rule. */
const mostTypes = 10

export interface TypeSources {
  readonly kinds: readonly Kind[]
  readonly definitions: readonly Readonly<CustomResourceDefinition>[]
}

/** A kind that can be checked. */
interface TypedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly type: DeclType | undefined
}

/** In the order of the expressions; each tells of all kinds that it does not fit. */
export function checkTypes(
  { spec }: Readonly<ValidatingAdmissionPolicy>,
  sources: TypeSources,
): ExpressionWarning[] {
  const { paramKind, variables = [], validations = [], matchConstraints } = spec
  const paramsType = paramKind && findKind(sources, paramKind.apiVersion ?? "", paramKind.kind ?? "")?.type
  const compilers = kindsToCheck(matchConstraints?.resourceRules ?? [], sources).map((one) => {
    const compiler = new AdmissionCompiler({
      params: paramKind !== undefined,
      composed: true,
      objectType: one.type,
      paramsType,
    })
    for (const { name, expression } of variables) compiler.variable(name, expression)
    return { one, compiler }
  })
  const warnings: ExpressionWarning[] = []
  const check = (fieldRef: string, expression: string): void => {
    const problems = compilers.flatMap(({ one: { group, version, kind }, compiler }) => {
      const issues = compiler.issues(expression)
      return issues === undefined ? [] : [`${group}/${version}, Kind=${kind}: ${issues}\n`]
    })
    if (problems.length > 0) warnings.push({ fieldRef, warning: problems.join("\n") })
  }
  for (const [i, { expression, messageExpression }] of validations.entries()) {
    check(`spec.validations[${i}].expression`, expression)
    if (messageExpression) check(`spec.validations[${i}].messageExpression`, messageExpression)
  }
  return warnings
}

/** Whether a rule names a resource that is not known. */
export function namesUnknown({ spec }: Readonly<ValidatingAdmissionPolicy>, sources: TypeSources): boolean {
  return (spec.matchConstraints?.resourceRules ?? []).some((rule) =>
    [...named(rule)].some(([group, version, resource]) => !findResource(sources, group, version, resource)),
  )
}

/** Resources that a rule names; none when it leaves their group or version open. */
function* named(rule: NamedRuleWithOperations): Generator<readonly [string, string, string]> {
  const { apiGroups = [], apiVersions = [], resources = [] } = rule
  if ([...apiGroups, ...apiVersions].some((one) => one.includes("*"))) return
  const plain = resources.filter((one) => !/[*/]/.test(one)).sort(compareBytes)
  for (const group of [...apiGroups].sort(compareBytes))
    for (const version of [...apiVersions].sort(compareBytes))
      for (const resource of plain) yield [group, version, resource]
}

function kindsToCheck(rules: readonly NamedRuleWithOperations[], sources: TypeSources): TypedKind[] {
  const found = new Map<string, TypedKind>()
  for (const rule of rules) {
    let count = 0
    for (const [group, version, resource] of named(rule)) {
      const one = findResource(sources, group, version, resource)
      if (!one) continue
      found.set(`${group}/${version}/${one.kind}`, one)
      if (++count === mostTypes) return sorted(found)
    }
  }
  return sorted(found)
}

function sorted(found: ReadonlyMap<string, TypedKind>): TypedKind[] {
  return [...found.values()].sort(
    (a, b) =>
      compareBytes(a.group, b.group) || compareBytes(a.version, b.version) || compareBytes(a.kind, b.kind),
  )
}

function findResource(
  sources: TypeSources,
  group: string,
  version: string,
  resource: string,
): TypedKind | undefined {
  const kind = sources.kinds.find(
    (one) => one.group === group && one.version === version && one.plural === resource,
  )
  if (kind) return typed(group, version, kind.kind, celSchemaOf(kind.schema))
  const definition = sources.definitions.find(
    ({ spec }) => spec.group === group && spec.names.plural === resource,
  )
  return definition && custom(definition, version)
}

function findKind(sources: TypeSources, apiVersion: string, name: string): TypedKind | undefined {
  const slash = apiVersion.indexOf("/")
  const [group, version] = [slash < 0 ? "" : apiVersion.slice(0, slash), apiVersion.slice(slash + 1)]
  const kind = sources.kinds.find(
    (one) => one.group === group && one.version === version && one.kind === name,
  )
  if (kind) return typed(group, version, name, celSchemaOf(kind.schema))
  const definition = sources.definitions.find(({ spec }) => spec.group === group && spec.names.kind === name)
  return definition && custom(definition, version)
}

const text: CelSchema = { type: "string" }

function custom({ spec }: Readonly<CustomResourceDefinition>, name: string): TypedKind | undefined {
  const version = spec.versions.find((one) => one.name === name && one.served)
  if (!version) return undefined
  const { kind } = spec.names
  const schema = version.schema?.openAPIV3Schema as CelSchema | undefined
  const metadata = celSchemaOf(schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))
  const properties = { ...schema?.properties, apiVersion: text, kind: text, metadata }
  return typed(spec.group, name, kind, { ...schema, type: "object", properties })
}

function typed(group: string, version: string, kind: string, schema: CelSchema): TypedKind {
  return { group, version, kind, type: declTypeOf(schema, kind, true) }
}
