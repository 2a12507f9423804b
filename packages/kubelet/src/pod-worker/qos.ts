/** The quality of service class that a node goes by. Mirrors: pkg/apis/core/v1/helper/qos/qos.go */
import { qosClassOf as classOfSpec, type Pod, type QosClass } from "@knarr/api"

export type { QosClass }

/** What the API server says; of static pods, which it has never seen, what their resources say. */
export function qosClassOf(pod: Readonly<Pod>): QosClass {
  return (pod.status.qosClass as QosClass | undefined) ?? classOfSpec(pod)
}
