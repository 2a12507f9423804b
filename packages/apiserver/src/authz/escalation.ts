/**
 * Nobody grants by RBAC what they do not have themselves, unless they hold the verbs `escalate` or `bind`.
 * Mirrors: pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased
 */
import {
  comparedParts,
  uncoveredRules,
  type ClusterRole,
  type PolicyRule,
  type Role,
  type RoleBinding,
  type RoleRef,
} from "@knarr/api"
import { forbidden, notFound, semanticEqual, type KubeObject } from "@knarr/apimachinery"
import { whenReady } from "@knarr/base"
import { systemMasters } from "../authn/users.ts"
import type { AdmissionAttributes, AdmissionDeps, AdmissionHooks, UserInfo } from "../contract.ts"
import { resourceAttributes } from "./attributes.ts"
import type { Rbac } from "./rbac.ts"
import { compactRules, ruleText } from "./rules.ts"

const group = "rbac.authorization.k8s.io"
const guarded = new Set(["roles", "clusterroles", "rolebindings", "clusterrolebindings"])
const fullAuthority: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
]

/** Permissions of one role that are looked up one by one; tens of times as many as roles have. */
const mostParts = 50_000

/** The check, as the last hook of admission. */
export function createEscalationCheck(rbac: Rbac, deps: Pick<AdmissionDeps, "authorize">): AdmissionHooks {
  const may = (
    a: AdmissionAttributes,
    verb: string,
    resource: string,
    name: string,
  ): boolean | Promise<boolean> => {
    const asked = resourceAttributes({ verb, apiGroup: group, resource, namespace: a.namespace, name })
    return whenReady(deps.authorize(a.user, asked, a), ({ verdict }) => verdict === "allow")
  }

  const missing = (user: UserInfo, namespace: string, wanted: readonly PolicyRule[]): string | undefined => {
    const own = rbac.rulesFor(user, namespace)
    const parts = comparedParts(own.rules, wanted)
    if (parts > mostParts)
      return `the rules stand for ${parts} permissions, and no more than ${mostParts} are compared with those that the user holds`
    const lacking = uncoveredRules(own.rules, wanted)
    if (lacking.length === 0) return undefined
    const lines = [...new Set(compactRules(lacking).map(ruleText))].sort()
    const groups = user.groups.map((name) => JSON.stringify(name)).join(" ")
    let text =
      `user ${JSON.stringify(user.name)} (groups=[${groups}]) ` +
      `is attempting to grant RBAC permissions not currently held:\n${lines.join("\n")}`
    if (own.errors.length > 0) text += `; resolution errors: [${own.errors.join(" ")}]`
    return text
  }

  return {
    handles: (a) =>
      (a.operation === "CREATE" || a.operation === "UPDATE") &&
      a.subresource === "" &&
      a.kind.group === group &&
      guarded.has(a.kind.plural),
    validate(a: AdmissionAttributes) {
      const { user } = a
      if (user.groups.includes(systemMasters) || !a.object) return
      const resource = { group, resource: a.kind.plural }
      const refuse = (why: string): never => {
        throw forbidden(resource, a.name || a.object!.metadata.name, why)
      }
      if (a.oldObject && onlyMutatesGCFields(a.object, a.oldObject)) return
      if (a.kind.plural === "roles" || a.kind.plural === "clusterroles") {
        const next = a.object as Role | ClusterRole
        const old = a.oldObject as Role | ClusterRole | undefined
        if (old && same(contentOf(next), contentOf(old))) return
        return whenReady(may(a, "escalate", a.kind.plural, a.name), (allowed) => {
          if (allowed) return
          const why = missing(user, a.namespace, next.rules ?? [])
          if (why !== undefined) refuse(why)
          if (
            "aggregationRule" in next &&
            next.aggregationRule &&
            missing(user, "", fullAuthority) !== undefined
          )
            refuse("must have cluster-admin privileges to use the aggregationRule")
        })
      }
      const next = a.object as RoleBinding
      const old = a.oldObject as RoleBinding | undefined
      if (old && same(next.roleRef, old.roleRef) && same(next.subjects, old.subjects)) return
      const { roleRef } = next
      return whenReady(may(a, "bind", pluralOf(roleRef), roleRef.name), (allowed) => {
        if (allowed) return
        const rules = rbac.rulesOf(roleRef, a.namespace)
        if (!rules) throw notFound(resource, roleRef.name)
        const why = missing(user, a.namespace, rules)
        if (why !== undefined) refuse(why)
      })
    },
  }
}

function pluralOf(ref: RoleRef): string {
  return ref.kind === "ClusterRole" ? "clusterroles" : "roles"
}

function contentOf(obj: Role | ClusterRole): unknown {
  return [obj.rules ?? [], "aggregationRule" in obj ? (obj.aggregationRule ?? null) : null]
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}

/**
 * Whether an update touches nothing but what the garbage collector sets, or nothing at all (storage migration).
 * Mirrors: pkg/registry/rbac/helpers.go IsOnlyMutatingGCFields
 */
export function onlyMutatesGCFields(next: Readonly<KubeObject>, old: Readonly<KubeObject>): boolean {
  const strip = (obj: Readonly<KubeObject>): unknown => {
    const {
      ownerReferences: _o,
      finalizers: _f,
      managedFields: _m,
      resourceVersion: _r,
      ...metadata
    } = obj.metadata
    return { ...obj, metadata }
  }
  return semanticEqual(strip(next), strip(old))
}
