/** Namespaces that have to be there, or are made. Mirrors: plugin/pkg/admission/namespace/{autoprovision,exists} */
import { namespace } from "@knarr/api"
import type { Namespace } from "@knarr/api"
import { isAlreadyExists, notFound, sameResource } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { AdmissionAttributes, AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

const isInNamespace = (a: AdmissionAttributes): boolean =>
  a.namespace !== "" && !sameResource(a.kind, namespace)

export const namespaceAutoProvision: AdmissionPlugin = {
  name: "NamespaceAutoProvision",
  enabledByDefault: false,
  create: ({ get, create }) => ({
    handles: (a) => a.operation === "CREATE" && !a.dryRun && isInNamespace(a),
    async admit(a) {
      const name = a.namespace
      if (get(namespace, { name })) return
      try {
        await create(namespace, { metadata: { name } } as Namespace)
      } catch (thrown) {
        if (!isAlreadyExists(thrown)) throw refusal(a, messageOf(thrown))
      }
    },
  }),
}

export const namespaceExists: AdmissionPlugin = {
  name: "NamespaceExists",
  enabledByDefault: false,
  create: ({ get }) => ({
    handles: (a) => a.operation !== "CONNECT" && isInNamespace(a),
    validate(a) {
      if (!get(namespace, { name: a.namespace }))
        throw notFound({ group: "", resource: "namespaces" }, a.namespace)
    },
  }),
}
