/**
 * Makes the claims of volumes that a pod has for itself; they go with the pod.
 * Mirrors: pkg/controller/volume/ephemeral
 */
import { persistentVolumeClaim, pod, type PersistentVolumeClaim, type Pod, type Volume } from "@knarr/api"
import { isControlledBy, newControllerRef, refOf } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import {
  allow,
  type Controller,
  defineController,
  recordEvents,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { ephemeralClaimName } from "@knarr/pod-rules"
import { podClaimIndex } from "../workload/pod-indexes.ts"

export const ephemeralVolumeController: Controller = defineController({
  name: "ephemeral-volume-controller",
  aliases: ["ephemeral-volume"],
  serviceAccount: "ephemeral-volume-controller",
  rbac: [
    allow("", "pods", "get list watch"),
    allow("", "pods/finalizers", "update"),
    allow("", "persistentvolumeclaims", "create get list watch"),
    recordEvents,
  ],
  for: pod,
  watches: [
    {
      kind: persistentVolumeClaim,
      map: ({ metadata }: PersistentVolumeClaim, cache) =>
        cache.byIndex(pod, podClaimIndex.name, `${metadata.namespace}/${metadata.name}`).map(refOf),
    },
  ],
  indexes: [podClaimIndex],
  async reconcile(ref, ctx) {
    const one = ctx.cache.get(pod, ref)
    if (!one || one.metadata.deletionTimestamp) return
    for (const volume of one.spec.volumes ?? []) {
      if (!volume.ephemeral) continue
      try {
        await ensureClaim(one, volume, ctx)
      } catch (thrown) {
        ctx.signal.throwIfAborted()
        const message = `ephemeral volume ${volume.name}: ${messageOf(thrown)}`
        ctx.recorder.event(one, "Warning", "FailedBinding", message)
        throw new Error(`pod ${ref.namespace}/${ref.name}, ${message}`, { cause: thrown })
      }
    }
  },
})

async function ensureClaim(
  one: Readonly<Pod>,
  volume: Readonly<Volume>,
  { cache, client, meter, signal }: ReconcileContext,
): Promise<void> {
  const { namespace, name: podName } = one.metadata
  const name = ephemeralClaimName(one, volume)
  const found = cache.get(persistentVolumeClaim, { namespace, name })
  if (found) {
    if (isControlledBy(found, one)) return
    throw new Error(
      `PVC ${namespace}/${name} was not created for pod ${namespace}/${podName} (pod is not owner)`,
    )
  }
  const help = "Number of PersistentVolumeClaim creation requests"
  const { metadata = {}, spec } = volume.ephemeral!.volumeClaimTemplate!
  meter.counter({ name: "ephemeral_volume_controller_create_total", help }).add(1)
  try {
    const claim = {
      metadata: {
        namespace,
        name,
        labels: metadata.labels,
        annotations: metadata.annotations,
        ownerReferences: [newControllerRef(one, pod)],
      },
      spec,
    }
    await client.create(persistentVolumeClaim, claim, { signal })
  } catch (thrown) {
    meter.counter({ name: "ephemeral_volume_controller_create_failures_total", help }).add(1)
    throw new Error(`create PVC ${name}: ${messageOf(thrown)}`, { cause: thrown })
  }
}
