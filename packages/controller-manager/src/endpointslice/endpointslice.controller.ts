/** Keeps the EndpointSlices of services. Mirrors: pkg/controller/endpointslice */
import { endpointSlice, node, pod, service, type EndpointSlice, type Node, type Service } from "@knarr/api"
import { hasStatusCause, isNotFound, newControllerRef, refKey, refOf } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { Ref } from "@knarr/client"
import {
  allow,
  defineController,
  Expectations,
  perRun,
  recordEvents,
  untilAborted,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { podNodeIndex } from "../workload/pod-indexes.ts"
import { selects, selectsPods } from "./endpoint-rules.ts"
import { serviceOfSlice, servicesOf } from "./service-refs.ts"
import { managedBy, planSlices, sliceLabels, withTriggerTime, type SlicePlan } from "./slices.ts"
import { TriggerTimes } from "./trigger-time.ts"

const stateOf = perRun((ctx) => ({
  expectations: new Expectations(ctx.clock),
  triggerTimes: new TriggerTimes(),
}))

const serviceOf = (slice: EndpointSlice): readonly Ref[] => serviceOfSlice(slice, managedBy)

export const endpointSliceController: Controller = defineController<Service>({
  name: "endpointslice-controller",
  queueName: "endpoint_slice",
  aliases: ["endpointslice"],
  serviceAccount: "endpointslice-controller",
  rbac: [
    allow("", "services pods nodes", "get list watch"),
    allow("", "services/finalizers", "update"),
    allow("discovery.k8s.io", "endpointslices", "get list watch create update delete"),
    recordEvents,
  ],
  for: service,
  watches: [
    { kind: pod, map: servicesOf },
    { kind: endpointSlice, map: serviceOf },
  ],
  reads: [node],
  indexes: [
    podNodeIndex,
    {
      kind: endpointSlice,
      name: "managedService",
      fn: (obj: EndpointSlice) => serviceOf(obj).map(refKey),
    },
  ],
  async reconcile(ref, ctx) {
    const { expectations, triggerTimes } = stateOf(ctx)
    const key = refKey(ref)
    const svc = ctx.cache.get(service, ref)
    if (!svc) {
      expectations.delete(key)
      triggerTimes.delete(key)
      return
    }
    if (!selectsPods(svc) || svc.metadata.deletionTimestamp) return
    // A slice of ours is not in the cache yet; its event wakes us again.
    if (!expectations.satisfied(key)) return
    const pods = ctx.cache.list(pod, { namespace: ref.namespace }).filter((one) => selects(svc, one))
    pods.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const present = [...ctx.cache.byIndex(endpointSlice, "managedService", key)]
    present.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const plan = planSlices({
      service: svc,
      pods,
      present: present.filter((slice) => !slice.metadata.deletionTimestamp),
      nodeOf: (name) => ctx.cache.get(node, { name }),
    })
    await perform(svc, key, plan, triggerTimes.next(key, svc, pods), expectations, ctx)
  },
  async run(ctx) {
    const { expectations } = stateOf(ctx)
    const zone = ({ metadata }: Node): string | undefined => metadata.labels?.["topology.kubernetes.io/zone"]
    const changed = (one: Node): void => {
      for (const obj of ctx.cache.byIndex(pod, podNodeIndex.name, one.metadata.name)) {
        for (const svc of ctx.cache.list(service, { namespace: obj.metadata.namespace })) {
          if (selects(svc, obj)) ctx.enqueue(refOf(svc))
        }
      }
    }
    using _nodes = ctx.informer(node).subscribe({
      added: changed,
      deleted: changed,
      updated(obj, old) {
        if (zone(obj) !== zone(old)) changed(obj)
      },
    })
    using _subscription = ctx.informer(endpointSlice).subscribe({
      added(obj) {
        for (const key of serviceOf(obj).map(refKey)) expectations.creationObserved(key)
      },
    })
    await untilAborted(ctx.signal)
  },
})

async function perform(
  svc: Service,
  key: string,
  plan: SlicePlan,
  triggerTime: string | undefined,
  expectations: Expectations,
  { client, signal, recorder }: ReconcileContext,
): Promise<void> {
  const failed = (what: string, thrown: unknown): void => {
    if (signal.aborted) return
    const message = `Error updating Endpoint Slices for Service ${svc.metadata.namespace}/${svc.metadata.name}: failed to ${what}: ${messageOf(thrown)}`
    recorder.event(svc, "Warning", "FailedToUpdateEndpointSlices", message)
  }
  expectations.expect(key, plan.create.length)
  let pending = plan.create.length
  try {
    for (const { addressType, ports, endpoints } of plan.create) {
      const metadata = {
        generateName: `${svc.metadata.name}-`,
        namespace: svc.metadata.namespace,
        labels: sliceLabels(svc),
        annotations: withTriggerTime(undefined, triggerTime),
        ownerReferences: [newControllerRef(svc, service)],
      }
      await client.create(endpointSlice, { metadata, addressType, ports, endpoints }, { signal })
      pending--
    }
  } catch (thrown) {
    for (; pending > 0; pending--) expectations.creationObserved(key)
    if (hasStatusCause(thrown, "NamespaceTerminating")) return
    failed(`create EndpointSlice for Service ${svc.metadata.namespace}/${svc.metadata.name}`, thrown)
    throw thrown
  }
  for (const slice of plan.update) {
    const annotations = withTriggerTime(slice.metadata.annotations, triggerTime)
    try {
      await client.update(
        endpointSlice,
        { ...slice, metadata: { ...slice.metadata, annotations } },
        { signal },
      )
    } catch (thrown) {
      failed(
        `update EndpointSlice ${slice.metadata.name} for Service ${svc.metadata.namespace}/${svc.metadata.name}`,
        thrown,
      )
      throw thrown
    }
  }
  for (const slice of plan.delete) {
    try {
      await client.delete(endpointSlice, refOf(slice), { signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }
}
