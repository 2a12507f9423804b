export {
  type Amounts,
  addAmounts,
  allocatableOf,
  amountOf,
  amountsOf,
  isPodTerminal,
  isSidecar,
  nonZeroRequests,
  podLimits,
  podRequests,
} from "./resources.ts"
export { type TaintEffect, findUntoleratedTaint, tolerates } from "./taints.ts"
export { matchesNodeSelector, matchesNodeSelectorTerm, matchesRequiredNodeAffinity } from "./node-affinity.ts"
export { type HostPortUse, hostPortsConflict, hostPortsOf } from "./host-ports.ts"
export {
  type QuotaScope,
  type QuotaUsage,
  countsAgainst,
  inScope,
  isInScope,
  missingResources,
  quotaScopes,
  usageOf,
  usedBy,
} from "./quota-usage.ts"
export {
  apiObjectReference,
  ephemeralClaimName,
  isMirrorPod,
  podConfigMaps,
  podResourceClaims,
  podSecrets,
  podVolumeClaims,
  volumeSecrets,
} from "./pod-references.ts"
export {
  claimHasClass,
  newestDefault,
  newestDefaultStorageClass,
  storageClassNameOf,
  waitsForFirstConsumer,
} from "./storage-class.ts"
export {
  accessModesSatisfied,
  bindVolumeToClaim,
  findMatchingVolume,
  isDelayBindingProvisioning,
  isVolumeBoundToClaim,
  type MatchOptions,
  storageOf,
  volumeAnnotations,
  volumeFitsNode,
  volumeModesDiffer,
} from "./volume-binding.ts"
export { isSimulatedNode, simulatedNodeAnnotation, simulatedNodeLabel } from "./simulated-node.ts"
