/** Mirrors hand-made Endpoints into EndpointSlices. Mirrors: pkg/controller/endpointslicemirroring */
import {
  endpoints,
  endpointSlice,
  service,
  type Endpoints,
  type EndpointSlice,
  type Service,
} from "@knarr/api"
import {
  hasStatusCause,
  isNotFound,
  newControllerRef,
  refKey,
  refOf,
  semanticEqual,
} from "@knarr/apimachinery"
import type { Ref } from "@knarr/client"
import {
  allow,
  defineController,
  Expectations,
  perRun,
  recordEvents,
  untilAborted,
  type Controller,
} from "@knarr/controller-kit"
import { serviceOfSlice } from "../endpointslice/service-refs.ts"
import { canonicalJson } from "../workload/template-hash.ts"
import { isMirrored, mirrorAnnotations, mirrorLabels, mirrorManager, mirrorSlices } from "./mirror.ts"

const expectationsOf = perRun((ctx) => new Expectations(ctx.clock))

const mirroredOf = (slice: EndpointSlice): readonly Ref[] => serviceOfSlice(slice, mirrorManager)

export const endpointSliceMirroringController: Controller = defineController<Endpoints>({
  name: "endpointslice-mirroring-controller",
  queueName: "endpoint_slice_mirroring",
  aliases: ["endpointslicemirroring"],
  serviceAccount: "endpointslicemirroring-controller",
  rbac: [
    allow("", "endpoints services", "get list watch"),
    allow("", "endpoints/finalizers services/finalizers", "update"),
    allow("discovery.k8s.io", "endpointslices", "get list watch create update delete"),
    recordEvents,
  ],
  for: endpoints,
  watches: [
    { kind: service, map: (obj: Service) => [refOf(obj)] },
    { kind: endpointSlice, map: mirroredOf },
  ],
  indexes: [
    {
      kind: endpointSlice,
      name: "mirroredEndpoints",
      fn: (obj: EndpointSlice) => mirroredOf(obj).map(refKey),
    },
  ],
  async reconcile(ref, ctx) {
    const { cache, client, signal } = ctx
    const expectations = expectationsOf(ctx)
    const key = refKey(ref)
    const source = cache.get(endpoints, ref)
    const svc = cache.get(service, ref)
    if (!source) expectations.delete(key)
    else if (!expectations.satisfied(key)) return
    const present = [...cache.byIndex(endpointSlice, "mirroredEndpoints", key)]
    present.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const wanted =
      source && svc && svc.spec.selector === undefined && isMirrored(source) ? mirrorSlices(source) : []
    const create = []
    for (const slice of wanted) {
      const at = present.findIndex(
        (one) =>
          one.addressType === slice.addressType &&
          canonicalJson(one.ports ?? []) === canonicalJson(slice.ports),
      )
      if (at < 0) {
        create.push(slice)
        continue
      }
      const [old] = present.splice(at, 1)
      const labels = mirrorLabels(source!)
      const annotations = mirrorAnnotations(source!)
      const same =
        semanticEqual(old!.endpoints, slice.endpoints) &&
        semanticEqual(old!.metadata.labels, labels) &&
        semanticEqual(old!.metadata.annotations, annotations)
      if (same) continue
      const metadata = { ...old!.metadata, labels, annotations }
      await client.update(endpointSlice, { ...old!, endpoints: slice.endpoints, metadata }, { signal })
    }
    expectations.expect(key, create.length)
    let pending = create.length
    try {
      for (const slice of create) {
        const metadata = {
          generateName: `${source!.metadata.name}-`,
          namespace: source!.metadata.namespace,
          labels: mirrorLabels(source!),
          annotations: mirrorAnnotations(source!),
          ownerReferences: [newControllerRef(source!, endpoints)],
        }
        await client.create(endpointSlice, { metadata, ...slice }, { signal })
        pending--
      }
    } catch (thrown) {
      for (; pending > 0; pending--) expectations.creationObserved(key)
      if (!hasStatusCause(thrown, "NamespaceTerminating")) throw thrown
    }
    for (const old of present) {
      try {
        await client.delete(endpointSlice, refOf(old), { signal })
      } catch (thrown) {
        if (!isNotFound(thrown)) throw thrown
      }
    }
  },
  async run(ctx) {
    const expectations = expectationsOf(ctx)
    using _subscription = ctx.informer(endpointSlice).subscribe({
      added(obj) {
        for (const key of mirroredOf(obj).map(refKey)) expectations.creationObserved(key)
      },
    })
    await untilAborted(ctx.signal)
  },
})
