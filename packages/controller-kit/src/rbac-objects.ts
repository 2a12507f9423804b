/**
 * The roles and bindings of controllers' service accounts. A controller that Kubernetes does not know gets its
 * role from its own descriptor. Mirrors: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go
 */
import {
  clusterRole,
  clusterRoleBinding,
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  type PolicyRuleLike,
} from "@knarr/api"
import { isAlreadyExists, isNotFound } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"
import type { Controller } from "./controller.ts"
import { covers } from "./rules.ts"

/** The namespace of controllers' service accounts. */
export const controllerNamespace = "kube-system"

export interface ControllerRole {
  readonly serviceAccount: string
  /** `system:controller:<serviceAccount>`; the binding has the same name. */
  readonly name: string
  readonly rules: readonly PolicyRuleLike[]
}

/** One role per service account, with the rules of all controllers that use it. In the order of the controllers. */
export function rbacObjects(controllers: readonly Controller[]): ControllerRole[] {
  const byAccount = new Map<string, PolicyRuleLike[]>()
  for (const controller of controllers) {
    const rules = byAccount.get(controller.serviceAccount) ?? []
    for (const rule of controller.rbac) if (!covers(rules, rule)) rules.push(rule)
    byAccount.set(controller.serviceAccount, rules)
  }
  return [...byAccount].map(([serviceAccount, rules]) => ({
    serviceAccount,
    name: `system:controller:${serviceAccount}`,
    rules,
  }))
}

/**
 * Makes sure that each controller's role and binding exist and allow what the descriptor states. What a
 * published role allows beyond that is kept. Needs the rights of an administrator.
 */
export async function ensureRbac(
  client: Client,
  controllers: readonly Controller[],
  signal: AbortSignal,
): Promise<void> {
  for (const role of rbacObjects(controllers)) {
    await ensureRole(client, role, signal)
    await ensureBinding(client, role, signal)
  }
}

async function ensureRole(client: Client, role: ControllerRole, signal: AbortSignal): Promise<void> {
  const present = await find(() => client.get(clusterRole, { name: role.name }, { signal }))
  if (!present) {
    const created: Pick<ClusterRole, "rules"> & { metadata: { name: string } } = {
      metadata: { name: role.name },
      rules: role.rules.map(mutableRule),
    }
    await ignoreExisting(() => client.create(clusterRole, created, { signal }))
    return
  }
  const missing = role.rules.filter((rule) => !covers(present.rules ?? [], rule))
  if (missing.length === 0) return
  const rules = [...(present.rules ?? []), ...missing.map(mutableRule)]
  await client.update(clusterRole, { ...present, rules }, { signal })
}

async function ensureBinding(client: Client, role: ControllerRole, signal: AbortSignal): Promise<void> {
  const present = await find(() => client.get(clusterRoleBinding, { name: role.name }, { signal }))
  const subject = { kind: "ServiceAccount", name: role.serviceAccount, namespace: controllerNamespace }
  if (!present) {
    const created: Pick<ClusterRoleBinding, "roleRef" | "subjects"> & { metadata: { name: string } } = {
      metadata: { name: role.name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.name },
      subjects: [subject],
    }
    await ignoreExisting(() => client.create(clusterRoleBinding, created, { signal }))
    return
  }
  const bound = present.subjects?.some(
    (one) => one.kind === subject.kind && one.name === subject.name && one.namespace === subject.namespace,
  )
  if (bound) return
  await client.update(
    clusterRoleBinding,
    { ...present, subjects: [...(present.subjects ?? []), subject] },
    { signal },
  )
}

function mutableRule(rule: PolicyRuleLike): PolicyRule {
  const out: PolicyRule = { verbs: [...rule.verbs] }
  if (rule.apiGroups) out.apiGroups = [...rule.apiGroups]
  if (rule.resources) out.resources = [...rule.resources]
  if (rule.resourceNames) out.resourceNames = [...rule.resourceNames]
  if (rule.nonResourceURLs) out.nonResourceURLs = [...rule.nonResourceURLs]
  return out
}

async function find<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get()
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined
    throw thrown
  }
}

async function ignoreExisting(create: () => Promise<unknown>): Promise<void> {
  try {
    await create()
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown
  }
}
