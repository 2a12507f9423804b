/** Labels of nodes that are going away. Mirrors: pkg/api/node/util.go */
import { isValidLabelValue } from "@knarr/apimachinery"
import type { LabelSelector } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"
import type { NodeSelectorTerm } from "./types.gen.ts"

const deprecatedLabels: Readonly<Record<string, string>> = tableOf({
  "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region":
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone":
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type":
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  "app.kubernetes.io/created-by": "deprecated since v1.9",
  "scheduler.alpha.kubernetes.io/preferAvoidPods":
    "deprecated since v1.22; use Taints and Tolerations instead",
  "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
})

/** What to say about a node label, if anything. */
export function nodeLabelDeprecation(key: string): string | undefined {
  return deprecatedLabels[key]
}

/** Requirements on node labels; a preference with values that no label has is told, too. */
export function nodeSelectorTermWarnings(
  path: string,
  term: NodeSelectorTerm | undefined,
  withValues: boolean,
): string[] {
  const out: string[] = []
  for (const [i, { key, values }] of (term?.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`
    const message = nodeLabelDeprecation(key)
    if (message) out.push(`${at}.key: ${key} is ${message}`)
    if (!withValues) continue
    for (const [j, value] of (values ?? []).entries())
      for (const reason of isValidLabelValue(value))
        out.push(`${at}.values[${j}]: ${value} is invalid, ${reason}`)
  }
  return out
}

/** A selector of nodes by their labels. */
export function nodeSelectorWarnings(path: string, selector: LabelSelector | undefined): string[] {
  const out: string[] = []
  for (const [i, { key }] of (selector?.matchExpressions ?? []).entries()) {
    const message = nodeLabelDeprecation(key)
    if (message) out.push(`${path}.matchExpressions[${i}].key: ${key} is ${message}`)
  }
  for (const key of Object.keys(selector?.matchLabels ?? {})) {
    const message = nodeLabelDeprecation(key)
    if (message) out.push(`${path}.matchLabels.${key}: ${message}`)
  }
  return out
}
