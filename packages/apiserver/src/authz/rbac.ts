/**
 * Role-based access control: roles and bindings from the watch caches, indexed by subject and looked up per
 * user. Nothing is computed on a request but the match itself. Mirrors: plugin/pkg/auth/authorizer/rbac
 */
import { clusterRole, clusterRoleBinding, role, roleBinding } from "@knarr/api"
import type { PolicyRule, RoleRef, Subject } from "@knarr/api"
import { aggregate } from "@knarr/apimachinery"
import { serviceAccountUserName } from "../authn/users.ts"
import type { ObjectReader } from "../authn/service-account-tokens.ts"
import type { AuthorizationAttributes, Authorizer, Decision, UserInfo, UserRules } from "../contract.ts"
import { ruleAllows } from "./rules.ts"

interface Grant {
  /** "" for a ClusterRoleBinding. */
  readonly namespace: string
  readonly binding: string
  readonly roleRef: RoleRef
  readonly subject: Subject
  /** Undefined when the role does not exist. */
  readonly rules: readonly PolicyRule[] | undefined
}

const none: readonly Grant[] = []

export class Rbac implements Authorizer {
  readonly #reader: ObjectReader
  /** Subject key → namespace ("" for cluster-wide) → grants. Undefined: to be built again. */
  #index: Map<string, Map<string, Grant[]>> | undefined
  #users = new WeakMap<UserInfo, Map<string, readonly Grant[]>>()

  constructor(reader: ObjectReader) {
    this.#reader = reader
  }

  /** To be called after any change to a role or a binding. */
  invalidate(): void {
    this.#index = undefined
    this.#users = new WeakMap()
  }

  authorize(user: UserInfo, attributes: AuthorizationAttributes): Decision {
    const errors: string[] = []
    const found =
      this.#find(user, attributes, "", errors) ??
      (attributes.namespace === "" ? undefined : this.#find(user, attributes, attributes.namespace, errors))
    if (found) return { verdict: "allow", reason: `RBAC: allowed by ${describe(found)}` }
    return { verdict: "noOpinion", reason: errors.length === 0 ? "" : `RBAC: ${aggregate(errors)}` }
  }

  #find(
    user: UserInfo,
    attributes: AuthorizationAttributes,
    namespace: string,
    errors: string[],
  ): Grant | undefined {
    for (const grant of this.#grants(user, namespace)) {
      if (!grant.rules) errors.push(roleNotFound(grant.roleRef))
      else for (const rule of grant.rules) if (ruleAllows(rule, attributes)) return grant
    }
    return undefined
  }

  /** Everything that `user` may do in a namespace ("" for cluster-wide rules only). */
  rulesFor(user: UserInfo, namespace: string): UserRules {
    const rules: PolicyRule[] = []
    const errors: string[] = []
    for (const scope of namespace === "" ? [""] : ["", namespace]) {
      for (const grant of this.#grants(user, scope)) {
        if (grant.rules) rules.push(...grant.rules)
        else errors.push(roleNotFound(grant.roleRef))
      }
    }
    return { rules, errors, incomplete: false }
  }

  /** The rules of a role that a binding in `namespace` names; undefined when there is none. */
  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const found =
      ref.kind === "ClusterRole"
        ? this.#reader.get(clusterRole, { name: ref.name })
        : this.#reader.get(role, { namespace, name: ref.name })
    return found ? (found.rules ?? []) : undefined
  }

  #grants(user: UserInfo, namespace: string): readonly Grant[] {
    let byNamespace = this.#users.get(user)
    if (!byNamespace) {
      byNamespace = new Map()
      this.#users.set(user, byNamespace)
    }
    let grants = byNamespace.get(namespace)
    if (!grants) {
      const index = (this.#index ??= this.#build())
      const all: Grant[] = []
      const add = (key: string): void => {
        const found = index.get(key)?.get(namespace)
        if (found) all.push(...found)
      }
      add(`u:${user.name}`)
      for (const group of user.groups) add(`g:${group}`)
      grants =
        all.length === 0
          ? none
          : all.sort((a, b) => (a.binding < b.binding ? -1 : a.binding > b.binding ? 1 : 0))
      byNamespace.set(namespace, grants)
    }
    return grants
  }

  #build(): Map<string, Map<string, Grant[]>> {
    const index = new Map<string, Map<string, Grant[]>>()
    const add = (
      namespace: string,
      binding: string,
      roleRef: RoleRef,
      subjects: readonly Subject[] | undefined,
    ): void => {
      if (!subjects || subjects.length === 0) return
      const rules = this.rulesOf(roleRef, namespace)
      for (const subject of subjects) {
        const key = subjectKey(subject, namespace)
        if (key === undefined) continue
        let byNamespace = index.get(key)
        if (!byNamespace) index.set(key, (byNamespace = new Map()))
        let grants = byNamespace.get(namespace)
        if (!grants) byNamespace.set(namespace, (grants = []))
        grants.push({ namespace, binding, roleRef, subject, rules })
      }
    }
    for (const binding of this.#reader.list(clusterRoleBinding))
      add("", binding.metadata.name, binding.roleRef, binding.subjects)
    for (const binding of this.#reader.list(roleBinding))
      add(binding.metadata.namespace!, binding.metadata.name, binding.roleRef, binding.subjects)
    return index
  }
}

function subjectKey(subject: Subject, namespace: string): string | undefined {
  switch (subject.kind) {
    case "User":
      return `u:${subject.name}`
    case "Group":
      return `g:${subject.name}`
    case "ServiceAccount": {
      const of = subject.namespace || namespace
      return of === "" ? undefined : `u:${serviceAccountUserName(of, subject.name)}`
    }
    default:
      return undefined
  }
}

function describe(grant: Grant): string {
  const { subject, roleRef, namespace } = grant
  const name =
    subject.kind === "ServiceAccount" ? `${subject.name}/${subject.namespace || namespace}` : subject.name
  const kind = namespace === "" ? "ClusterRoleBinding" : "RoleBinding"
  const binding = namespace === "" ? grant.binding : `${grant.binding}/${namespace}`
  const q = JSON.stringify
  return `${kind} ${q(binding)} of ${roleRef.kind} ${q(roleRef.name)} to ${subject.kind} ${q(name)}`
}

/** As the error of a lister says it. */
function roleNotFound(ref: RoleRef): string {
  return `${ref.kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(ref.name)} not found`
}
