/** Defaults of the workload kinds. Mirrors: pkg/apis/apps/v1/defaults.go */
import { setClaimDefaults } from "../../core/v1/claim.defaults.ts"
import { setPodTemplateDefaults } from "../../core/v1/pod-spec.defaults.ts"
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from "./types.gen.ts"

export function setDeploymentDefaults({ spec }: Deployment): void {
  spec.replicas ??= 1
  spec.strategy ??= {}
  spec.strategy.type ||= "RollingUpdate"
  if (spec.strategy.type === "RollingUpdate") {
    const rolling = (spec.strategy.rollingUpdate ??= {})
    rolling.maxUnavailable ??= "25%"
    rolling.maxSurge ??= "25%"
  }
  spec.revisionHistoryLimit ??= 10
  spec.progressDeadlineSeconds ??= 600
  setPodTemplateDefaults((spec.template ??= emptyTemplate()))
}

export function setReplicaSetDefaults({ spec }: ReplicaSet): void {
  spec.replicas ??= 1
  setPodTemplateDefaults((spec.template ??= emptyTemplate()))
}

export function setDaemonSetDefaults({ spec }: DaemonSet): void {
  spec.updateStrategy ??= {}
  spec.updateStrategy.type ||= "RollingUpdate"
  if (spec.updateStrategy.type === "RollingUpdate") {
    const rolling = (spec.updateStrategy.rollingUpdate ??= {})
    rolling.maxUnavailable ??= 1
    rolling.maxSurge ??= 0
  }
  spec.revisionHistoryLimit ??= 10
  setPodTemplateDefaults((spec.template ??= emptyTemplate()))
}

export function setStatefulSetDefaults({ spec, status }: StatefulSet): void {
  status.replicas ??= 0
  status.availableReplicas ??= 0
  spec.podManagementPolicy ||= "OrderedReady"
  const strategy = (spec.updateStrategy ??= {})
  if (!strategy.type) {
    strategy.type = "RollingUpdate"
    strategy.rollingUpdate ??= {}
  }
  if (strategy.type === "RollingUpdate" && strategy.rollingUpdate) {
    strategy.rollingUpdate.partition ??= 0
    strategy.rollingUpdate.maxUnavailable ??= 1
  }
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {})
  retention.whenDeleted ||= "Retain"
  retention.whenScaled ||= "Retain"
  spec.replicas ??= 1
  spec.revisionHistoryLimit ??= 10
  spec.serviceName ??= ""
  setPodTemplateDefaults((spec.template ??= emptyTemplate()))
  for (const claim of spec.volumeClaimTemplates ?? []) {
    // Whatever is said: there is no type within upstream's internal one.
    claim.apiVersion = "v1"
    claim.kind = "PersistentVolumeClaim"
    setClaimDefaults(claim)
  }
}

function emptyTemplate(): Deployment["spec"]["template"] {
  return { metadata: {}, spec: { containers: [] } }
}
