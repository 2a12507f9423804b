/**
 * Settings of pods that this node cannot give: they are refused in upstream's words, never left out. What each field
 * of a pod comes to is listed in `pod-fields.test.ts`.
 * Mirrors: pkg/kubelet/lifecycle/handlers.go, predicate.go, pkg/kubelet/userns/userns_manager.go, pkg/kubelet/kubelet_pods.go
 */
import type { AppArmorProfile, Container, Pod, VolumeMount } from "@knarr/api"
import { goQuote } from "@knarr/apimachinery"
import type { Refusal } from "./refusal.ts"
import type { NodeFeatures } from "./node-features.ts"
import { appArmorAnnotation, appArmorProfileOf } from "./security-context.ts"

function everyContainer({ spec }: Readonly<Pod>): readonly Readonly<Container>[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
}

export function unsupportedGroupsPolicy(pod: Readonly<Pod>, features: NodeFeatures): Refusal | undefined {
  if (pod.spec.securityContext?.supplementalGroupsPolicy !== "Strict" || features.strictGroups)
    return undefined
  return {
    reason: "SupplementalGroupsPolicyNotSupported",
    message: "SupplementalGroupsPolicy=Strict is not supported in this node",
  }
}

/** Profiles count only while the pod has not begun. */
export function unsupportedAppArmor(pod: Readonly<Pod>, features: NodeFeatures): Refusal | undefined {
  if ((pod.status.phase ?? "Pending") !== "Pending") return undefined
  const refuse = (why: string): Refusal => ({
    reason: "AppArmor",
    message: `Cannot enforce AppArmor: ${why}`,
  })
  const confines = (profile: AppArmorProfile | undefined): boolean =>
    profile !== undefined && profile.type !== "Unconfined"
  const containers = everyContainer(pod)
  const asked =
    confines(pod.spec.securityContext?.appArmorProfile) ||
    containers.some(({ securityContext }) => confines(securityContext?.appArmorProfile)) ||
    Object.entries(pod.metadata.annotations ?? {}).some(
      ([key, value]) => key.startsWith(appArmorAnnotation) && value !== "unconfined",
    )
  if (!asked) return undefined
  if (!features.appArmor) return refuse("AppArmor is not enabled on the host")
  for (const container of containers) {
    const profile = appArmorProfileOf(pod, container)
    if (profile?.type === "Localhost" && !profile.localhostProfile?.trim())
      return refuse(`invalid empty AppArmor profile name: ${goQuote(profile.localhostProfile ?? "")}`)
  }
  return undefined
}

/** On a kernel without SELinux such options mean nothing, as upstream; on one with it they would be lost here. */
export function unsupportedSELinux(pod: Readonly<Pod>, features: NodeFeatures): Refusal | undefined {
  const asked =
    pod.spec.securityContext?.seLinuxOptions !== undefined ||
    everyContainer(pod).some(({ securityContext }) => securityContext?.seLinuxOptions !== undefined)
  if (!asked || !features.seLinux) return undefined
  return { reason: "SELinux", message: "Cannot enforce SELinux: this node does not label containers" }
}

/** Throws when the pod asks for a user namespace of its own. */
export function requireNoUserNamespace(pod: Readonly<Pod>, runtimeHandler: string): void {
  if (pod.spec.hostUsers !== false) return
  const who = runtimeHandler === "" ? "runtime" : `RuntimeClass handler ${goQuote(runtimeHandler)}`
  throw new Error(`can't set \`spec.hostUsers: false\`, ${who} does not support user namespaces`)
}

/** Whether the mount is read-only with all that is below it. Throws when it must be and cannot. */
export function isRecursivelyReadOnly(mount: Readonly<VolumeMount>, supported: boolean): boolean {
  const { recursiveReadOnly: mode, name, readOnly, mountPropagation = "None" } = mount
  if (mode === undefined || mode === "Disabled") return false
  const asked = `volume ${goQuote(name)} requested recursive read-only mode, but it is not`
  if (!readOnly) throw new Error(`${asked} read-only`)
  if (mountPropagation !== "None")
    throw new Error(`${asked} compatible with propagation ${goQuote(mountPropagation)}`)
  if (mode === "IfPossible") return supported
  if (mode !== "Enabled") throw new Error(`unknown recursive read-only mode ${goQuote(mode)}`)
  if (!supported) throw new Error(`${asked} supported by the runtime`)
  return true
}
