/** The path of a pod's cgroup. Mirrors: pkg/kubelet/cm/pod_container_manager_linux.go */
import type { Pod } from "@knarr/api"
import { qosClassOf } from "./qos.ts"
import type { NodeSettings } from "./settings.ts"

export const qosCgroups = ["", "/burstable", "/besteffort"] as const

/** The cgroup over all pods. */
export function kubepodsCgroup(settings: NodeSettings): string {
  return `${settings.cgroupRoot}/kubepods`
}

export function podCgroup(settings: NodeSettings, pod: Readonly<Pod>): string {
  const qos = qosClassOf(pod)
  const level = qos === "Guaranteed" ? "" : `/${qos.toLowerCase()}`
  return `${kubepodsCgroup(settings)}${level}/pod${pod.metadata.uid}`
}

/** The pod's cgroup wherever its class has put it. */
export function possiblePodCgroups(settings: NodeSettings, uid: string): string[] {
  return qosCgroups.map((level) => `${kubepodsCgroup(settings)}${level}/pod${uid}`)
}
