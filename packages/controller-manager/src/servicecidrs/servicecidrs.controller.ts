/** Keeps a range for services until no Service has an address of it alone. Mirrors: pkg/controller/servicecidrs */
import { ipAddress, serviceCIDR, type IPAddress, type ServiceCIDR } from "@knarr/api"
import { findCondition, formatTime, isNotFound, parseTime, refOf } from "@knarr/apimachinery"
import {
  allow,
  defineController,
  recordEvents,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { canBeDeleted, containing, overlapping } from "./networks.ts"

const finalizer = "networking.k8s.io/service-cidr-finalizer"
/** So long servers may not have heard yet that the range is going, and give addresses of it. */
const graceMs = 10_000

interface Ready {
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

const ready: Ready = { status: "True", reason: "", message: "Kubernetes Service CIDR is ready" }
const blocked: Ready = {
  status: "False",
  reason: "Terminating",
  message:
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
}

export const serviceCIDRsController: Controller = defineController<ServiceCIDR>({
  name: "service-cidr-controller",
  queueName: "ipaddresses",
  serviceAccount: "service-cidrs-controller",
  rbac: [
    allow("networking.k8s.io", "servicecidrs", "get list patch update watch"),
    allow("networking.k8s.io", "servicecidrs/status", "patch update"),
    allow("networking.k8s.io", "ipaddresses", "get list watch"),
    recordEvents,
  ],
  for: serviceCIDR,
  watches: [
    {
      kind: serviceCIDR,
      map: (obj: ServiceCIDR, cache) => overlapping(obj, cache.list(serviceCIDR)).map(refOf),
    },
    {
      kind: ipAddress,
      map: (obj: IPAddress, cache) => containing(obj, cache.list(serviceCIDR)).map(refOf),
    },
  ],
  async reconcile(ref, ctx) {
    const { cache, clock, recorder } = ctx
    const found = cache.get(serviceCIDR, ref)
    if (!found) return undefined
    const { deletionTimestamp, finalizers = [] } = found.metadata
    if (!deletionTimestamp) {
      if (!finalizers.includes(finalizer)) await patchFinalizers(found, { finalizers: [finalizer] }, ctx)
      try {
        await setReady(found, ready, ctx)
      } catch (thrown) {
        if (!ctx.signal.aborted)
          recorder.event(
            found,
            "Warning",
            "KubernetesServiceCIDRError",
            "The ServiceCIDR Status can not be set to Ready=True",
          )
        throw thrown
      }
      return undefined
    }
    if (!canBeDeleted(found, cache.list(serviceCIDR), cache.list(ipAddress))) {
      await setReady(found, blocked, ctx)
      return undefined
    }
    const waitMs = parseTime(deletionTimestamp) + graceMs - clock.now()
    if (waitMs > 0) return { afterMs: waitMs }
    if (finalizers.includes(finalizer))
      await patchFinalizers(found, { "$deleteFromPrimitiveList/finalizers": [finalizer] }, ctx)
    return undefined
  },
})

async function patchFinalizers(
  { metadata }: Readonly<ServiceCIDR>,
  change: object,
  { client, signal }: ReconcileContext,
): Promise<void> {
  try {
    await client.patch(serviceCIDR, { name: metadata.name }, "strategic", { metadata: change }, { signal })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}

async function setReady(
  { metadata, status }: Readonly<ServiceCIDR>,
  wanted: Ready,
  { client, clock, signal }: ReconcileContext,
): Promise<void> {
  const present = findCondition(status?.conditions, "Ready")
  if (
    present?.status === wanted.status &&
    present.reason === wanted.reason &&
    present.message === wanted.message
  )
    return
  const { apiVersion, kind } = serviceCIDR
  const condition = { type: "Ready", ...wanted, lastTransitionTime: formatTime(clock.now()) }
  await client.patch(
    serviceCIDR,
    { name: metadata.name },
    "apply",
    { apiVersion, kind, metadata: { name: metadata.name }, status: { conditions: [condition] } },
    { subresource: "status", fieldManager: "service-cidr-controller", force: true, signal },
  )
}
