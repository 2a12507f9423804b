/**
 * What rules and selectors say about a request, for webhooks and policies alike; made once for each configuration.
 * Mirrors: apiserver pkg/admission/plugin/webhook/predicates/{rules,namespace,object}, plugin/policy/matching
 */
import { namespace as namespaceKind } from "@knarr/api"
import type { MatchResources, NamedRuleWithOperations } from "@knarr/api"
import {
  type Kind,
  type KubeObject,
  type LabelSelector,
  notFound,
  type Selector,
  selectorFrom,
} from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionDeps } from "../contract.ts"
import { isResource } from "./is-resource.ts"

/** What configures admission is never judged by it: nobody could mend it. */
const exempt = new Set([
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
  "mutatingwebhookconfigurations",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "validatingwebhookconfigurations",
])

export function isExempt({ kind }: Pick<AdmissionAttributes, "kind">): boolean {
  return kind.group === "admissionregistration.k8s.io" && exempt.has(kind.plural)
}

/** The fields that a webhook and a policy have in common. */
type Matched = Pick<MatchResources, "namespaceSelector" | "objectSelector" | "matchPolicy"> & {
  readonly rules: readonly NamedRuleWithOperations[]
  readonly except?: readonly NamedRuleWithOperations[] | undefined
}

interface CompiledRule extends NamedRuleWithOperations {
  readonly parts: readonly (readonly [resource: string, subresource: string])[]
}

export class Matcher {
  readonly #rules: readonly CompiledRule[]
  readonly #except: readonly CompiledRule[]
  readonly #exact: boolean
  readonly #object: Selector | undefined
  readonly #namespace: Selector | undefined

  constructor({ rules, except = [], matchPolicy, objectSelector, namespaceSelector }: Matched) {
    this.#rules = rules.map(compiled)
    this.#except = except.map(compiled)
    this.#exact = matchPolicy !== "Equivalent"
    this.#object = selectorOf(objectSelector)
    this.#namespace = selectorOf(namespaceSelector)
  }

  /**
   * The version in which the request's resource is asked for; undefined when it is not. Without rules every resource is.
   * Throws the 404 of a namespace that there is not.
   */
  versionFor(a: AdmissionAttributes, deps: Pick<AdmissionDeps, "get" | "versionsOf">): Kind | undefined {
    if (this.#object && !matchesObject(this.#object, a)) return undefined
    if (this.#except.length > 0 && this.#find(this.#except, a, deps)) return undefined
    const found = this.#rules.length === 0 ? a.kind : this.#find(this.#rules, a, deps)
    if (!found || (this.#namespace && !matchesNamespace(this.#namespace, a, deps))) return undefined
    return found
  }

  #find(
    rules: readonly CompiledRule[],
    a: AdmissionAttributes,
    deps: Pick<AdmissionDeps, "versionsOf">,
  ): Kind | undefined {
    if (rules.some((rule) => matchesRule(rule, a.kind, a))) return a.kind
    if (this.#exact) return undefined
    const others = deps.versionsOf(a.kind)
    if (others.length < 2) return undefined
    for (const rule of rules) {
      const found = others.find((one) => one !== a.kind && matchesRule(rule, one, a))
      if (found) return found
    }
    return undefined
  }
}

function compiled(rule: NamedRuleWithOperations): CompiledRule {
  const parts = (rule.resources ?? []).map((text): [string, string] => {
    const slash = text.indexOf("/")
    return slash < 0 ? [text, ""] : [text.slice(0, slash), text.slice(slash + 1)]
  })
  return { ...rule, parts }
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((one) => one === "*" || one === value) ?? false

function matchesRule(rule: CompiledRule, kind: Kind, a: AdmissionAttributes): boolean {
  return (
    has(rule.operations, a.operation) &&
    has(rule.apiGroups, kind.group) &&
    rule.parts.some(
      ([resource, sub]) =>
        (resource === "*" || resource === kind.plural) && (sub === "*" || sub === a.subresource),
    ) &&
    has(rule.apiVersions, kind.version) &&
    inScope(rule.scope, a) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(a.name))
  )
}

/** Namespaces themselves belong to the cluster. */
function inScope(scope: string | undefined, a: AdmissionAttributes): boolean {
  if (scope === undefined || scope === "*") return true
  return (scope === "Namespaced") === a.kind.namespaced
}

function matchesObject(selector: Selector, a: AdmissionAttributes): boolean {
  const matches = (object: Readonly<KubeObject> | undefined): boolean =>
    object !== undefined && selector.matches(object.metadata?.labels ?? {})
  return matches(a.object) || matches(a.oldObject)
}

function matchesNamespace(
  selector: Selector,
  a: AdmissionAttributes,
  deps: Pick<AdmissionDeps, "get">,
): boolean {
  const isNamespace = isResource(a, "", "namespaces", a.subresource)
  if (!a.kind.namespaced && !isNamespace) return true
  // A namespace that is made or changed is judged by what it is to be.
  if (isNamespace && a.subresource === "" && a.object && a.operation !== "DELETE")
    return selector.matches(a.object.metadata.labels ?? {})
  const name = isNamespace ? a.name : a.namespace
  const found = deps.get(namespaceKind, { name })
  if (!found) throw notFound({ group: "", resource: "namespaces" }, name)
  return selector.matches(found.metadata.labels ?? {})
}

/** Undefined for one that matches everything. */
function selectorOf(selector: LabelSelector | undefined): Selector | undefined {
  const isEmpty =
    selector === undefined ||
    (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions?.length ?? 0) === 0)
  return isEmpty ? undefined : selectorFrom(selector)
}
