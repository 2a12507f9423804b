/** Access rules as a controller states them. */
export type { Kind, KubeObject } from "@knarr/apimachinery"

/** A PolicyRule, as in a ClusterRole. */
export interface PolicyRuleLike {
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
  readonly verbs: readonly string[]
}
