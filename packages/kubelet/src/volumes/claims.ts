/**
 * Finds what a claim stands for: the bound PersistentVolume.
 * Mirrors: pkg/kubelet/volumemanager/populator/desired_state_of_world_populator.go (createVolumeSpec)
 */
import { persistentVolume, persistentVolumeClaim, type Pod, type Volume } from "@knarr/api"
import { messageOf } from "@knarr/base"
import type { Client } from "@knarr/client"
import { pluginFor, type VolumePlugin, type VolumeSpec } from "@knarr/volume"

/** What a volume that names a claim (or makes one, `ephemeral`) stands for; undefined: it does neither. */
export async function resolveClaim(
  client: Client,
  pod: Readonly<Pod>,
  volume: Readonly<Volume>,
  plugins: readonly VolumePlugin[],
  signal: AbortSignal,
): Promise<VolumeSpec | undefined> {
  const claimName =
    volume.persistentVolumeClaim?.claimName ??
    (volume.ephemeral ? `${pod.metadata.name}-${volume.name}` : undefined)
  if (claimName === undefined) return undefined
  const namespace = pod.metadata.namespace!
  const fail = (text: string, cause?: unknown): never => {
    throw new Error(
      `Unable to attach or mount volumes: unmounted volumes=[${volume.name}], unattached volumes=[], ` +
        `failed to process volumes=[${volume.name}]: error processing PVC ${namespace}/${claimName}: ${text}`,
      { cause },
    )
  }
  const claim = await client
    .get(persistentVolumeClaim, { namespace, name: claimName }, { signal })
    .catch((thrown: unknown) => fail(`failed to fetch PVC from API server: ${messageOf(thrown)}`, thrown))
  if (volume.ephemeral && !claim.metadata.ownerReferences?.some((owner) => owner.uid === pod.metadata.uid))
    return fail(
      `PVC ${namespace}/${claimName} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`,
    )
  if (claim.metadata.deletionTimestamp) return fail("PVC is being deleted")
  const volumeName = claim.spec.volumeName
  if (claim.status.phase !== "Bound" || !volumeName) return fail("PVC is not bound")
  const bound = await client
    .get(persistentVolume, { name: volumeName }, { signal })
    .catch((thrown: unknown) => fail(`failed to get PV ${volumeName}: ${messageOf(thrown)}`, thrown))
  if (bound.spec.claimRef?.uid !== claim.metadata.uid)
    return fail(
      `PV ${volumeName} claim.UID=(${bound.spec.claimRef?.uid ?? ""}) does not match expected claim.UID=(${claim.metadata.uid})`,
    )
  const readOnly = volume.persistentVolumeClaim?.readOnly ?? false
  const spec: VolumeSpec = { name: volumeName, persistentVolume: bound, readOnly }
  try {
    pluginFor(spec, plugins)
  } catch (thrown) {
    return fail(
      `failed to get Plugin from volumeSpec for volume "${volumeName}" err=${messageOf(thrown)}`,
      thrown,
    )
  }
  return spec
}
