/** Which kind is described how; each file is loaded when a kind of it is described. */
import { tableOf } from "@knarr/base"
import { describeGeneric } from "./generic.ts"
import type { Describer } from "./writer.ts"

const describers: Readonly<Record<string, () => Promise<Describer>>> = tableOf({
  Pod: async () => (await import("./pod.ts")).describePod,
  "Deployment.apps": async () => (await import("./workloads.ts")).describeDeployment,
  "ReplicaSet.apps": async () => (await import("./workloads.ts")).describeReplicaSet,
  ReplicationController: async () => (await import("./workloads.ts")).describeReplicationController,
  "DaemonSet.apps": async () => (await import("./workloads.ts")).describeDaemonSet,
  "StatefulSet.apps": async () => (await import("./workloads.ts")).describeStatefulSet,
  "Job.batch": async () => (await import("./jobs.ts")).describeJob,
  "CronJob.batch": async () => (await import("./jobs.ts")).describeCronJob,
  Node: async () => (await import("./node.ts")).describeNode,
  Service: async () => (await import("./services.ts")).describeService,
  Endpoints: async () => (await import("./services.ts")).describeEndpoints,
  "EndpointSlice.discovery.k8s.io": async () => (await import("./services.ts")).describeEndpointSlice,
  "Ingress.networking.k8s.io": async () => (await import("./network.ts")).describeIngress,
  "IngressClass.networking.k8s.io": async () => (await import("./network.ts")).describeIngressClass,
  "NetworkPolicy.networking.k8s.io": async () => (await import("./network-policy.ts")).describeNetworkPolicy,
  ConfigMap: async () => (await import("./config.ts")).describeConfigMap,
  Secret: async () => (await import("./config.ts")).describeSecret,
  ServiceAccount: async () => (await import("./config.ts")).describeServiceAccount,
  Namespace: async () => (await import("./quotas.ts")).describeNamespace,
  ResourceQuota: async () => (await import("./quotas.ts")).describeResourceQuota,
  LimitRange: async () => (await import("./quotas.ts")).describeLimitRange,
  "PriorityClass.scheduling.k8s.io": async () => (await import("./policies.ts")).describePriorityClass,
  "PodDisruptionBudget.policy": async () => (await import("./policies.ts")).describePdb,
  "HorizontalPodAutoscaler.autoscaling": async () => (await import("./autoscaler.ts")).describeAutoscaler,
  "Role.rbac.authorization.k8s.io": async () => (await import("./rbac.ts")).describeRole,
  "ClusterRole.rbac.authorization.k8s.io": async () => (await import("./rbac.ts")).describeRole,
  "RoleBinding.rbac.authorization.k8s.io": async () => (await import("./rbac.ts")).describeRoleBinding,
  "ClusterRoleBinding.rbac.authorization.k8s.io": async () => (await import("./rbac.ts")).describeRoleBinding,
  PersistentVolume: async () => (await import("./storage.ts")).describePersistentVolume,
  PersistentVolumeClaim: async () => (await import("./storage.ts")).describePersistentVolumeClaim,
  "IPAddress.networking.k8s.io": async () => (await import("./addresses.ts")).describeIPAddress,
  "ServiceCIDR.networking.k8s.io": async () => (await import("./addresses.ts")).describeServiceCIDR,
  "CSINode.storage.k8s.io": async () => (await import("./storage.ts")).describeCSINode,
  "VolumeAttributesClass.storage.k8s.io": async () =>
    (await import("./storage.ts")).describeVolumeAttributesClass,
  "StorageClass.storage.k8s.io": async () => (await import("./storage.ts")).describeStorageClass,
})

/** The describer of a kind. */
export async function describerFor(group: string, kind: string): Promise<Describer> {
  return (await describers[group ? `${kind}.${group}` : kind]?.()) ?? describeGeneric
}
