/** Node selectors and affinity. Mirrors: component-helpers scheduling/corev1/nodeaffinity/nodeaffinity.go */
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from "@knarr/api"

type NodeLike = { readonly metadata: Pick<Node["metadata"], "name" | "labels"> }

/** Whether the node carries what the pod's nodeSelector and required node affinity ask for. */
export function matchesRequiredNodeAffinity(spec: Readonly<PodSpec>, node: NodeLike): boolean {
  for (const key in spec.nodeSelector) {
    if (node.metadata.labels?.[key] !== spec.nodeSelector[key]) return false
  }
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return !required || matchesNodeSelector(required, node)
}

/** Terms are alternatives; none at all match nothing. */
export function matchesNodeSelector(selector: Readonly<NodeSelector>, node: NodeLike): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesNodeSelectorTerm(term, node))
}

/** All requirements of a term must hold; an empty term matches nothing. */
export function matchesNodeSelectorTerm(term: Readonly<NodeSelectorTerm>, node: NodeLike): boolean {
  const expressions = term.matchExpressions ?? []
  const fields = term.matchFields ?? []
  if (expressions.length === 0 && fields.length === 0) return false
  return (
    expressions.every((requirement) =>
      matchesRequirement(requirement, node.metadata.labels?.[requirement.key]),
    ) &&
    fields.every(
      (requirement) =>
        requirement.key === "metadata.name" && matchesRequirement(requirement, node.metadata.name),
    )
  )
}

function matchesRequirement(
  requirement: Readonly<NodeSelectorRequirement>,
  value: string | undefined,
): boolean {
  const values = requirement.values ?? []
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value)
    case "NotIn":
      return value === undefined || !values.includes(value)
    case "Exists":
      return value !== undefined
    case "DoesNotExist":
      return value === undefined
    case "Gt":
      return isWholeNumber(value) && isWholeNumber(values[0]) && BigInt(value!) > BigInt(values[0]!)
    case "Lt":
      return isWholeNumber(value) && isWholeNumber(values[0]) && BigInt(value!) < BigInt(values[0]!)
    default:
      return false
  }
}

function isWholeNumber(text: string | undefined): boolean {
  return text !== undefined && text.length <= 64 && /^-?\d+$/.test(text)
}
