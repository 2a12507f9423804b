/** What a job's failure policy says about a failed pod. Pure. Mirrors: pkg/controller/job/pod_failure_policy.go */
import type { Job, Pod, PodFailurePolicyRule } from "@knarr/api"

export interface FailureVerdict {
  readonly action: string
  readonly message: string
}

/** The verdict of the first rule that matches; undefined when none does (the failure counts). */
export function failureVerdict(job: Job, pod: Pod): FailureVerdict | undefined {
  for (const [i, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const why = ruleMatch(rule, pod)
    if (why) return { action: rule.action, message: `${why} matching ${rule.action} rule at index ${i}` }
  }
  return undefined
}

function ruleMatch(rule: PodFailurePolicyRule, pod: Pod): string | undefined {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`
  const { onExitCodes, onPodConditions = [] } = rule
  if (onExitCodes) {
    const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]
    for (const status of statuses) {
      if (onExitCodes.containerName && status.name !== onExitCodes.containerName) continue
      const code = status.state?.terminated?.exitCode ?? 0
      if (code === 0) continue
      if (onExitCodes.values.includes(code) === (onExitCodes.operator === "In")) {
        return `Container ${status.name} for pod ${name} failed with exit code ${code}`
      }
    }
  }
  for (const pattern of onPodConditions) {
    const found = pod.status?.conditions?.find(
      (one) => one.type === pattern.type && one.status === (pattern.status || "True"),
    )
    if (found) return `Pod ${name} has condition ${found.type}`
  }
  return undefined
}
