/**
 * Nothing is created in a namespace that is not there or is ending, and the namespaces that the cluster
 * stands on are not deleted. Mirrors: apiserver pkg/admission/plugin/namespace/lifecycle
 */
import { namespace } from "@knarr/api"
import { notFound, sameResource } from "@knarr/apimachinery"
import type { AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

const immortal = new Set(["default", "kube-system", "kube-public"])

export const namespaceLifecycle: AdmissionPlugin = {
  name: "NamespaceLifecycle",
  enabledByDefault: true,
  create: ({ get }) => ({
    handles: (a) => a.operation !== "CONNECT",
    admit(a) {
      if (a.operation === "DELETE" && sameResource(a.kind, namespace) && immortal.has(a.name))
        throw refusal(a, "this namespace may not be deleted")
      if (a.namespace === "" || sameResource(a.kind, namespace)) return
      if (a.operation === "DELETE" || a.kind.group === "authorization.k8s.io") return
      const found = get(namespace, { name: a.namespace })
      if (!found) throw notFound({ group: "", resource: "namespaces" }, a.namespace)
      if (a.operation !== "CREATE" || found.status?.phase !== "Terminating") return
      throw refusal(
        a,
        `unable to create new content in namespace ${a.namespace} because it is being terminated`,
        [
          {
            reason: "NamespaceTerminating",
            message: `namespace ${a.namespace} is being terminated`,
            field: "metadata.namespace",
          },
        ],
      )
    },
  }),
}
