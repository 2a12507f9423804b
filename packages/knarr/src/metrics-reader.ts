/** Lets who may view a namespace see what its pods use. Mirrors: metrics-server manifests/base/rbac.yaml */
import { clusterRole } from "@knarr/api"
import { isAlreadyExists, isNotFound } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"

const aggregate = (role: string): [string, string] => [
  `rbac.authorization.k8s.io/aggregate-to-${role}`,
  "true",
]

const name = "system:aggregated-metrics-reader"

/** Makes the role, under the name that metrics-server gives it, where there is none. */
export async function ensureMetricsReader(client: Client, signal: AbortSignal): Promise<void> {
  const rule = {
    apiGroups: ["metrics.k8s.io"],
    resources: ["pods", "nodes"],
    verbs: ["get", "list", "watch"],
  }
  try {
    // Asked first: what is there needs no admission plugin's consent.
    await client.get(clusterRole, { name }, { signal })
    return
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
  try {
    await client.create(
      clusterRole,
      {
        metadata: {
          name,
          labels: Object.fromEntries(["admin", "edit", "view"].map(aggregate)),
        },
        rules: [rule],
      },
      { signal },
    )
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown
  }
}
