/** No more volumes of a CSI driver on a node than the node says it can attach. Mirrors: plugins/nodevolumelimits/csi.go */
import {
  csiDriver,
  csiNode,
  persistentVolume,
  persistentVolumeClaim,
  storageClass,
  volumeAttachment,
  type CSINode,
  type PersistentVolumeClaim,
  type Pod,
} from "@knarr/api"
import { storageClassNameOf } from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin, type Handle } from "../framework/plugin.ts"
import { skip, unresolvable, unschedulable, type Status } from "../framework/status.ts"
import { afterClaimChange, claimsOf, ownershipProblem } from "../volumes/pod-claims.ts"

/** Volumes by a name of their own → driver. */
type VolumesOfDrivers = Map<string, string>

interface Wanted {
  readonly volumes: ReadonlyMap<string, string>
  /** A claim of the pod is missing: no node can be judged. */
  readonly refusal?: Status
}

const wantedVolumes = stateKey<Wanted>("PreFilterNodeVolumeLimits")
const tooMany = unschedulable("node(s) exceed max volume count")
const nodeIndex = "spec.nodeName"

export const nodeVolumeLimits = definePlugin({
  name: "NodeVolumeLimits",
  create(handle) {
    const { informers } = handle
    const nodes = informers.informer(csiNode)
    const drivers = informers.informer(csiDriver)
    const attachments = informers.informer(volumeAttachment)
    const volumes = informers.informer(persistentVolume)
    attachments.addIndex(nodeIndex, ({ spec }) => [spec.nodeName])
    const lookUp = createLookUp(handle)

    const isMissing = (driver: string, node: Readonly<CSINode> | undefined): boolean =>
      drivers.get({ name: driver })?.spec.preventPodSchedulingIfMissing === true &&
      node?.spec.drivers.some(({ name }) => name === driver) !== true

    /** What is attached to the node, or being detached. */
    const attachedTo = (nodeName: string): VolumesOfDrivers => {
      const found: VolumesOfDrivers = new Map()
      for (const { spec } of attachments.byIndex(nodeIndex, nodeName)) {
        const name = spec.source.persistentVolumeName
        const source = name === undefined ? undefined : volumes.get({ name })?.spec.csi
        if (source && spec.attacher) found.set(`${spec.attacher}/${source.volumeHandle}`, spec.attacher)
      }
      return found
    }

    return {
      eventsToRegister: () => [
        onEvent("storage.k8s.io/CSINode", ActionType.Add),
        onEvent<CSINode>("storage.k8s.io/CSINode", ActionType.Update, (_pod, old, now) => {
          const before = limitsOf(old)
          return [...limitsOf(now)].some(([driver, limit]) => limit > (before.get(driver) ?? 0))
            ? "Queue"
            : "QueueSkip"
        }),
        onEvent<Pod>("AssignedPod", ActionType.Delete, (_pod, old) =>
          claimsOf(old!).length > 0 ? "Queue" : "QueueSkip",
        ),
        onEvent("PersistentVolumeClaim", ActionType.Add, afterClaimChange),
        onEvent("storage.k8s.io/VolumeAttachment", ActionType.Delete, (pod) =>
          pod.spec.volumes?.some(({ persistentVolumeClaim: claim }) => claim) ? "Queue" : "QueueSkip",
        ),
      ],

      preFilter(state, pod) {
        if (claimsOf(pod).length === 0) return skip
        const found: VolumesOfDrivers = new Map()
        const missing = lookUp(pod, found)
        state.write(wantedVolumes, {
          volumes: found,
          ...(missing === undefined ? {} : { refusal: unresolvable(missing) }),
        })
        return undefined
      },

      filter(state, _pod, node) {
        const wanted = state.read(wantedVolumes)
        if (wanted.refusal) return wanted.refusal
        if (wanted.volumes.size === 0) return undefined
        const found = nodes.get({ name: node.name })
        for (const driver of wanted.volumes.values())
          if (isMissing(driver, found))
            return unschedulable(`${driver} CSI driver is not installed on the node`)
        const limits = limitsOf(found)
        if (limits.size === 0) return undefined
        const here: VolumesOfDrivers = new Map()
        for (const { pod: other } of node.pods.values()) if (other.spec.volumes) lookUp(other, here)
        const counts = new Map<string, number>()
        const count = (driver: string): void => void counts.set(driver, (counts.get(driver) ?? 0) + 1)
        for (const driver of here.values()) count(driver)
        for (const [volume, driver] of attachedTo(node.name)) if (!here.has(volume)) count(driver)
        const more = new Set<string>()
        for (const [volume, driver] of wanted.volumes)
          if (!here.has(volume)) {
            count(driver)
            more.add(driver)
          }
        for (const driver of more)
          if (counts.get(driver)! > (limits.get(driver) ?? Number.POSITIVE_INFINITY)) return tooMany
        return undefined
      },
    }
  },
})

/** Driver → how many volumes the node can have; drivers that say nothing are left out. */
function limitsOf(node: Readonly<CSINode> | undefined): ReadonlyMap<string, number> {
  const limits = new Map<string, number>()
  for (const { name, allocatable } of node?.spec.drivers ?? [])
    if (allocatable?.count !== undefined) limits.set(name, allocatable.count)
  return limits
}

/** Adds the pod's volumes of CSI drivers, as far as its claims are known. The answer says which one is missing. */
function createLookUp({
  informers,
}: Handle): (pod: Readonly<Pod>, into: VolumesOfDrivers) => string | undefined {
  const claims = informers.informer(persistentVolumeClaim)
  const volumes = informers.informer(persistentVolume)
  const classes = informers.informer(storageClass)
  const ofClaim = (claim: Readonly<PersistentVolumeClaim>): [volume: string, driver: string] | undefined => {
    const volume = claim.spec.volumeName ? volumes.get({ name: claim.spec.volumeName }) : undefined
    if (volume) {
      const source = volume.spec.csi
      return source && [`${source.driver}/${source.volumeHandle}`, source.driver]
    }
    // What is yet to be made counts by its claim.
    const className = storageClassNameOf(claim)
    const driver = className === "" ? undefined : classes.get({ name: className })?.provisioner
    return driver ? [`${driver}/claim ${claim.metadata.namespace}/${claim.metadata.name}`, driver] : undefined
  }
  return (pod, into) => {
    let missing: string | undefined
    for (const { name, isEphemeral } of claimsOf(pod)) {
      const namespace = pod.metadata.namespace!
      const claim = claims.get({ namespace, name })
      if (!claim) {
        const quoted = JSON.stringify(name)
        missing ??= `looking up PVC ${namespace}/${name}: persistentvolumeclaim ${quoted} not found`
        continue
      }
      if (isEphemeral && ownershipProblem(pod, claim)) continue
      const found = ofClaim(claim)
      if (found) into.set(...found)
    }
    return missing
  }
}
