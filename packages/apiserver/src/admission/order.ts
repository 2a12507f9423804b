/** Every admission plugin, in the order in which they run. Mirrors: pkg/kubeapiserver/options/plugins.go */
import type { AdmissionPlugin } from "../contract.ts"
import { alwaysAdmit, alwaysDeny } from "./always.admission.ts"
import {
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  clusterTrustBundleAttest,
} from "./certificates.admission.ts"
import { defaultIngressClass } from "./default-ingress-class.admission.ts"
import { defaultTolerationSeconds } from "./default-toleration-seconds.admission.ts"
import { denyServiceExternalIPs } from "./deny-service-external-ips.admission.ts"
import { eventRateLimit } from "./event-rate-limit.admission.ts"
import { imagePolicyWebhook } from "./image-policy.admission.ts"
import { limitRanger } from "./limit-ranger.admission.ts"
import { namespaceLifecycle } from "./namespace-lifecycle.admission.ts"
import { namespaceAutoProvision, namespaceExists } from "./namespaces.admission.ts"
import { nodeRestriction } from "./node-restriction.admission.ts"
import { mutatingPolicies } from "./policy/mutating-policy.admission.ts"
import { validatingPolicies } from "./policy/validating-policy.admission.ts"
import { ownerReferencesPermissionEnforcement } from "./owner-references.admission.ts"
import { podResizeValidator, podTopologyLabels } from "./pod-placement.admission.ts"
import {
  alwaysPullImages,
  extendedResourceToleration,
  limitPodHardAntiAffinityTopology,
} from "./pods.admission.ts"
import { podNodeSelector } from "./pod-node-selector.admission.ts"
import { podTolerationRestriction } from "./pod-toleration-restriction.admission.ts"
import { podSecurity } from "./pod-security.admission.ts"
import { priority } from "./priority.admission.ts"
import { resourceQuotaAdmission } from "./resource-quota.admission.ts"
import { runtimeClassAdmission } from "./runtime-class.admission.ts"
import { serviceAccountAdmission } from "./service-account.admission.ts"
import {
  defaultStorageClass,
  persistentVolumeClaimResize,
  storageObjectInUseProtection,
} from "./storage.admission.ts"
import { mutatingWebhooks, validatingWebhooks } from "./webhook/webhooks.admission.ts"
import { taintNodesByCondition } from "./taint-nodes-by-condition.admission.ts"

export const admissionOrder: readonly AdmissionPlugin[] = [
  alwaysAdmit,
  namespaceAutoProvision,
  namespaceLifecycle,
  namespaceExists,
  limitPodHardAntiAffinityTopology,
  limitRanger,
  serviceAccountAdmission,
  nodeRestriction,
  taintNodesByCondition,
  alwaysPullImages,
  imagePolicyWebhook,
  podSecurity,
  podNodeSelector,
  priority,
  defaultTolerationSeconds,
  podTolerationRestriction,
  eventRateLimit,
  extendedResourceToleration,
  defaultStorageClass,
  storageObjectInUseProtection,
  ownerReferencesPermissionEnforcement,
  persistentVolumeClaimResize,
  runtimeClassAdmission,
  certificateApproval,
  certificateSigning,
  clusterTrustBundleAttest,
  certificateSubjectRestriction,
  defaultIngressClass,
  denyServiceExternalIPs,
  podTopologyLabels,
  podResizeValidator,
  mutatingPolicies,
  mutatingWebhooks,
  validatingPolicies,
  validatingWebhooks,
  resourceQuotaAdmission,
  alwaysDeny,
]
