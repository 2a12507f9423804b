/**
 * Which webhooks are asked about a request. Mirrors: apiserver pkg/admission/plugin/webhook/{generic/webhook.go,
 * predicates/{rules,namespace,object}}
 */
import { namespace as namespaceKind } from "@knarr/api"
import type { MutatingWebhook, RuleWithOperations, ValidatingWebhook } from "@knarr/api"
import { type Kind, type KubeObject, notFound, selectorFrom } from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionDeps } from "../../contract.ts"
import { isResource } from "../is-resource.ts"

export type Webhook = ValidatingWebhook | MutatingWebhook

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

/** The version in which a webhook wants to see the request's resource; undefined when it is not to be asked. */
export function versionFor(
  webhook: Webhook,
  attributes: AdmissionAttributes,
  deps: AdmissionDeps,
): Kind | undefined {
  if (!matchesObject(webhook, attributes)) return undefined
  const { kind } = attributes
  const rules = webhook.rules ?? []
  const takes = (one: Kind): boolean => rules.some((rule) => matchesRule(rule, one, attributes))
  const found = takes(kind)
    ? kind
    : webhook.matchPolicy === "Exact"
      ? undefined
      : deps.versionsOf(kind).find((one) => one !== kind && takes(one))
  return found && matchesNamespace(webhook, attributes, deps) ? found : undefined
}

function matchesRule(rule: RuleWithOperations, kind: Kind, a: AdmissionAttributes): boolean {
  const has = (list: readonly string[] | undefined, value: string): boolean =>
    list?.some((one) => one === "*" || one === value) ?? false
  return (
    has(rule.operations, a.operation) &&
    has(rule.apiGroups, kind.group) &&
    has(rule.apiVersions, kind.version) &&
    inScope(rule.scope, a) &&
    (rule.resources ?? []).some((text) => {
      const [resource, sub = ""] = text.split("/")
      return (resource === "*" || resource === kind.plural) && (sub === "*" || sub === a.subresource)
    })
  )
}

/** Namespaces themselves belong to the cluster. */
function inScope(scope: string | undefined, a: AdmissionAttributes): boolean {
  if (scope === undefined || scope === "*") return true
  return (scope === "Namespaced") === a.kind.namespaced
}

function matchesObject({ objectSelector }: Webhook, a: AdmissionAttributes): boolean {
  if (isEmpty(objectSelector)) return true
  const selector = selectorFrom(objectSelector)
  const matches = (object: Readonly<KubeObject> | undefined): boolean =>
    object !== undefined && selector.matches(object.metadata?.labels ?? {})
  return matches(a.object) || matches(a.oldObject)
}

function matchesNamespace(
  { namespaceSelector }: Webhook,
  a: AdmissionAttributes,
  deps: AdmissionDeps,
): boolean {
  if (isEmpty(namespaceSelector)) return true
  const isNamespace = isResource(a, "", "namespaces", a.subresource)
  if (!a.kind.namespaced && !isNamespace) return true
  const selector = selectorFrom(namespaceSelector)
  // A namespace that is made or changed is judged by what it is to be.
  if (isNamespace && a.object && (a.operation === "CREATE" || a.operation === "UPDATE"))
    return selector.matches(a.object.metadata.labels ?? {})
  const name = isNamespace ? a.name : a.namespace
  const found = deps.get(namespaceKind, { name })
  if (!found) throw notFound({ group: "", resource: "namespaces" }, name)
  return selector.matches(found.metadata.labels ?? {})
}

function isEmpty(selector: Webhook["objectSelector"]): boolean {
  return (
    selector === undefined ||
    (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions?.length ?? 0) === 0)
  )
}
