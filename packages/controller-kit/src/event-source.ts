/** Under which name a controller's events are reported (`source.component`), where it is not the controller's own. */
import { tableOf } from "@knarr/base"

const sources: Readonly<Record<string, string>> = tableOf({
  "replicationcontroller-controller": "replication-controller",
  "endpointslice-controller": "endpoint-slice-controller",
  "endpointslice-mirroring-controller": "endpoint-slice-mirroring-controller",
  "endpoints-controller": "endpoint-controller",
  "node-lifecycle-controller": "node-controller",
  "node-ipam-controller": "cidrAllocator",
  "disruption-controller": "controllermanager",
  "ephemeral-volume-controller": "ephemeral_volume",
  "persistentvolume-attach-detach-controller": "attachdetach-controller",
  "persistentvolume-binder-controller": "persistentvolume-controller",
  "persistentvolume-expander-controller": "volume_expand",
  "horizontal-pod-autoscaler-controller": "horizontal-pod-autoscaler",
})

/** Upstream's name for the source of a controller's events. */
export function eventSource(controllerName: string): string {
  return sources[controllerName] ?? controllerName
}
