export {
  type Amounts,
  addAmounts,
  allocatableOf,
  amountOf,
  amountsOf,
  defaultMemoryRequest,
  defaultMilliCpuRequest,
  isExtendedResource,
  isPodTerminal,
  isSidecar,
  maxAmounts,
  nonZeroRequests,
  podLimits,
  podRequests,
} from "./resources.ts"
export { type TaintEffect, findUntoleratedTaint, taintText, tolerates } from "./taints.ts"
export { matchesNodeSelector, matchesNodeSelectorTerm, matchesRequiredNodeAffinity } from "./node-affinity.ts"
export { type HostPortUse, hostPortsConflict, hostPortsOf } from "./host-ports.ts"
export { type QuotaUsage, countsAgainst, inScope, missingResources, usageOf, usedBy } from "./quota-usage.ts"
