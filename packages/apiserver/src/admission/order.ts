/** Every admission plugin, in the order in which they run. Mirrors: pkg/kubeapiserver/options/plugins.go */
import type { AdmissionPlugin } from "../contract.ts"
import {
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  clusterTrustBundleAttest,
} from "./certificates.admission.ts"
import { defaultIngressClass } from "./default-ingress-class.admission.ts"
import { defaultTolerationSeconds } from "./default-toleration-seconds.admission.ts"
import { denyServiceExternalIPs } from "./deny-service-external-ips.admission.ts"
import { limitRanger } from "./limit-ranger.admission.ts"
import { namespaceLifecycle } from "./namespace-lifecycle.admission.ts"
import { nodeRestriction } from "./node-restriction.admission.ts"
import { mutatingPolicies } from "./policy/mutating-policy.admission.ts"
import { validatingPolicies } from "./policy/validating-policy.admission.ts"
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
  namespaceLifecycle,
  limitRanger,
  serviceAccountAdmission,
  nodeRestriction,
  taintNodesByCondition,
  podSecurity,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  persistentVolumeClaimResize,
  runtimeClassAdmission,
  certificateApproval,
  certificateSigning,
  clusterTrustBundleAttest,
  certificateSubjectRestriction,
  defaultIngressClass,
  denyServiceExternalIPs,
  mutatingPolicies,
  mutatingWebhooks,
  validatingPolicies,
  validatingWebhooks,
  resourceQuotaAdmission,
]
