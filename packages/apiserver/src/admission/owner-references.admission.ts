/**
 * Who may say that an object belongs to another: who may delete it, and, to keep its owner from going, who may set the
 * owner's finalizers. Mirrors: plugin/pkg/admission/gc
 */
import { goQuote, type KubeObject, parseGroupVersion, semanticEqual } from "@knarr/apimachinery"
import { inTurn, whenReady } from "@knarr/base"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin, Decision } from "../contract.ts"
import { resourceAttributes } from "../authz/attributes.ts"
import { isResource } from "./is-resource.ts"
import { refusal } from "./refuse.ts"

type Owner = NonNullable<KubeObject["metadata"]["ownerReferences"]>[number]

export const ownerReferencesPermissionEnforcement: AdmissionPlugin = {
  name: "OwnerReferencesPermissionEnforcement",
  enabledByDefault: false,
  create: (deps) => ({
    handles: (a) =>
      (a.operation === "CREATE" || a.operation === "UPDATE") &&
      !isResource(a, "", "pods", "status") &&
      !semanticEqual(ownersOf(a.object), ownersOf(a.oldObject)),
    validate: (a) => whenReady(mayDelete(a, deps), () => mayBlock(a, deps)),
  }),
}

const ownersOf = (object: Readonly<KubeObject> | undefined): readonly Owner[] =>
  object?.metadata?.ownerReferences ?? []

/** Who could have left it unmade may say whose it is. */
function mayDelete(a: AdmissionAttributes, deps: AdmissionDeps): void | Promise<void> {
  if (a.operation === "CREATE") return
  const { kind, subresource, namespace, name } = a
  const asked = {
    verb: "delete",
    apiGroup: kind.group,
    apiVersion: kind.version,
    resource: kind.plural,
    subresource,
    namespace,
    name,
  }
  return whenReady(deps.authorize(a.user, resourceAttributes(asked), a), (decision) => {
    if (decision.verdict !== "allow")
      throw refusal(a, `cannot set an ownerRef on a resource you can't delete: ${why(decision)}`)
  })
}

const why = ({ reason, error }: Decision): string => `${reason}, ${error ? error.message : "<nil>"}`

function mayBlock(a: AdmissionAttributes, deps: AdmissionDeps): void | Promise<void> {
  const before = new Map(ownersOf(a.oldObject).map((owner) => [owner.uid, owner]))
  const blocking = ownersOf(a.object).filter(
    (owner) => owner.blockOwnerDeletion === true && before.get(owner.uid)?.blockOwnerDeletion !== true,
  )
  if (blocking.length === 0) return
  const anything = { verb: "update", apiGroup: "*", resource: "*", subresource: "finalizers", name: "*" }
  return whenReady(deps.authorize(a.user, resourceAttributes(anything), a), ({ verdict }) => {
    if (verdict !== "allow") return inTurn(blocking, (owner) => mayFinalize(owner, a, deps))
  })
}

function mayFinalize(owner: Owner, a: AdmissionAttributes, deps: AdmissionDeps): void | Promise<void> {
  const { group = "", version = "" } = parseGroupVersion(owner.apiVersion) ?? {}
  const kind = deps.kindNamed({ group, version, kind: owner.kind })
  if (!kind)
    throw refusal(
      a,
      `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${owner.apiVersion} Kind ${owner.kind}: ` +
        `no matches for kind ${goQuote(owner.kind)} in version ${goQuote(owner.apiVersion)}`,
    )
  const asked = {
    verb: "update",
    apiGroup: kind.group,
    apiVersion: kind.version,
    resource: kind.plural,
    subresource: "finalizers",
    namespace: kind.namespaced ? a.namespace : "",
    name: owner.name,
  }
  return whenReady(deps.authorize(a.user, resourceAttributes(asked), a), (decision) => {
    if (decision.verdict !== "allow")
      throw refusal(
        a,
        `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${why(decision)}`,
      )
  })
}
