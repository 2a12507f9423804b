/**
 * Devices that a pod claims. No driver can be registered at this node, so what can be said is why a claim cannot be
 * prepared.
 * Mirrors: pkg/kubelet/cm/dra/manager.go (prepareResources), k8s.io/dynamic-resource-allocation/resourceclaim
 */
import { resourceClaim as claimKind, type Pod, type PodResourceClaim } from "@knarr/api"
import { goQuote } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { Client } from "@knarr/client"

/** Rejects, in upstream's words, unless none of the pod's claims needs anything of the node. */
export async function prepareDynamicResources(
  pod: Readonly<Pod>,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace, uid } = pod.metadata
  const extended = pod.status.extendedResourceClaimStatus?.resourceClaimName
  const claims = [...(pod.spec.resourceClaims ?? [])]
  if (extended) claims.push({ name: extended, resourceClaimName: extended })
  for (const podClaim of claims) {
    const claimName = nameOf(pod, podClaim)
    if (claimName === undefined) continue
    const claim = await client
      .get(claimKind, { namespace, name: claimName }, { signal })
      .catch((thrown: unknown) => {
        signal.throwIfAborted()
        throw new Error(`fetch ResourceClaim ${claimName}: ${messageOf(thrown)}`, { cause: thrown })
      })
    const owned = claim.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === uid)
    if (podClaim.resourceClaimName === undefined && !owned)
      throw new Error(
        `ResourceClaim ${namespace}/${claimName} was not created for Pod ${namespace}/${name} (Pod is not owner)`,
      )
    if (!claim.status?.reservedFor?.some((consumer) => consumer.uid === uid))
      throw new Error(
        `pod ${name} (${uid}) is not allowed to use ResourceClaim ${claimName} (${claim.metadata.uid})`,
      )
    const results = claim.status.allocation?.devices?.results
    if (!results) throw new Error(`ResourceClaim ${claimName}: not allocated`)
    for (const { driver } of results) throw new Error(`DRA driver ${driver} is not registered`)
  }
}

/** Undefined: no claim was needed. */
function nameOf(pod: Readonly<Pod>, claim: Readonly<PodResourceClaim>): string | undefined {
  const text = `pod "${pod.metadata.namespace}/${pod.metadata.name}"`
  if (claim.resourceClaimName !== undefined) return claim.resourceClaimName
  if (claim.resourceClaimTemplateName === undefined)
    throw new Error(
      `${text}, spec.resourceClaim ${goQuote(claim.name)}: none of the supported fields are set`,
    )
  const made = pod.status.resourceClaimStatuses?.find(({ name }) => name === claim.name)
  if (!made) throw new Error(`${text}: ResourceClaim not created yet`)
  return made.resourceClaimName
}
