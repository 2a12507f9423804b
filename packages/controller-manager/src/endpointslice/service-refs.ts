/** From pods and slices back to the services that they are about. */
import { service, type EndpointSlice, type Pod } from "@knarr/api"
import { refOf } from "@knarr/apimachinery"
import type { Ref } from "@knarr/client"
import type { Cache } from "@knarr/controller-kit"
import { managedByLabel, selects, serviceNameLabel } from "./endpoint-rules.ts"

/** The services whose selectors match the pod. */
export function servicesOf(pod: Pod, cache: Cache): readonly Ref[] {
  return cache
    .list(service, { namespace: pod.metadata.namespace })
    .filter((one) => selects(one, pod))
    .map(refOf)
}

/** The service (and Endpoints) that the slice belongs to; empty when somebody other than `manager` keeps it. */
export function serviceOfSlice({ metadata }: EndpointSlice, manager: string): readonly Ref[] {
  const name = metadata.labels?.[serviceNameLabel]
  if (!name || metadata.labels?.[managedByLabel] !== manager) return []
  return [{ namespace: metadata.namespace, name }]
}
