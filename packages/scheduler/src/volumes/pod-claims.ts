/** The claims that a pod's volumes use. Mirrors: component-helpers storage/ephemeral/ephemeral.go */
import type { PersistentVolumeClaim, Pod } from "@knarr/api"
import { controllerOf } from "@knarr/apimachinery"
import { ephemeralClaimName, podVolumeClaims } from "@knarr/pod-rules"
import type { QueueingHint } from "../framework/cluster-event.ts"

export interface ClaimOfPod {
  readonly name: string
  /** Made for the pod; it must be the pod's own. */
  readonly isEphemeral: boolean
}

/** In the order of the volumes. */
export function claimsOf(pod: Readonly<Pod>): readonly ClaimOfPod[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim)
      return { name: volume.persistentVolumeClaim.claimName, isEphemeral: false }
    return volume.ephemeral ? { name: ephemeralClaimName(pod, volume), isEphemeral: true } : []
  })
}

/** Names of the claims that volumes name, without those that are made for the pod. */
export function namedClaims(pod: Readonly<Pod>): readonly string[] {
  return claimsOf(pod).flatMap(({ name, isEphemeral }) => (isEphemeral ? [] : [name]))
}

/** Why a claim is not the one that is made for the pod; undefined when it is. */
export function ownershipProblem(
  pod: Readonly<Pod>,
  { metadata: claim }: Readonly<PersistentVolumeClaim>,
): string | undefined {
  const { namespace, name, uid } = pod.metadata
  if (claim.namespace === namespace && controllerOf({ metadata: claim })?.uid === uid) return undefined
  return `PVC ${claim.namespace}/${claim.name} was not created for pod ${namespace}/${name} (pod is not owner)`
}

/** Whether something that happened to a claim concerns the pod. */
export function afterClaimChange(
  pod: Readonly<Pod>,
  _old: Readonly<PersistentVolumeClaim> | undefined,
  now: Readonly<PersistentVolumeClaim> | undefined,
): QueueingHint {
  const { namespace, name } = now!.metadata
  return namespace === pod.metadata.namespace && podVolumeClaims(pod).has(name) ? "Queue" : "QueueSkip"
}
