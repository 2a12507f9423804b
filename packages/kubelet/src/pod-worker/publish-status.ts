/**
 * Tells the status manager what has become of a pod.
 * Mirrors: pkg/kubelet/kubelet.go (SyncPod, the part that sets the status)
 */
import type { PodStatus } from "@knarr/api"
import { isTerminalPhase, podStatus, type PodStatusInput } from "./pod-status.ts"
import type { PodWorkerParts } from "./settings.ts"

/** Answers the pod's phase. The API hears of a last phase only once nothing of the pod runs any more. */
export function publishStatus(
  { status, runtimeName, settings, env }: PodWorkerParts,
  input: Omit<PodStatusInput, "old" | "runtimeName" | "nodeIPs" | "nowMs">,
): string {
  const { pod, ended } = input
  const old: Readonly<PodStatus> = status.get(pod.metadata.uid) ?? pod.status
  const nowMs = env.clock.now()
  const made = podStatus({ ...input, old, runtimeName, nodeIPs: settings.nodeIPs, nowMs })
  const phase = made.phase ?? "Pending"
  if (!ended && isTerminalPhase(phase) && !isTerminalPhase(pod.status.phase)) {
    made.phase = isTerminalPhase(old.phase) ? pod.status.phase : old.phase
    delete made.reason
    delete made.message
    if (old.reason) made.reason = old.reason
    if (old.message) made.message = old.message
  }
  status.set(pod, made)
  return phase
}
