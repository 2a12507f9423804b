/** Runs each preview's pod, and ends it when its hours are over. Time comes from `clock`: a test lets it pass in a moment. */
import { pod } from "knarr/api"
import { newControllerRef } from "knarr/apimachinery"
import { defineController, type Controller } from "knarr/controller-kit"
import { preview } from "./preview.kind.ts"

const hourMs = 3_600_000

export const previewController: Controller = defineController({
  name: "preview-controller",
  serviceAccount: "preview-controller",
  rbac: [
    {
      apiGroups: ["previews.example.com"],
      resources: ["previews", "previews/status"],
      verbs: ["get", "list", "watch", "patch"],
    },
    { apiGroups: [""], resources: ["pods"], verbs: ["create", "delete", "get", "list", "watch"] },
  ],
  for: preview,
  owns: [pod],
  async reconcile(ref, { cache, client, clock, signal }) {
    const found = cache.get(preview, ref)
    if (!found) return
    const endMs = Date.parse(found.metadata.creationTimestamp!) + found.spec.hours * hourMs
    const isOver = clock.now() >= endMs
    const pods = cache.list(pod, { ownedBy: found })
    if (isOver) for (const { metadata } of pods) await client.delete(pod, metadata, { signal })
    else if (pods.length === 0)
      await client.create(
        pod,
        {
          metadata: {
            namespace: ref.namespace,
            name: ref.name,
            ownerReferences: [newControllerRef(found, preview)],
          },
          spec: { containers: [{ name: "preview", image: found.spec.image }] },
        },
        { signal },
      )
    const phase = isOver ? "Over" : "Running"
    if (found.status.phase !== phase)
      await client.patch(preview, ref, "merge", { status: { phase } }, { subresource: "status", signal })
    return isOver ? undefined : { afterMs: endMs - clock.now() }
  },
})
