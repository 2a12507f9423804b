/**
 * Whether a container that has ended starts again.
 * Mirrors: pkg/kubelet/container/helpers.go, pkg/api/v1/pod/util.go
 */
import type { Container, Pod } from "@knarr/api"
import { isSidecar } from "@knarr/pod-rules"
import { latestContainer, type RuntimeContainer, type RuntimePod } from "./runtime-pod.ts"

/** What follows an exit with this code. */
export function actionAfterExit(
  container: Readonly<Container>,
  pod: Readonly<Pod>,
  exitCode: number,
): "restart" | "restartAll" | "stay" {
  for (const rule of container.restartPolicyRules ?? []) {
    const values = rule.exitCodes?.values ?? []
    const matches =
      rule.exitCodes?.operator === "In"
        ? values.includes(exitCode)
        : rule.exitCodes?.operator === "NotIn" && !values.includes(exitCode)
    if (!matches) continue
    return rule.action === "RestartAllContainers" ? "restartAll" : "restart"
  }
  const policy = container.restartPolicy ?? pod.spec.restartPolicy ?? "Always"
  if (policy === "Always") return "restart"
  return policy === "OnFailure" && exitCode !== 0 ? "restart" : "stay"
}

/** Whether a failure of the container makes it start again, whatever the exit code. */
export function restartsOnFailure(container: Readonly<Container>, pod: Readonly<Pod>): boolean {
  if (isSidecar(container)) return true
  return (container.restartPolicy ?? pod.spec.restartPolicy) !== "Never"
}

/** Whether a main container should run (again) although it does not now. */
export function shouldBeStarted(
  container: Readonly<Container>,
  pod: Readonly<Pod>,
  runtime: RuntimePod,
): boolean {
  if (pod.metadata.deletionTimestamp) return false
  const last = latestContainer(runtime, container.name)
  if (!last) return true
  if (last.state === "running") return false
  // Created but never started, or lost: as good as not there.
  if (last.state !== "exited") return true
  return actionAfterExit(container, pod, last.exitCode) !== "stay"
}

/** Whether any of the main containers has been made: then the pod's init containers were done once. */
export function hasInitialized(pod: Readonly<Pod>, runtime: RuntimePod): boolean {
  return pod.spec.containers.some((container) => latestContainer(runtime, container.name) !== undefined)
}

/** Whether an init container, other than a sidecar, has ended well or not. */
export function initOutcome(last: RuntimeContainer): "succeeded" | "failed" | "underway" {
  if (last.state === "running" || last.state === "created") return "underway"
  if (last.state === "exited" && last.exitCode === 0) return "succeeded"
  return "failed"
}
