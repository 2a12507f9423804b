/** Keeps the Endpoints of services. Mirrors: pkg/controller/endpoint */
import { endpoints, pod, service, type Endpoints, type Service } from "@knarr/api"
import {
  hasStatusCause,
  isAlreadyExists,
  isForbidden,
  isNotFound,
  refKey,
  refOf,
  semanticEqual,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import {
  allow,
  defineController,
  perRun,
  recordEvents,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { headlessLabel, isHeadless, selects, selectsPods } from "../endpointslice/endpoint-rules.ts"
import { servicesOf } from "../endpointslice/service-refs.ts"
import { withTriggerTime } from "../endpointslice/slices.ts"
import { TriggerTimes } from "../endpointslice/trigger-time.ts"
import { subsetsOf } from "./subsets.ts"

const overCapacityAnnotation = "endpoints.kubernetes.io/over-capacity"
const endpointsManagedByLabel = "endpoints.kubernetes.io/managed-by"
const endpointsManager = "endpoint-controller"

const triggerTimesOf = perRun(() => new TriggerTimes())

export const endpointsController: Controller = defineController<Service>({
  name: "endpoints-controller",
  queueName: "endpoint",
  aliases: ["endpoint"],
  serviceAccount: "endpoint-controller",
  rbac: [
    allow("", "services pods", "get list watch"),
    allow("", "endpoints", "get list watch create update delete"),
    allow("", "endpoints/restricted", "create"),
    recordEvents,
  ],
  for: service,
  watches: [
    { kind: pod, map: servicesOf },
    {
      kind: endpoints,
      // Endpoints that somebody made by hand, perhaps before the service, are theirs.
      map: (obj: Endpoints) =>
        obj.metadata.labels?.[endpointsManagedByLabel] === endpointsManager ? [refOf(obj)] : [],
    },
  ],
  async reconcile(ref, ctx) {
    const triggerTimes = triggerTimesOf(ctx)
    const svc = ctx.cache.get(service, ref)
    const present = ctx.cache.get(endpoints, ref)
    if (!svc) {
      triggerTimes.delete(refKey(ref))
      if (present) await remove(present, ctx)
      return
    }
    if (!selectsPods(svc)) return
    const pods = ctx.cache.list(pod, { namespace: ref.namespace }).filter((one) => selects(svc, one))
    const triggerTime = triggerTimes.next(refKey(ref), svc, pods)
    const { subsets, truncated } = subsetsOf(svc, pods)
    const labels: Record<string, string> = {
      ...svc.metadata.labels,
      [endpointsManagedByLabel]: endpointsManager,
    }
    if (isHeadless(svc)) labels[headlessLabel] = ""
    else delete labels[headlessLabel]
    const over = present?.metadata.annotations?.[overCapacityAnnotation] === "truncated"
    if (
      present &&
      over === truncated &&
      semanticEqual(present.subsets, subsets) &&
      semanticEqual(present.metadata.labels, labels)
    ) {
      return
    }
    const annotations = withTriggerTime(present?.metadata.annotations, triggerTime)
    if (truncated) annotations[overCapacityAnnotation] = "truncated"
    else delete annotations[overCapacityAnnotation]
    await write(svc, present, { labels, annotations, subsets }, ctx)
  },
})

async function write(
  svc: Service,
  present: Endpoints | undefined,
  next: Pick<Endpoints, "subsets"> & { labels: Record<string, string>; annotations: Record<string, string> },
  { client, signal, recorder }: ReconcileContext,
): Promise<void> {
  const { labels, annotations, subsets } = next
  try {
    if (present) {
      const metadata = { ...present.metadata, labels, annotations }
      await client.update(endpoints, { ...present, metadata, subsets }, { signal })
    } else {
      const { name, namespace } = svc.metadata
      await client.create(
        endpoints,
        { metadata: { name, namespace, labels, annotations }, subsets },
        { signal },
      )
    }
  } catch (thrown) {
    if (hasStatusCause(thrown, "NamespaceTerminating")) return
    if (signal.aborted || isAlreadyExists(thrown)) throw thrown
    const key = refKey(refOf(svc))
    const subject = present ?? svc
    if (!present || isForbidden(thrown)) {
      recorder.event(
        subject,
        "Warning",
        "FailedToCreateEndpoint",
        `Failed to create endpoint for service ${key}: ${messageOf(thrown)}`,
      )
    } else {
      recorder.event(
        subject,
        "Warning",
        "FailedToUpdateEndpoint",
        `Failed to update endpoint ${key}: ${messageOf(thrown)}`,
      )
    }
    throw thrown
  }
}

async function remove(present: Endpoints, { client, signal }: ReconcileContext): Promise<void> {
  try {
    await client.delete(endpoints, refOf(present), { signal })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}
