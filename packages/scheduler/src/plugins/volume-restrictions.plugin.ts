/** No two pods with a disk that only one may have. Mirrors: plugins/volumerestrictions */
import { persistentVolumeClaim, type PersistentVolumeClaim, type Pod, type Volume } from "@knarr/api"
import type { NodeInfo, PodInfo } from "../cache/node-info.ts"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { stateKey, type CycleState } from "../framework/cycle-state.ts"
import { definePlugin } from "../framework/plugin.ts"
import { skip, unresolvable, unschedulable } from "../framework/status.ts"
import { namedClaims } from "../volumes/pod-claims.ts"

interface Restrictions {
  /** Claims of the pod that one pod alone may use. */
  readonly exclusive: ReadonlySet<string>
  /** How often pods use them. */
  uses: number
}

const restrictions = stateKey<Restrictions>("PreFilterVolumeRestrictions", (own) => ({ ...own }))

const diskConflict = unschedulable("node(s) had no available disk")
const claimInUse = unschedulable(
  "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
)

export const volumeRestrictions = definePlugin({
  name: "VolumeRestrictions",
  create({ informers }) {
    const claims = informers.informer(persistentVolumeClaim)
    return {
      eventsToRegister: () => [
        onEvent<Pod>("AssignedPod", ActionType.Delete, (pod, old) => {
          if (old!.metadata.namespace !== pod.metadata.namespace) return "QueueSkip"
          if (hasConflict(pod, [old!])) return "Queue"
          const mine = new Set(namedClaims(pod))
          return namedClaims(old!).some((name) => mine.has(name)) ? "Queue" : "QueueSkip"
        }),
        onEvent("Node", ActionType.Add),
        onEvent<PersistentVolumeClaim>("PersistentVolumeClaim", ActionType.Add, (pod, _old, now) =>
          now!.metadata.namespace === pod.metadata.namespace && namedClaims(pod).includes(now!.metadata.name)
            ? "Queue"
            : "QueueSkip",
        ),
      ],

      preFilter(state, pod, nodes) {
        const exclusive = new Set<string>()
        for (const name of namedClaims(pod)) {
          const claim = claims.get({ namespace: pod.metadata.namespace!, name })
          if (!claim) return unresolvable(`persistentvolumeclaim ${JSON.stringify(name)} not found`)
          if (claim.spec.accessModes?.includes("ReadWriteOncePod")) exclusive.add(name)
        }
        const own: Restrictions = { exclusive, uses: 0 }
        if (exclusive.size > 0) own.uses = countUses(own, pod, nodes)
        if (own.uses === 0 && !(pod.spec.volumes ?? []).some(isDisk)) return skip
        state.write(restrictions, own)
        return undefined
      },
      addPod: (state, pod, added) => recount(state, pod, added, 1),
      removePod: (state, pod, removed) => recount(state, pod, removed, -1),

      filter(state, pod, node) {
        if (hasConflict(pod, podsOf(node))) return diskConflict
        return state.read(restrictions).uses > 0 ? claimInUse : undefined
      },
    }
  },
})

function* podsOf(node: NodeInfo): Iterable<Readonly<Pod>> {
  for (const { pod } of node.pods.values()) yield pod
}

function countUses(own: Restrictions, pod: Readonly<Pod>, nodes: readonly NodeInfo[]): number {
  let uses = 0
  for (const node of nodes) for (const other of podsOf(node)) uses += usesOf(own, pod, other)
  return uses
}

function usesOf({ exclusive }: Restrictions, pod: Readonly<Pod>, other: Readonly<Pod>): number {
  if (!other.spec.volumes || other.metadata.namespace !== pod.metadata.namespace) return 0
  return namedClaims(other).filter((name) => exclusive.has(name)).length
}

function recount(state: CycleState, pod: Readonly<Pod>, { pod: other }: PodInfo, by: number): undefined {
  const own = state.read(restrictions)
  own.uses += by * usesOf(own, pod, other)
  return undefined
}

function isDisk(volume: Volume): boolean {
  return Boolean(volume.gcePersistentDisk ?? volume.awsElasticBlockStore ?? volume.rbd ?? volume.iscsi)
}

function hasConflict(pod: Readonly<Pod>, others: Iterable<Readonly<Pod>>): boolean {
  const disks = (pod.spec.volumes ?? []).filter(isDisk)
  if (disks.length === 0) return false
  for (const other of others)
    for (const volume of other.spec.volumes ?? [])
      if (disks.some((disk) => conflict(disk, volume))) return true
  return false
}

/** The same disk, unless both only read it. */
function conflict(a: Volume, b: Volume): boolean {
  const bothRead = (
    one: { readOnly?: boolean | undefined },
    other: { readOnly?: boolean | undefined },
  ): boolean => one.readOnly === true && other.readOnly === true
  if (a.gcePersistentDisk && b.gcePersistentDisk)
    if (
      a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName &&
      !bothRead(a.gcePersistentDisk, b.gcePersistentDisk)
    )
      return true
  // Of these one pod alone may have it, to read even.
  if (a.awsElasticBlockStore && b.awsElasticBlockStore?.volumeID === a.awsElasticBlockStore.volumeID)
    return true
  if (a.iscsi && b.iscsi && a.iscsi.iqn === b.iscsi.iqn && !bothRead(a.iscsi, b.iscsi)) return true
  if (!a.rbd || !b.rbd || bothRead(a.rbd, b.rbd)) return false
  const monitors = new Set(a.rbd.monitors)
  return (
    b.rbd.monitors.some((monitor) => monitors.has(monitor)) &&
    (a.rbd.pool ?? "") === (b.rbd.pool ?? "") &&
    a.rbd.image === b.rbd.image
  )
}
