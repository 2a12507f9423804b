/**
 * Pods with claims of devices: only where the claims' devices are, reserved for the pod before it is bound. Claims that nobody has
 * allocated are refused: nothing here allocates devices. Mirrors: plugins/dynamicresources, dynamic-resource-allocation/resourceclaim
 */
import { resourceClaim, type Node, type Pod, type resourceV1 } from "@knarr/api"
import { controllerOf, field, parseGoDuration, type FieldError } from "@knarr/apimachinery"
import { matchesNodeSelector, podResourceClaims } from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin } from "../framework/plugin.ts"
import { skip, unresolvable, type Status } from "../framework/status.ts"

type ResourceClaim = Readonly<resourceV1.ResourceClaim>

export interface DynamicResourcesArgs {
  /** Go's durations. How long an allocation may be looked for on a node: none is. */
  readonly filterTimeout: string
  /** How long devices may take to be ready for their pod: none are waited for. */
  readonly bindingTimeout: string
}

const claimsOfPod = stateKey<readonly ResourceClaim[]>("DynamicResources")
const notHere = unresolvable("resourceclaim not available on the node")
const inUse = unresolvable("resourceclaim in use")
/** The API's bound. */
const maxConsumers = 256

export const dynamicResources = definePlugin<DynamicResourcesArgs>({
  name: "DynamicResources",
  weight: 2,
  nothingToDoAt: ["postFilter", "reserve", "score"],
  defaultArgs: { filterTimeout: "10s", bindingTimeout: "10m0s" },
  argsTable: {
    DynamicResourcesArgs: {
      apiVersion: "string",
      bindingTimeout: "string",
      filterTimeout: "string",
      kind: "string",
    },
  },
  validateArgs,
  create({ informers, client }) {
    const claims = informers.informer(resourceClaim)

    /** The pod's claims, or why they cannot be used. */
    const claimsFor = (pod: Readonly<Pod>): readonly ResourceClaim[] | string => {
      const { namespace = "", name: podName, uid } = pod.metadata
      const found: ResourceClaim[] = []
      for (const wanted of pod.spec.resourceClaims ?? []) {
        const isOwn = wanted.resourceClaimName === undefined
        const made = pod.status.resourceClaimStatuses?.find(({ name }) => name === wanted.name)
        if (isOwn && !made)
          return `pod "${namespace}/${podName}", spec.resourceClaim ${JSON.stringify(wanted.name)}: ResourceClaim not created yet`
        const name = wanted.resourceClaimName ?? made!.resourceClaimName
        // Whoever makes claims may say that none is needed.
        if (name === undefined) continue
        const claim = claims.get({ namespace, name })
        if (!claim) return `resourceclaim ${JSON.stringify(name)} not found`
        if (claim.metadata.deletionTimestamp) return `resourceclaim ${JSON.stringify(name)} is being deleted`
        if (isOwn && controllerOf(claim)?.uid !== uid)
          return `ResourceClaim ${namespace}/${name} was not created for Pod ${namespace}/${podName} (Pod is not owner)`
        found.push(claim)
      }
      return found
    }

    return {
      eventsToRegister: () => [
        onEvent<resourceV1.ResourceClaim>(
          "resource.k8s.io/ResourceClaim",
          ActionType.Add | ActionType.Update,
          (pod, _old, now) =>
            now!.metadata.namespace === pod.metadata.namespace &&
            podResourceClaims(pod).has(now!.metadata.name)
              ? "Queue"
              : "QueueSkip",
        ),
        onEvent("TargetPod", ActionType.UpdatePodGeneratedResourceClaim),
        onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeLabel),
      ],

      preEnqueue(pod) {
        if (!pod.spec.resourceClaims?.length) return undefined
        const found = claimsFor(pod)
        return typeof found === "string" ? unresolvable(found) : undefined
      },

      preFilter(state, pod) {
        const found = claimsFor(pod)
        if (typeof found === "string") return unresolvable(found)
        if (found.length === 0) return skip
        for (const claim of found) {
          const refusal = refusalOf(claim, pod)
          if (refusal) return refusal
        }
        state.write(claimsOfPod, found)
        return undefined
      },

      filter(state, _pod, { node }) {
        for (const { status } of state.read(claimsOfPod)) {
          const selector = status?.allocation?.nodeSelector
          if (selector && !matchesNodeSelector(selector, node)) return notHere
        }
        return undefined
      },

      preBindPreFlight: (state, pod) =>
        (state.find(claimsOfPod) ?? []).every((claim) => isReservedFor(claim, pod)) ? skip : undefined,
      async preBind(state, pod, _nodeName, signal) {
        const { name, uid } = pod.metadata
        for (const claim of state.read(claimsOfPod)) {
          if (isReservedFor(claim, pod)) continue
          const reservedFor = [...(claim.status?.reservedFor ?? []), { resource: "pods", name, uid }]
          const reserved = { ...claim, status: { ...claim.status, reservedFor } }
          await client.update(resourceClaim, reserved, { subresource: "status", signal })
        }
        return undefined
      },
    }
  },
})

function refusalOf(claim: ResourceClaim, pod: Readonly<Pod>): Status | undefined {
  const { namespace, name } = claim.metadata
  if (!claim.status?.allocation)
    return unresolvable(
      `resourceclaim ${namespace}/${name} is not allocated, and no devices are allocated here`,
    )
  const isFull = (claim.status.reservedFor?.length ?? 0) >= maxConsumers
  return isFull && !isReservedFor(claim, pod) ? inUse : undefined
}

function isReservedFor({ status }: ResourceClaim, { metadata }: Readonly<Pod>): boolean {
  return status?.reservedFor?.some(({ uid }) => uid === metadata.uid) === true
}

function validateArgs(args: Readonly<DynamicResourcesArgs>, path: string): FieldError[] {
  const out: FieldError[] = []
  const check = (name: keyof DynamicResourcesArgs, leastMs: number, detail: string): void => {
    const text = args[name]
    try {
      if (parseGoDuration(text) >= leastMs) return
    } catch {
      return void out.push(field.invalid(field.child(path, name), text, "must be a duration"))
    }
    out.push(field.invalid(field.child(path, name), text, detail))
  }
  check("filterTimeout", 0, "must be zero or positive")
  check("bindingTimeout", 1000, "must be at least 1 second")
  return out
}
