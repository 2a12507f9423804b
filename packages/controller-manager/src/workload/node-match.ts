/** Whether a node is one that a pod may run on by selector and required affinity. Mirrors: component-helpers scheduling/corev1/nodeaffinity */
import type { Node, NodeSelectorTerm, PodSpec } from "@knarr/api"

/** `nodeSelector` and required node affinity. */
export function matchesNode(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  for (const [name, value] of Object.entries(spec.nodeSelector ?? {})) if (labels[name] !== value) return false
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return !required || required.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  // A term that says nothing matches nothing.
  if (matchExpressions.length === 0 && matchFields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  return (
    matchExpressions.every(({ key, operator, values = [] }) => holds(labels[key], operator, values)) &&
    matchFields.every(({ key, operator, values = [] }) =>
      holds(key === "metadata.name" ? node.metadata.name : undefined, operator, values),
    )
  )
}

function holds(value: string | undefined, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value)
    case "NotIn":
      return value === undefined || !values.includes(value)
    case "Exists":
      return value !== undefined
    case "DoesNotExist":
      return value === undefined
    case "Gt":
    case "Lt": {
      const whole = /^-?\d+$/
      const limit = values[0]
      if (value === undefined || limit === undefined || !whole.test(value) || !whole.test(limit)) return false
      return operator === "Gt" ? BigInt(value) > BigInt(limit) : BigInt(value) < BigInt(limit)
    }
    default:
      return false
  }
}
