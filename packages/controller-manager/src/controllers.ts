/** The list of controllers, in the order in which they start. */
import type { KeyPair } from "@knarr/base"
import type { Controller } from "@knarr/controller-kit"
import {
  type AttachDetachOptions,
  createAttachDetachController,
} from "./attach-detach/attach-detach.controller.ts"
import { bootstrapSignerController } from "./bootstrap-token/bootstrap-signer.controller.ts"
import { tokenCleanerController } from "./bootstrap-token/token-cleaner.controller.ts"
import {
  csrCleanerController,
  podCertificateRequestCleanerController,
} from "./certificates/cleaners.controller.ts"
import { csrApprovingController } from "./certificates/csr-approving.controller.ts"
import { createCSRSigningController } from "./certificates/csr-signing.controller.ts"
import { isControllerEnabled } from "./controller-names.ts"
import { createTrustBundlePublisher } from "./certificates/trust-bundle-publisher.controller.ts"
import { clusterRoleAggregationController } from "./clusterrole-aggregation/clusterrole-aggregation.controller.ts"
import { cronJobController } from "./cronjob/cronjob.controller.ts"
import { daemonSetController } from "./daemonset/daemonset.controller.ts"
import { deploymentController } from "./deployment/deployment.controller.ts"
import { disruptionController } from "./disruption/disruption.controller.ts"
import { endpointsController } from "./endpoints/endpoints.controller.ts"
import { endpointSliceMirroringController } from "./endpointslice-mirroring/endpointslice-mirroring.controller.ts"
import { endpointSliceController } from "./endpointslice/endpointslice.controller.ts"
import { ephemeralVolumeController } from "./ephemeral-volume/ephemeral-volume.controller.ts"
import { garbageCollector } from "./garbage-collector/garbage-collector.controller.ts"
import { jobController } from "./job/job.controller.ts"
import { namespaceController } from "./namespace/namespace.controller.ts"
import { createNodeIpamController } from "./node-ipam/node-ipam.controller.ts"
import {
  createNodeLifecycleController,
  type NodeLifecycleOptions,
} from "./node-lifecycle/node-lifecycle.controller.ts"
import type { BinderOptions } from "./persistentvolume/binder-options.ts"
import { createPersistentVolumeBinder } from "./persistentvolume/persistentvolume-binder.controller.ts"
import {
  createAutoscalerController,
  type AutoscalerOptions,
} from "./podautoscaler/horizontalpodautoscaler.controller.ts"
import { createPodGCController } from "./pod-gc/pod-gc.controller.ts"
import { replicaSetController } from "./replicaset/replicaset.controller.ts"
import { replicationControllerController } from "./replicationcontroller/replicationcontroller.controller.ts"
import { resourceQuotaController } from "./resourcequota/resourcequota.controller.ts"
import { createRootCACertPublisher } from "./root-ca-cert-publisher/root-ca-cert-publisher.controller.ts"
import { legacyTokenCleanerController } from "./serviceaccount/legacy-token-cleaner.controller.ts"
import { serviceCIDRsController } from "./servicecidrs/servicecidrs.controller.ts"
import { serviceAccountController } from "./serviceaccount/serviceaccount.controller.ts"
import { createTokensController, type TokensOptions } from "./serviceaccount/tokens.controller.ts"
import { statefulSetController } from "./statefulset/statefulset.controller.ts"
import { storageVersionMigratorController } from "./storage-version-migrator/storage-version-migrator.controller.ts"
import { taintEvictionController } from "./taint-eviction/taint-eviction.controller.ts"
import { validatingAdmissionPolicyStatusController } from "./validatingadmissionpolicy-status/validatingadmissionpolicy-status.controller.ts"
import { pvProtectionController } from "./volume-protection/pv-protection.controller.ts"
import { pvcProtectionController } from "./volume-protection/pvc-protection.controller.ts"
import { volumeExpandController } from "./volume-expand/volume-expand.controller.ts"
import { vacProtectionController } from "./volume-protection/vac-protection.controller.ts"
import { ttlController } from "./ttl/ttl.controller.ts"
import { ttlAfterFinishedController } from "./ttl-after-finished/ttl-after-finished.controller.ts"

/** What a cluster's controllers have to be told. */
export interface ControllersOptions extends NodeLifecycleOptions {
  /** The certificate authority of the API server, PEM. Absent: nobody publishes it. */
  readonly rootCA?: string | undefined
  /** Signs certificates for those who ask for one and are approved. Absent: nobody does. */
  readonly signingCA?: KeyPair | undefined
  /** Signs service account tokens for Secrets that ask for one. Absent: such Secrets stay as they are. */
  readonly signToken?: TokensOptions["sign"] | undefined
  /** Whether bootstrap tokens count: those whose time is over go, and the others sign `cluster-info`. Default false. */
  readonly bootstrapTokens?: boolean | undefined
  /** The pod network: one network or one of each family, separated by a comma. Absent: nodes get no part of one. */
  readonly clusterCIDR?: string | undefined
  /** Networks of Service addresses, as in `clusterCIDR`: nodes get no part of these. */
  readonly serviceCIDR?: string | undefined
  /** Length of a node's part of an IPv4 pod network. Default 24. */
  readonly nodeCIDRMaskSizeIPv4?: number | undefined
  /** Default 64. */
  readonly nodeCIDRMaskSizeIPv6?: number | undefined
  /** A node that shows no sign of life for so long is not ready. Default 50,000. */
  readonly nodeMonitorGracePeriodMs?: number | undefined
  /** Pods that have ended beyond this number are deleted. Default 12,500; 0 keeps all. */
  readonly terminatedPodGCThreshold?: number | undefined
  readonly autoscaler?: AutoscalerOptions | undefined
  readonly binder?: BinderOptions | undefined
  readonly attachDetach?: AttachDetachOptions | undefined
  /** Which controllers run, as {@link readControllerList} answers. Default: `*`. */
  readonly controllers?: readonly string[] | undefined
  /** How many keys a controller works on at the same time, by its name. Default: as the controller has it. */
  readonly workers?: ReadonlyMap<string, number> | undefined
}

function list(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
}

/** On where they have something to do, and not by `*` alone. */
const bootstrapping: ReadonlySet<string> = new Set([
  bootstrapSignerController.name,
  tokenCleanerController.name,
])

/** The controllers of a cluster. Throws when one is asked for that there is none of. */
export function createControllers(options: ControllersOptions = {}): readonly Controller[] {
  const { controllers: list = ["*"], workers = new Map<string, number>(), bootstrapTokens = false } = options
  const all = everyController(options)
  const missing = list.find((item) => !/^[*-]/.test(item) && !all.some(({ name }) => name === item))
  if (missing !== undefined)
    throw new Error(`Cannot run the controller ${JSON.stringify(missing)}: there is none here`)
  return Object.freeze(
    all
      .filter(({ name }) => isControllerEnabled(name, list, bootstrapTokens || !bootstrapping.has(name)))
      .map((controller) => {
        const wanted = workers.get(controller.name)
        return wanted === undefined ? controller : Object.freeze({ ...controller, workers: wanted })
      }),
  )
}

function everyController(options: ControllersOptions): readonly Controller[] {
  const { nodeMonitorGracePeriodMs, nodeCIDRMaskSizeIPv4, nodeCIDRMaskSizeIPv6, terminatedPodGCThreshold } =
    options
  const nodeLifecycle: NodeLifecycleOptions =
    nodeMonitorGracePeriodMs === undefined
      ? options
      : { ...options, monitorGracePeriodMs: nodeMonitorGracePeriodMs }
  return [
    serviceAccountController,
    ...(options.rootCA === undefined ? [] : [createRootCACertPublisher(options.rootCA)]),
    ...(options.rootCA ? [createTrustBundlePublisher(options.rootCA)] : []),
    ...(options.signingCA ? [createCSRSigningController(options.signingCA)] : []),
    csrApprovingController,
    csrCleanerController,
    podCertificateRequestCleanerController,
    ...(options.signToken
      ? [createTokensController({ sign: options.signToken, rootCA: options.rootCA })]
      : []),
    legacyTokenCleanerController,
    bootstrapSignerController,
    tokenCleanerController,
    clusterRoleAggregationController,
    namespaceController,
    garbageCollector,
    ...(options.clusterCIDR
      ? [
          createNodeIpamController({
            clusterCIDRs: list(options.clusterCIDR),
            serviceCIDRs: list(options.serviceCIDR),
            ...(nodeCIDRMaskSizeIPv4 === undefined ? {} : { nodeMaskIPv4: nodeCIDRMaskSizeIPv4 }),
            ...(nodeCIDRMaskSizeIPv6 === undefined ? {} : { nodeMaskIPv6: nodeCIDRMaskSizeIPv6 }),
          }),
        ]
      : []),
    createNodeLifecycleController(nodeLifecycle),
    taintEvictionController,
    ttlController,
    serviceCIDRsController,
    createPodGCController(
      terminatedPodGCThreshold === undefined ? {} : { terminatedPodThreshold: terminatedPodGCThreshold },
    ),
    endpointsController,
    endpointSliceController,
    endpointSliceMirroringController,
    deploymentController,
    replicaSetController,
    replicationControllerController,
    daemonSetController,
    statefulSetController,
    jobController,
    cronJobController,
    ttlAfterFinishedController,
    createPersistentVolumeBinder(options.binder),
    createAttachDetachController(options.attachDetach),
    ephemeralVolumeController,
    volumeExpandController,
    pvcProtectionController,
    pvProtectionController,
    vacProtectionController,
    createAutoscalerController(options.autoscaler),
    disruptionController,
    resourceQuotaController,
    validatingAdmissionPolicyStatusController,
    storageVersionMigratorController,
  ]
}
