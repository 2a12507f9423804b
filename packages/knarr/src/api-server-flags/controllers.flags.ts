/**
 * What the controllers, which are part of the server, are told: by kube-controller-manager's names.
 * Mirrors: cmd/kube-controller-manager/app/options
 */
import { type ControllersOptions, readControllerList } from "@knarr/controller-manager"
import { messageOf } from "@knarr/base"
import type { LeaderElectionOptions } from "@knarr/client"
import { UsageError } from "../cluster-home.ts"
import { GivenFlags, type FlagGroup, type FlagType, type FlagValues } from "./flag-group.ts"

/** How many keys at the same time, by flag. */
const syncs: Readonly<Record<string, string>> = {
  "concurrent-cron-job-syncs": "cronjob-controller",
  "concurrent-daemonset-syncs": "daemonset-controller",
  "concurrent-deployment-syncs": "deployment-controller",
  "concurrent-disruption-syncs": "disruption-controller",
  "concurrent-endpoint-syncs": "endpoints-controller",
  "concurrent-ephemeralvolume-syncs": "ephemeral-volume-controller",
  "concurrent-horizontal-pod-autoscaler-syncs": "horizontal-pod-autoscaler-controller",
  "concurrent-job-syncs": "job-controller",
  "concurrent-namespace-syncs": "namespace-controller",
  "concurrent-rc-syncs": "replicationcontroller-controller",
  "concurrent-replicaset-syncs": "replicaset-controller",
  "concurrent-resource-quota-syncs": "resourcequota-controller",
  "concurrent-service-endpoint-syncs": "endpointslice-controller",
  "concurrent-serviceaccount-token-syncs": "serviceaccount-token-controller",
  "concurrent-statefulset-syncs": "statefulset-controller",
  "concurrent-ttl-after-finished-syncs": "ttl-after-finished-controller",
  "concurrent-validating-admission-policy-status-syncs": "validatingadmissionpolicy-status-controller",
  "mirroring-concurrent-service-endpoint-syncs": "endpointslice-mirroring-controller",
}

const noTimes = "controllers see each change; nothing is looked at again after a time"
const noWire = "controllers are part of the server and have no connection to it"
const ownAuthority = "the cluster's own authority signs"
const noCloud = "there is no cloud provider"

const ownRecycler = "volumes are recycled by upstream's pod"

const refused: Readonly<Record<string, string>> = {
  "allocate-node-cidrs": "nodes always get a part of the pod network (--cluster-cidr)",
  "attach-detach-reconcile-sync-period": noTimes,
  "cidr-allocator-type": "there is one way to give nodes their part of the pod network",
  "cloud-config": noCloud,
  "cloud-provider": noCloud,
  "cluster-signing-cert-file": ownAuthority,
  "cluster-signing-key-file": ownAuthority,
  "cluster-signing-kube-apiserver-client-cert-file": ownAuthority,
  "cluster-signing-kube-apiserver-client-key-file": ownAuthority,
  "cluster-signing-kubelet-client-cert-file": ownAuthority,
  "cluster-signing-kubelet-client-key-file": ownAuthority,
  "cluster-signing-kubelet-serving-cert-file": ownAuthority,
  "cluster-signing-kubelet-serving-key-file": ownAuthority,
  "cluster-signing-legacy-unknown-cert-file": ownAuthority,
  "cluster-signing-legacy-unknown-key-file": ownAuthority,
  "configure-cloud-routes": noCloud,
  "disable-attach-detach-reconcile-sync": noTimes,
  "enable-hostpath-provisioner": "controllers have no node's files, in which they could make volumes",
  "enable-leader-migration": noCloud,
  "external-cloud-volume-plugin": noCloud,
  "flex-volume-plugin-dir": "there are no FlexVolume plugins",
  "kube-api-burst": noWire,
  "kube-api-content-type": noWire,
  "kube-api-qps": noWire,
  "leader-migration-config": noCloud,
  "min-resync-period": noTimes,
  "namespace-sync-period": noTimes,
  "pv-recycler-pod-template-filepath-hostpath": ownRecycler,
  "pv-recycler-pod-template-filepath-nfs": ownRecycler,
  "resource-quota-sync-period": noTimes,
  "root-ca-file": ownAuthority,
  "route-reconciliation-period": noCloud,
  "service-account-private-key-file": "tokens are signed and checked by the cluster's own key (sa.key)",
  "use-service-account-credentials": "each controller always acts as its own service account",
}

const texts = [
  "controllers",
  "horizontal-pod-autoscaler-cpu-initialization-period",
  "horizontal-pod-autoscaler-downscale-stabilization",
  "horizontal-pod-autoscaler-initial-readiness-delay",
  "horizontal-pod-autoscaler-sync-period",
  "horizontal-pod-autoscaler-tolerance",
  "large-cluster-size-threshold",
  "leader-elect-lease-duration",
  "leader-elect-renew-deadline",
  "leader-elect-resource-lock",
  "leader-elect-resource-name",
  "leader-elect-resource-namespace",
  "leader-elect-retry-period",
  "node-cidr-mask-size",
  "node-cidr-mask-size-ipv4",
  "node-cidr-mask-size-ipv6",
  "node-eviction-rate",
  "node-monitor-grace-period",
  "node-startup-grace-period",
  "pv-recycler-increment-timeout-nfs",
  "pv-recycler-minimum-timeout-hostpath",
  "pv-recycler-minimum-timeout-nfs",
  "pv-recycler-timeout-increment-hostpath",
  "pvclaimbinder-sync-period",
  "secondary-node-eviction-rate",
  "terminated-pod-gc-threshold",
]

export const controllersFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "disable-force-detach-on-timeout": "switch",
    "enable-dynamic-provisioning": "switch",
    "leader-elect": "switch",
    ...Object.fromEntries(
      [...texts, ...Object.keys(syncs), ...Object.keys(refused)].map(
        (name) => [name, "text" satisfies FlagType] as const,
      ),
    ),
  },
  read(given) {
    for (const [name, why] of Object.entries(refused))
      if (given.text(name) !== undefined) throw new UsageError(`--${name} can not be given here: ${why}`)
    read(given)
    elect(given)
    return {}
  },
})

/** What the flags say of the controllers. Throws a UsageError. */
export function controllersOptions(values: FlagValues): ControllersOptions {
  return read(new GivenFlags(values))
}

/** How controllers are elected where several servers share a store; undefined: each server runs its own. Throws a UsageError. */
export function controllersElection(
  values: FlagValues,
):
  | (Omit<LeaderElectionOptions, "client" | "env" | "identity" | "namespace"> & { namespace?: string })
  | undefined {
  return elect(new GivenFlags(values))
}

function read(given: GivenFlags): ControllersOptions {
  const mask = given.integer("node-cidr-mask-size")
  return present({
    controllers: listOf(given),
    workers: workersOf(given),
    autoscaler: present({
      syncPeriodMs: positiveMs(given, "horizontal-pod-autoscaler-sync-period"),
      downscaleStabilizationMs: given.durationMs("horizontal-pod-autoscaler-downscale-stabilization"),
      cpuInitializationMs: given.durationMs("horizontal-pod-autoscaler-cpu-initialization-period"),
      initialReadinessMs: given.durationMs("horizontal-pod-autoscaler-initial-readiness-delay"),
      tolerance: given.number("horizontal-pod-autoscaler-tolerance"),
    }),
    ...volumeOptions(given),
    nodeCIDRMaskSizeIPv4: given.integer("node-cidr-mask-size-ipv4") ?? mask,
    nodeCIDRMaskSizeIPv6: given.integer("node-cidr-mask-size-ipv6"),
    monitorGracePeriodMs: positiveMs(given, "node-monitor-grace-period"),
    startupGracePeriodMs: positiveMs(given, "node-startup-grace-period"),
    evictionRate: given.number("node-eviction-rate"),
    secondaryEvictionRate: given.number("secondary-node-eviction-rate"),
    largeClusterSizeThreshold: given.integer("large-cluster-size-threshold"),
    terminatedPodGCThreshold: given.integer("terminated-pod-gc-threshold"),
  }) as ControllersOptions
}

function volumeOptions(given: GivenFlags): Pick<ControllersOptions, "binder" | "attachDetach"> {
  const binder = present({
    resyncMs: positiveMs(given, "pvclaimbinder-sync-period"),
    dynamicProvisioning: given.switch("enable-dynamic-provisioning"),
    hostPathRecyclerSeconds: given.integer("pv-recycler-minimum-timeout-hostpath"),
    hostPathRecyclerSecondsPerGiB: given.integer("pv-recycler-timeout-increment-hostpath"),
    nfsRecyclerSeconds: given.integer("pv-recycler-minimum-timeout-nfs"),
    nfsRecyclerSecondsPerGiB: given.integer("pv-recycler-increment-timeout-nfs"),
  })
  const isForceOff = given.switch("disable-force-detach-on-timeout")
  return {
    ...(Object.keys(binder).length > 0 ? { binder } : {}),
    ...(isForceOff === undefined ? {} : { attachDetach: { forceDetachOnTimeout: !isForceOff } }),
  }
}

/** Without what is undefined: a default is taken for what is not there. */
function present<T extends object>(options: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Name in keyof T]?: NonNullable<T[Name]> }
}

function listOf(given: GivenFlags): readonly string[] | undefined {
  const list = given.list("controllers")
  try {
    return list && readControllerList(list.map((item) => item.trim()))
  } catch (thrown) {
    throw new UsageError(`--controllers: ${messageOf(thrown)}`)
  }
}

function workersOf(given: GivenFlags): ReadonlyMap<string, number> {
  const out = new Map<string, number>()
  for (const [flag, controller] of Object.entries(syncs)) {
    const count = given.integer(flag)
    if (count === undefined) continue
    if (count < 1) throw new UsageError(`--${flag} must be greater than 0, but got ${count}`)
    out.set(controller, count)
  }
  return out
}

function positiveMs(given: GivenFlags, flag: string): number | undefined {
  const ms = given.durationMs(flag)
  if (ms !== undefined && ms <= 0) throw new UsageError(`--${flag} must be greater than 0`)
  return ms
}

/** How much more than the retry period renewing may take. Mirrors: component-base config/validation (LeaderElection) */
const jitter = 1.2

function elect(given: GivenFlags): ReturnType<typeof controllersElection> {
  const leaseDurationMs = positiveMs(given, "leader-elect-lease-duration")
  const renewDeadlineMs = positiveMs(given, "leader-elect-renew-deadline")
  const retryPeriodMs = positiveMs(given, "leader-elect-retry-period")
  const lock = given.text("leader-elect-resource-lock")
  if (lock !== undefined && lock !== "leases")
    throw new UsageError('--leader-elect-resource-lock: resourceLock value must be "leases"')
  if ((renewDeadlineMs ?? 10_000) >= (leaseDurationMs ?? 15_000))
    throw new UsageError("--leader-elect-lease-duration: LeaseDuration must be greater than RenewDeadline")
  if ((retryPeriodMs ?? 2000) * jitter >= (renewDeadlineMs ?? 10_000))
    throw new UsageError(
      "--leader-elect-renew-deadline: RenewDeadline must be greater than RetryPeriod*JitterFactor",
    )
  if (given.switch("leader-elect") === false) return undefined
  return {
    name: given.text("leader-elect-resource-name") ?? "kube-controller-manager",
    ...present({
      namespace: given.text("leader-elect-resource-namespace"),
      leaseDurationMs,
      renewDeadlineMs,
      retryPeriodMs,
    }),
  }
}
