/**
 * Security contexts of pods and containers as the runtime takes them.
 * Mirrors: pkg/kubelet/kuberuntime/security_context.go, pkg/securitycontext/util.go
 */
import type {
  AppArmorProfile,
  Container,
  Pod,
  PodSecurityContext,
  SeccompProfile,
  SecurityContext,
} from "@knarr/api"
import type { RuntimeRequest } from "../runtime/container-runtime.ts"
import type { NamespaceMode } from "../runtime/cri.gen.ts"

type SandboxConfig = NonNullable<RuntimeRequest<"runPodSandbox">["config"]>
type SandboxSecurity = NonNullable<NonNullable<SandboxConfig["linux"]>["securityContext"]>
type ContainerConfig = NonNullable<RuntimeRequest<"createContainer">["config"]>
type ContainerSecurity = NonNullable<NonNullable<ContainerConfig["linux"]>["securityContext"]>
type NamespaceOptions = NonNullable<SandboxSecurity["namespaceOptions"]>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Profile = NonNullable<SandboxSecurity["seccomp"]>

export interface SecurityOptions {
  /** Where seccomp profiles of `Localhost` are. */
  readonly seccompRoot: string
  /** Pods without a profile get the runtime's; default false. */
  readonly seccompDefault: boolean
}

const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
]
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

/** The container's own settings, and the pod's where it has none. */
export function effectiveSecurityContext(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
): SecurityContext {
  const outer: PodSecurityContext = pod.spec.securityContext ?? {}
  const own = container.securityContext ?? {}
  return {
    ...own,
    runAsUser: own.runAsUser ?? outer.runAsUser,
    runAsGroup: own.runAsGroup ?? outer.runAsGroup,
    runAsNonRoot: own.runAsNonRoot ?? outer.runAsNonRoot,
    seLinuxOptions: own.seLinuxOptions ?? outer.seLinuxOptions,
    seccompProfile: own.seccompProfile ?? outer.seccompProfile,
  }
}

function namespaceOptions(pod: Readonly<Pod>, targetId?: string): NamespaceOptions {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec
  const pid: NamespaceMode = targetId
    ? "TARGET"
    : hostPID
      ? "NODE"
      : shareProcessNamespace
        ? "POD"
        : "CONTAINER"
  return {
    network: hostNetwork ? "NODE" : "POD",
    ipc: hostIPC ? "NODE" : "POD",
    pid,
    ...(targetId ? { targetId } : {}),
  }
}

/** The sandbox of a pod with a privileged container must allow it. */
function isPrivilegedPod(pod: Readonly<Pod>): boolean {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].some(
    (container) => container.securityContext?.privileged === true,
  )
}

export function sandboxSecurity(pod: Readonly<Pod>): SandboxSecurity {
  const context = pod.spec.securityContext ?? {}
  return {
    namespaceOptions: namespaceOptions(pod),
    privileged: isPrivilegedPod(pod),
    // The pause process needs no more, whatever the pod's own profile allows it.
    seccomp: { profileType: "RuntimeDefault" },
    supplementalGroups: groupsOf(context),
    supplementalGroupsPolicy: context.supplementalGroupsPolicy === "Strict" ? "Strict" : "Merge",
    ...(context.runAsUser === undefined ? {} : { runAsUser: { value: context.runAsUser } }),
    ...(context.runAsGroup === undefined ? {} : { runAsGroup: { value: context.runAsGroup } }),
    ...(context.seLinuxOptions ? { selinuxOptions: selinux(context.seLinuxOptions) } : {}),
  }
}

export function containerSecurity(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
  user: { readonly uid: number | undefined; readonly username: string },
  options: SecurityOptions,
  targetId?: string,
): ContainerSecurity {
  const context = effectiveSecurityContext(pod, container)
  const privileged = context.privileged === true
  const outer = pod.spec.securityContext ?? {}
  const out: Mutable<ContainerSecurity> = {
    privileged,
    namespaceOptions: namespaceOptions(pod, targetId),
    readonlyRootfs: context.readOnlyRootFilesystem === true,
    noNewPrivs: context.allowPrivilegeEscalation === false,
    supplementalGroups: groupsOf(outer),
    supplementalGroupsPolicy: outer.supplementalGroupsPolicy === "Strict" ? "Strict" : "Merge",
    seccomp: privileged
      ? { profileType: "Unconfined" }
      : seccompOf(context.seccompProfile, options, options.seccompDefault ? "RuntimeDefault" : "Unconfined"),
    apparmor: appArmorOf(pod, container, context),
    maskedPaths: context.procMount === "Unmasked" ? [] : maskedPaths,
    readonlyPaths: context.procMount === "Unmasked" ? [] : readonlyPaths,
    capabilities: {
      addCapabilities: context.capabilities?.add ?? [],
      dropCapabilities: context.capabilities?.drop ?? [],
    },
  }
  if (context.runAsUser !== undefined) out.runAsUser = { value: context.runAsUser }
  else if (user.username !== "") out.runAsUsername = user.username
  else if (user.uid !== undefined) out.runAsUser = { value: user.uid }
  if (context.runAsGroup !== undefined) {
    out.runAsGroup = { value: context.runAsGroup }
    // The runtime takes a group only beside a user.
    if (context.runAsUser === undefined && user.username === "") out.runAsUser = { value: user.uid ?? 0 }
  }
  if (context.seLinuxOptions) out.selinuxOptions = selinux(context.seLinuxOptions)
  return out
}

/** The groups of every process of the pod: the ones it names, and that of its volumes. */
function groupsOf(context: PodSecurityContext): number[] {
  const groups = [...(context.supplementalGroups ?? [])]
  if (context.fsGroup !== undefined) groups.push(context.fsGroup)
  return groups
}

function selinux(options: NonNullable<SecurityContext["seLinuxOptions"]>): {
  user: string
  role: string
  type: string
  level: string
} {
  const { user = "", role = "", type = "", level = "" } = options
  return { user, role, type, level }
}

function seccompOf(
  profile: SeccompProfile | undefined,
  options: SecurityOptions,
  fallback: "RuntimeDefault" | "Unconfined",
): Profile {
  switch (profile?.type) {
    case "RuntimeDefault":
      return { profileType: "RuntimeDefault" }
    case "Unconfined":
      return { profileType: "Unconfined" }
    case "Localhost":
      return { profileType: "Localhost", localhostRef: `${options.seccompRoot}/${profile.localhostProfile}` }
    default:
      return { profileType: fallback }
  }
}

/** Of pods that were written before there was a field; the container's name follows. */
export const appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/"

/** The profile of a container: its own, that of its annotation, the pod's. */
export function appArmorProfileOf(
  { spec, metadata }: Readonly<Pod>,
  { securityContext, name }: Readonly<Container>,
): AppArmorProfile | undefined {
  if (securityContext?.appArmorProfile) return securityContext.appArmorProfile
  const legacy = metadata.annotations?.[appArmorAnnotation + name]
  if (legacy === "unconfined") return { type: "Unconfined" }
  if (legacy === "runtime/default") return { type: "RuntimeDefault" }
  if (legacy?.startsWith("localhost/"))
    return { type: "Localhost", localhostProfile: legacy.slice("localhost/".length) }
  return spec.securityContext?.appArmorProfile
}

function appArmorOf(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
  context: SecurityContext,
): Profile | undefined {
  // Without a profile the runtime applies its own, where the kernel has AppArmor at all.
  if (context.privileged) return undefined
  const profile = appArmorProfileOf(pod, container)
  switch (profile?.type) {
    case "Unconfined":
      return { profileType: "Unconfined" }
    case "Localhost":
      return { profileType: "Localhost", localhostRef: profile.localhostProfile ?? "" }
    case "RuntimeDefault":
      return { profileType: "RuntimeDefault" }
    default:
      return undefined
  }
}

/** Throws, in upstream's words, when the container must not run as root but would. */
export function verifyRunAsNonRoot(
  podText: string,
  container: Readonly<Container>,
  context: SecurityContext,
  user: { readonly uid: number | undefined; readonly username: string },
): void {
  if (context.runAsNonRoot !== true) return
  const where = `(pod: "${podText}", container: ${container.name})`
  if (context.runAsUser !== undefined) {
    if (context.runAsUser === 0) throw new Error(`container's runAsUser breaks non-root policy ${where}`)
    return
  }
  if (user.uid === 0) throw new Error(`container has runAsNonRoot and image will run as root ${where}`)
  if (user.uid === undefined && user.username !== "")
    throw new Error(
      `container has runAsNonRoot and image has non-numeric user (${user.username}), cannot verify user is non-root ${where}`,
    )
}
