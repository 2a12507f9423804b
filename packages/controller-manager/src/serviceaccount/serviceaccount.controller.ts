/** Gives every namespace its `default` service account. Mirrors: pkg/controller/serviceaccount/serviceaccounts_controller.go */
import { namespace, serviceAccount, type Namespace, type ServiceAccount } from "@knarr/api"
import { hasStatusCause, isAlreadyExists } from "@knarr/apimachinery"
import { allow, defineController, recordEvents, type Controller } from "@knarr/controller-kit"

export const serviceAccountController: Controller = defineController<Namespace>({
  name: "serviceaccount-controller",
  aliases: ["serviceaccount"],
  serviceAccount: "service-account-controller",
  rbac: [allow("", "serviceaccounts", "create"), recordEvents],
  for: namespace,
  watches: [
    {
      kind: serviceAccount,
      map: ({ metadata }: ServiceAccount) =>
        metadata.name === "default" ? [{ name: metadata.namespace! }] : [],
    },
  ],
  async reconcile({ name }, { cache, client, signal }) {
    const ns = cache.get(namespace, { name })
    if (!ns || ns.status?.phase === "Terminating" || ns.metadata.deletionTimestamp) return
    if (cache.get(serviceAccount, { namespace: name, name: "default" })) return
    try {
      await client.create(serviceAccount, { metadata: { name: "default", namespace: name } }, { signal })
    } catch (thrown) {
      if (!isAlreadyExists(thrown) && !hasStatusCause(thrown, "NamespaceTerminating")) throw thrown
    }
  },
})
