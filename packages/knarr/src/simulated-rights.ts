/** What the process of simulated nodes may do: read what its nodes' pods refer to, and act as a node. */
import { clusterRole, clusterRoleBinding } from "@knarr/api"
import type { Client } from "@knarr/client"
import { simulatedUser } from "./simulated-names.ts"

const read = ["get", "list", "watch"]
const onNodes = [...read, "create", "update", "patch", "delete"]

/** Creates the role and its binding, or brings them up to date. */
export async function ensureSimulatedRights(client: Client, signal: AbortSignal): Promise<void> {
  const options = { signal, fieldManager: "knarr", force: true }
  const metadata = { name: simulatedUser }
  await client.patch(
    clusterRole,
    metadata,
    "apply",
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata,
      rules: [
        {
          apiGroups: [""],
          resources: ["pods", "nodes", "services", "configmaps", "secrets"],
          verbs: read,
        },
        {
          apiGroups: ["certificates.k8s.io"],
          resources: ["clustertrustbundles", "podcertificaterequests"],
          verbs: read,
        },
        { apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch", "update"] },
        {
          apiGroups: ["authentication.k8s.io"],
          resources: ["nodes"],
          verbs: ["impersonate:arbitrary-node"],
        },
        // What a node may do, the node authorizer says; this is about doing it as one.
        {
          apiGroups: ["*"],
          resources: ["*"],
          verbs: onNodes.map((verb) => `impersonate-on:arbitrary-node:${verb}`),
        },
      ],
    },
    options,
  )
  await client.patch(
    clusterRoleBinding,
    metadata,
    "apply",
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: simulatedUser },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: simulatedUser }],
    },
    options,
  )
}
