/**
 * Counts that the controllers of workloads report. Mirrors: pkg/apis/apps/validation/validation.go and
 * pkg/apis/core/validation/validation.go (Validate…StatusUpdate)
 */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegative } from "../../checks.ts"

/** What is looked at in the status of a kind, in this order. */
interface StatusRules {
  readonly counts: readonly string[]
  /** Counts that are no more than `replicas`. */
  readonly parts?: readonly string[]
  /** `availableReplicas` is compared with this, by this name. */
  readonly ready?: string
}

type Counts = Readonly<Record<string, number | undefined>>

function statusRules(rules: StatusRules) {
  return (obj: { readonly status: object }, old: { readonly status: object }): FieldError[] => {
    const status = obj.status as Counts
    const out = rules.counts.flatMap((name) => notNegative(`status.${name}`, status[name]))
    const invalid = (name: string, detail: string): number =>
      out.push(field.invalid(`status.${name}`, status[name] ?? 0, detail))
    for (const name of rules.parts ?? [])
      if ((status[name] ?? 0) > (status["replicas"] ?? 0))
        invalid(name, "cannot be greater than status.replicas")
    if (rules.ready && (status["availableReplicas"] ?? 0) > (status["readyReplicas"] ?? 0))
      invalid("availableReplicas", `cannot be greater than ${rules.ready}`)
    const before = (old.status as Counts)["collisionCount"]
    if (before !== undefined && (status["collisionCount"] ?? 0) < before)
      invalid("collisionCount", "cannot be decremented")
    return out
  }
}

type ValidateStatus = ReturnType<typeof statusRules>

const replicated = [
  "replicas",
  "fullyLabeledReplicas",
  "readyReplicas",
  "availableReplicas",
  "observedGeneration",
]
const labeledParts = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"]

export const validateReplicaSetStatus: ValidateStatus = statusRules({
  counts: [...replicated, "terminatingReplicas"],
  parts: labeledParts,
  ready: "readyReplicas",
})

export const validateReplicationControllerStatus: ValidateStatus = statusRules({
  counts: replicated,
  parts: labeledParts,
  ready: "readyReplicas",
})

export const validateDeploymentStatus: ValidateStatus = statusRules({
  counts: [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
  ],
  parts: ["updatedReplicas", "readyReplicas", "availableReplicas"],
  ready: "readyReplicas",
})

export const validateStatefulSetStatus: ValidateStatus = statusRules({
  counts: [
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
  ],
  parts: ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
  ready: "status.readyReplicas",
})

export const validateDaemonSetStatus: ValidateStatus = statusRules({
  counts: [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
  ],
})
