/** A controller of the test's own: a config map for each widget, made with the rights it declares here. */
import { configMap } from "@knarr/api"
import { newControllerRef } from "@knarr/apimachinery"
import { defineController, type Controller } from "@knarr/controller-kit"
import { widget } from "./widget.kind.ts"

export const widgetController: Controller = defineController({
  name: "widget-controller",
  serviceAccount: "widget-controller",
  rbac: [
    {
      apiGroups: ["toys.example.com"],
      resources: ["widgets", "widgets/status"],
      verbs: ["get", "list", "watch", "update", "patch"],
    },
    { apiGroups: [""], resources: ["configmaps"], verbs: ["create", "get", "list", "watch"] },
  ],
  for: widget,
  owns: [configMap],
  async reconcile(ref, { cache, client, signal }) {
    const found = cache.get(widget, ref)
    if (!found) return
    if (cache.list(configMap, { ownedBy: found }).length === 0) {
      const metadata = {
        namespace: ref.namespace,
        name: `${ref.name}-parts`,
        ownerReferences: [newControllerRef(found, widget)],
      }
      await client.create(configMap, { metadata, data: { color: found.spec.color ?? "" } }, { signal })
    }
    if (found.status.parts !== found.spec.size) {
      await client.patch(
        widget,
        ref,
        "merge",
        { status: { parts: found.spec.size } },
        { subresource: "status", signal },
      )
    }
  },
})
