/** Only nodes of the zone and region that the labels of the pod's volumes say. Mirrors: plugins/volumezone */
import {
  persistentVolume,
  persistentVolumeClaim,
  storageClass,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type StorageClass,
} from "@knarr/api"
import { storageClassNameOf } from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin } from "../framework/plugin.ts"
import { skip, Status, unresolvable } from "../framework/status.ts"
import { namedClaims } from "../volumes/pod-claims.ts"

interface Topology {
  readonly key: string
  readonly values: ReadonlySet<string>
}

const topologies = stateKey<readonly Topology[]>("PreFilterVolumeZone")
const refusal = unresolvable("node(s) had no available volume zone")

/** Label → what it is called today. */
const labels = new Map([
  ["failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"],
  ["failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"],
  ["topology.kubernetes.io/zone", "topology.kubernetes.io/zone"],
  ["topology.kubernetes.io/region", "topology.kubernetes.io/region"],
])

export const volumeZone = definePlugin({
  name: "VolumeZone",
  create({ informers }) {
    const claims = informers.informer(persistentVolumeClaim)
    const volumes = informers.informer(persistentVolume)
    const classes = informers.informer(storageClass)

    const topologiesFor = (pod: Readonly<Pod>): Topology[] | Status => {
      const found: Topology[] = []
      for (const name of namedClaims(pod)) {
        if (name === "") return unresolvable("PersistentVolumeClaim had no name")
        const claim = claims.get({ namespace: pod.metadata.namespace!, name })
        if (!claim) return unresolvable(`persistentvolumeclaim ${JSON.stringify(name)} not found`)
        const { volumeName } = claim.spec
        if (!volumeName) {
          const problem = problemOfUnbound(claim)
          if (problem) return problem
          continue
        }
        const volume = volumes.get({ name: volumeName })
        if (!volume) return unresolvable(`persistentvolume ${JSON.stringify(volumeName)} not found`)
        found.push(...topologiesOf(volume))
      }
      return found
    }

    /** Only what waits for its first pod may have no volume. */
    const problemOfUnbound = (claim: Readonly<PersistentVolumeClaim>): Status | undefined => {
      const name = storageClassNameOf(claim)
      if (name === "") return unresolvable("PersistentVolumeClaim had no pv name and storageClass name")
      const found = classes.get({ name })
      if (!found) return unresolvable(`storageclass.storage.k8s.io ${JSON.stringify(name)} not found`)
      if (found.volumeBindingMode === "WaitForFirstConsumer") return undefined
      return unresolvable("PersistentVolume had no name")
    }

    return {
      eventsToRegister: () => [
        onEvent<StorageClass>("storage.k8s.io/StorageClass", ActionType.Add, (_pod, _old, now) =>
          now!.volumeBindingMode === "WaitForFirstConsumer" ? "Queue" : "QueueSkip",
        ),
        onEvent("Node", ActionType.Add | ActionType.UpdateNodeLabel),
        onEvent<PersistentVolumeClaim>(
          "PersistentVolumeClaim",
          ActionType.Add | ActionType.Update,
          (pod, _old, now) =>
            now!.metadata.namespace === pod.metadata.namespace &&
            namedClaims(pod).includes(now!.metadata.name)
              ? "Queue"
              : "QueueSkip",
        ),
        onEvent<PersistentVolume>("PersistentVolume", ActionType.Add | ActionType.Update, (_pod, old, now) =>
          old && textOf(topologiesOf(old)) === textOf(topologiesOf(now!)) ? "QueueSkip" : "Queue",
        ),
      ],
      preFilter(state, pod) {
        const found = topologiesFor(pod)
        if (found instanceof Status) return found
        if (found.length === 0) return skip
        state.write(topologies, found)
        return undefined
      },
      filter(state, _pod, node) {
        // In a cluster of one zone nodes may have no labels at all.
        if (![...labels.keys()].some((label) => node.labels[label] !== undefined)) return undefined
        for (const { key, values } of state.read(topologies)) {
          const value = node.labels[key] ?? node.labels[labels.get(key)!]
          if (value === undefined || !values.has(value)) return refusal
        }
        return undefined
      },
    }
  },
})

/** Several zones have two underscores between them. Mirrors: component-helpers node/topology, cloud-provider volume/helpers/zones.go (LabelZonesToSet) */
function topologiesOf({ metadata }: Readonly<PersistentVolume>): Topology[] {
  return [...labels.keys()].flatMap((key) => {
    const values = metadata.labels?.[key]?.split("__").map((value) => value.trim())
    return values && !values.includes("") ? [{ key, values: new Set(values) }] : []
  })
}

function textOf(found: readonly Topology[]): string {
  return JSON.stringify(found.map(({ key, values }) => [key, [...values].sort()]))
}
