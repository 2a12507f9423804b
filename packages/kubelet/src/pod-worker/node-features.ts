/**
 * What this machine and its runtime can do beyond what every node can: a pod that asks for more is refused.
 * Mirrors: pkg/kubelet/runtime.go, pkg/security/apparmor/validate.go
 */
import type { HostFacts } from "../node/node-host.ts"
import type { RuntimeResponse } from "../runtime/container-runtime.ts"

export interface NodeFeatures {
  /** The kernel enforces AppArmor profiles. */
  readonly appArmor: boolean
  /** The kernel enforces SELinux. Containers get no labels from here. */
  readonly seLinux: boolean
  /** The runtime knows `supplementalGroupsPolicy: Strict`. */
  readonly strictGroups: boolean
  /** The runtime's handlers (the default one is "") that can make mounts read-only with all that is below them. */
  readonly recursiveReadOnlyHandlers: readonly string[]
}

export function nodeFeatures(
  { appArmor, seLinux }: Pick<HostFacts, "appArmor" | "seLinux">,
  status: RuntimeResponse<"status"> | undefined,
): NodeFeatures {
  return {
    appArmor,
    seLinux,
    strictGroups: status?.features?.supplementalGroupsPolicy === true,
    recursiveReadOnlyHandlers: (status?.runtimeHandlers ?? [])
      .filter(({ features }) => features?.recursiveReadOnlyMounts)
      .map(({ name }) => name),
  }
}
