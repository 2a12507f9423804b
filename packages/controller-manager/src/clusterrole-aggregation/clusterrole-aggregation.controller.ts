/** Fills roles that are the sum of others. Mirrors: pkg/controller/clusterroleaggregation */
import { clusterRole, type ClusterRole, type PolicyRule } from "@knarr/api"
import { refOf, semanticEqual } from "@knarr/apimachinery"
import { allow, defineController, type Controller } from "@knarr/controller-kit"
import { matcher } from "../workload/selector.ts"

/** The rules of all roles that the aggregation rule selects, each once, roles by name. */
function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const rules: PolicyRule[] = []
  const sorted = [...all].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const matches = matcher(selector)
    for (const other of sorted) {
      if (other.metadata.name === role.metadata.name || !matches(other.metadata.labels)) continue
      for (const rule of other.rules ?? [])
        if (!rules.some((one) => semanticEqual(one, rule))) rules.push(rule)
    }
  }
  return rules
}

export const clusterRoleAggregationController: Controller = defineController<ClusterRole>({
  name: "clusterrole-aggregation-controller",
  queueName: "ClusterRoleAggregator",
  aliases: ["clusterrole-aggregation"],
  serviceAccount: "clusterrole-aggregation-controller",
  rbac: [allow("rbac.authorization.k8s.io", "clusterroles", "escalate get list patch update watch")],
  for: clusterRole,
  watches: [
    {
      kind: clusterRole,
      map: (_obj, cache) =>
        cache
          .list(clusterRole)
          .filter((role) => role.aggregationRule !== undefined)
          .map(refOf),
    },
  ],
  async reconcile({ name }, { cache, client, signal }) {
    const role = cache.get(clusterRole, { name })
    if (!role?.aggregationRule) return
    const rules = aggregatedRules(role, cache.list(clusterRole))
    if (semanticEqual(rules, role.rules)) return
    const body = { apiVersion: clusterRole.apiVersion, kind: clusterRole.kind, metadata: { name }, rules }
    const fieldManager = "clusterrole-aggregation-controller"
    await client.patch(clusterRole, { name }, "apply", body, { force: true, fieldManager, signal })
  },
})
