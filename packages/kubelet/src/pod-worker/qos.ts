/** The quality of service class of a pod. Mirrors: pkg/apis/core/v1/helper/qos/qos.go */
import type { Pod, ResourceRequirements } from "@knarr/api"
import { amountOf } from "@knarr/pod-rules"

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort"

const counted = ["cpu", "memory"]

/** What the API server says; of static pods, which it has never seen, what their resources say. */
export function qosClassOf(pod: Readonly<Pod>): QosClass {
  const known = pod.status.qosClass
  if (known) return known as QosClass
  const lists: readonly (ResourceRequirements | undefined)[] = pod.spec.resources
    ? [pod.spec.resources]
    : [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(({ resources }) => resources)
  const asks = (list: Readonly<Record<string, string>> | undefined, name: string): number =>
    list?.[name] === undefined ? 0 : amountOf(name, list[name])
  const any = lists.some((list) =>
    counted.some((name) => asks(list?.requests, name) > 0 || asks(list?.limits, name) > 0),
  )
  if (!any) return "BestEffort"
  const guaranteed = lists.every((list) =>
    counted.every((name) => {
      const limit = asks(list?.limits, name)
      return limit > 0 && (list?.requests?.[name] === undefined || asks(list.requests, name) === limit)
    }),
  )
  return guaranteed ? "Guaranteed" : "Burstable"
}
