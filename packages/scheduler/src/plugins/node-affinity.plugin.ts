/** The nodes that the pod's selector and affinity ask for. Mirrors: plugins/nodeaffinity */
import type { Node, NodeAffinity, NodeSelector, NodeSelectorTerm } from "@knarr/api"
import { field, labelRequirementErrors, type FieldError, type LabelOperator } from "@knarr/apimachinery"
import { matchesNodeSelector, matchesNodeSelectorTerm, matchesRequiredNodeAffinity } from "@knarr/pod-rules"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { definePlugin, normalizeByMax } from "../framework/plugin.ts"
import { skip, unresolvable } from "../framework/status.ts"

const refusal = unresolvable("node(s) didn't match Pod's node affinity/selector")
const conflict = unresolvable("pod affinity terms conflict")

const enforced = unresolvable("node(s) didn't match scheduler-enforced node affinity")

export interface NodeAffinityArgs {
  /** Also asked of every pod's node. Default: nothing is. */
  readonly addedAffinity?: NodeAffinity | undefined
}

export const nodeAffinity = definePlugin<NodeAffinityArgs>({
  name: "NodeAffinity",
  weight: 2,
  argsTable: {
    NodeAffinityArgs: {
      addedAffinity: "io.k8s.api.core.v1.NodeAffinity",
      apiVersion: "string",
      kind: "string",
    },
  },
  validateArgs,
  create(_handle, { addedAffinity }) {
    const added = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    const addedPreferences = addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    return {
      eventsToRegister: () => [
        onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeLabel, ({ spec }, old, now) => {
          if (added && !matchesNodeSelector(added, now!)) return "QueueSkip"
          return matchesRequiredNodeAffinity(spec, now!) && !(old && matchesRequiredNodeAffinity(spec, old))
            ? "Queue"
            : "QueueSkip"
        }),
      ],
      preFilter(_state, { spec }) {
        const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
        if (!required && !spec.nodeSelector && !added) return skip
        const names = required && namedNodes(required)
        return names?.size === 0 ? conflict : names
      },
      filter(_state, { spec }, { node }) {
        if (added && !matchesNodeSelector(added, node)) return enforced
        return matchesRequiredNodeAffinity(spec, node) ? undefined : refusal
      },
      preScore: (_state, { spec }) =>
        preferencesOf(spec.affinity?.nodeAffinity).length > 0 || addedPreferences.length > 0
          ? undefined
          : skip,
      score(_state, { spec }, { node }) {
        let sum = 0
        for (const { weight, preference } of addedPreferences)
          if (matchesNodeSelectorTerm(preference, node)) sum += weight
        for (const { weight, preference } of preferencesOf(spec.affinity?.nodeAffinity))
          if (matchesNodeSelectorTerm(preference, node)) sum += weight
        return sum
      },
      normalizeScore: (_state, _pod, scores) => normalizeByMax(scores, false),
    }
  },
})

type Preferences = NonNullable<NodeAffinity["preferredDuringSchedulingIgnoredDuringExecution"]>
const noPreferences: Preferences = []

function preferencesOf(affinity: NodeAffinity | undefined): Preferences {
  return affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? noPreferences
}

function validateArgs({ addedAffinity }: Readonly<NodeAffinityArgs>, path: string): FieldError[] {
  const at = field.child(path, "addedAffinity")
  const terms = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  return [
    ...terms.flatMap((term, i) =>
      termErrors(term, `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`),
    ),
    ...preferencesOf(addedAffinity).flatMap(({ weight, preference }, i) =>
      weight === 0
        ? []
        : termErrors(preference, `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`),
    ),
  ]
}

const operators = new Map<string, LabelOperator>([
  ["In", "in"],
  ["NotIn", "notin"],
  ["Exists", "exists"],
  ["DoesNotExist", "!"],
  ["Gt", "gt"],
  ["Lt", "lt"],
])

/** Mirrors: component-helpers scheduling/corev1/nodeaffinity/nodeaffinity.go (newNodeSelectorTerm) */
function termErrors(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  path: string,
): FieldError[] {
  const out: FieldError[] = []
  for (const [i, { key, operator, values }] of matchExpressions.entries()) {
    const at = `${path}.matchExpressions[${i}]`
    const known = operators.get(operator)
    if (known) out.push(...labelRequirementErrors(key, known, values ?? [], at))
    else out.push(field.notSupported(`${at}.operator`, operator, [...operators.keys()]))
  }
  for (const [i, { operator, values }] of matchFields.entries()) {
    const at = `${path}.matchFields[${i}]`
    if (operator !== "In" && operator !== "NotIn")
      out.push(field.notSupported(`${at}.operator`, operator, ["In", "NotIn"]))
    else if (values?.length !== 1)
      out.push(field.invalid(`${at}.values`, values ?? null, "must have one element"))
  }
  return out
}

/** When every term names nodes (daemon sets' do), only those need to be looked at. */
function namedNodes({ nodeSelectorTerms }: NodeSelector): ReadonlySet<string> | undefined {
  if (nodeSelectorTerms.length === 0) return undefined
  const names = new Set<string>()
  for (const { matchFields = [] } of nodeSelectorTerms) {
    const [first, ...others] = matchFields
      .filter(({ key, operator }) => key === "metadata.name" && operator === "In")
      .map(({ values }) => new Set(values))
    if (!first) return undefined
    for (const name of others.reduce((both, other) => both.intersection(other), first)) names.add(name)
  }
  return names
}
