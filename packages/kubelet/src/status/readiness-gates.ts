/**
 * `Ready` from the containers' readiness and the conditions that others write for the pod's readiness gates.
 * Mirrors: pkg/kubelet/status/generate.go (GeneratePodReadyCondition)
 */
import type { Pod, PodCondition } from "@knarr/api"

type Condition = Pick<PodCondition, "type" | "status" | "reason" | "message" | "observedGeneration">

/** `Ready` anew after conditions have changed; undefined: it is not known yet, or nobody else has a say in it. */
export function gatedReady(pod: Readonly<Pod>, conditions: readonly PodCondition[]): Condition | undefined {
  const gates = pod.spec.readinessGates
  const containers = conditions.find(({ type }) => type === "ContainersReady")
  if (!gates?.length || !containers || !conditions.some(({ type }) => type === "Ready")) return undefined
  const observedGeneration = containers.observedGeneration ?? pod.metadata.generation
  const ready = { type: "Ready", observedGeneration }
  if (containers.status !== "True") {
    const { status, reason, message } = containers
    return { ...ready, status, ...(reason ? { reason } : {}), ...(message ? { message } : {}) }
  }
  const messages: string[] = []
  for (const { conditionType } of gates) {
    const condition = conditions.find(({ type }) => type === conditionType)
    if (!condition)
      messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`)
    else if (condition.status !== "True")
      messages.push(
        `the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`,
      )
  }
  if (messages.length === 0) return { ...ready, status: "True" }
  return { ...ready, status: "False", reason: "ReadinessGatesNotReady", message: messages.join(", ") }
}
