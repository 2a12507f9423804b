/** Who wants a volume. Mirrors: pkg/controller/volume/attachdetach/util/util.go (ProcessPodVolumes) */
import { node, persistentVolumeClaim, pod, type PersistentVolume, type Pod } from "@knarr/api"
import { isControlledBy } from "@knarr/apimachinery"
import type { Cache } from "@knarr/controller-kit"
import { ephemeralClaimName } from "@knarr/pod-rules"
import { podClaimIndex } from "../workload/pod-indexes.ts"
import { hasLetGoOfVolumes } from "../workload/pod-state.ts"

/** On nodes whose kubelets leave attaching to this controller. */
const managed = "volumes.kubernetes.io/controller-managed-attach-detach"

/** The pods that use the volume, by the managed nodes that they are on. */
export function wantedOn(
  { metadata, spec }: Readonly<PersistentVolume>,
  cache: Cache,
): Map<string, Readonly<Pod>[]> {
  const wanted = new Map<string, Readonly<Pod>[]>()
  const { namespace, name = "", uid } = spec.claimRef ?? {}
  const claim = cache.get(persistentVolumeClaim, { namespace, name })
  if (!claim || claim.metadata.uid !== uid || claim.spec.volumeName !== metadata.name) return wanted
  if (claim.status.phase !== "Bound") return wanted
  for (const one of cache.byIndex(pod, podClaimIndex.name, `${namespace}/${name}`)) {
    const { nodeName, volumes = [] } = one.spec
    if (!nodeName || hasLetGoOfVolumes(one)) continue
    const isNamed = volumes.some((volume) => volume.persistentVolumeClaim?.claimName === name)
    const isMade = volumes.some((volume) => volume.ephemeral && ephemeralClaimName(one, volume) === name)
    if (!isNamed && !(isMade && isControlledBy(claim, one))) continue
    if (cache.get(node, { name: nodeName })?.metadata.annotations?.[managed] === undefined) continue
    const pods = wanted.get(nodeName)
    if (pods) pods.push(one)
    else wanted.set(nodeName, [one])
  }
  return wanted
}
