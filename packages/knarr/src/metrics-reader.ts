/** Lets who may view a namespace see what its pods use. Mirrors: metrics-server manifests/base/rbac.yaml */
import { clusterRole } from "@knarr/api"
import { isAlreadyExists } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"

const aggregate = (role: string): [string, string] => [
  `rbac.authorization.k8s.io/aggregate-to-${role}`,
  "true",
]

/** Makes the role, under the name that metrics-server gives it, where there is none. */
export async function ensureMetricsReader(client: Client, signal: AbortSignal): Promise<void> {
  const rule = {
    apiGroups: ["metrics.k8s.io"],
    resources: ["pods", "nodes"],
    verbs: ["get", "list", "watch"],
  }
  try {
    await client.create(
      clusterRole,
      {
        metadata: {
          name: "system:aggregated-metrics-reader",
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
