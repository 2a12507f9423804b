/**
 * The pod security standards: what a pod must not (baseline) and must (restricted) say about its isolation. Unlike
 * upstream's they make no exception for `hostUsers: false`: no node gives pods a user namespace of their own.
 * Mirrors: pod-security-admission policy
 */
import type { Container, EphemeralContainer, Pod, PodSpec } from "@knarr/api"

export type Level = "privileged" | "baseline" | "restricted"

/** One thing that a level forbids: `privileged`, and where. */
export interface Violation {
  readonly reason: string
  readonly detail: string
}

type Any = Container | EphemeralContainer
type Check = (pod: PodLike) => Violation | undefined

/** A pod, or the template of one. */
export type PodLike = Pick<Pod, "spec"> & {
  readonly metadata?: { readonly annotations?: Record<string, string> | undefined } | undefined
}

const quoteAll = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(", ")
const plural = (one: string, many: string, count: number): string => (count === 1 ? one : many)
const sortedSet = (values: Iterable<string>): string[] => [...new Set(values)].sort()

function all(spec: PodSpec): Any[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
}

const containersText = (names: readonly string[]): string =>
  `${plural("container", "containers", names.length)} ${quoteAll(names)}`
const isWindows = ({ spec }: PodLike): boolean => spec.os?.name === "windows"

function failing(pod: PodLike, bad: (c: Any) => boolean): string[] {
  return all(pod.spec)
    .filter(bad)
    .map((c) => c.name)
}

/** What sets a forbidden value: the pod, containers, or both. */
function setters(onPod: boolean, names: readonly string[]): string[] {
  return [...(onPod ? ["pod"] : []), ...(names.length > 0 ? [containersText(names)] : [])]
}

const defaultCapabilities = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
])

const safeSysctls = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
])

const seLinuxTypes = new Set(["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/"

const baseline: readonly (readonly [id: string, check: Check])[] = [
  ["appArmorProfile", appArmor],
  ["capabilities_baseline", capabilitiesBaseline],
  ["hostNamespaces", hostNamespaces],
  ["hostPathVolumes", hostPathVolumes],
  ["hostPorts", hostPorts],
  ["hostProbesAndHostLifecycle", hostProbes],
  ["privileged", privileged],
  ["procMount", procMount],
  ["seLinuxOptions", seLinux],
  ["seccompProfile_baseline", seccompBaseline],
  ["sysctls", sysctls],
  ["windowsHostProcess", windowsHostProcess],
]

const restricted: readonly (readonly [id: string, check: Check, instead?: string])[] = [
  ["allowPrivilegeEscalation", allowPrivilegeEscalation],
  ["capabilities_restricted", capabilitiesRestricted, "capabilities_baseline"],
  ["procMount_restricted", procMount, "procMount"],
  ["restrictedVolumes", restrictedVolumes, "hostPathVolumes"],
  ["runAsNonRoot", runAsNonRoot],
  ["runAsUser", runAsUser],
  ["seccompProfile_restricted", seccompRestricted, "seccompProfile_baseline"],
]

/** Everything about the pod that the level forbids, in upstream's order. */
export function violations(level: Level, pod: PodLike): Violation[] {
  if (level === "privileged") return []
  const replaced = new Set(level === "restricted" ? restricted.map(([, , instead]) => instead) : [])
  const checks = baseline.filter(([id]) => !replaced.has(id)).map(([, check]) => check)
  if (level === "restricted") checks.push(...restricted.map(([, check]) => check))
  return checks.map((check) => check(pod)).filter((found) => found !== undefined)
}

function appArmor(pod: PodLike): Violation | undefined {
  const ok = (type: string | undefined): boolean =>
    type === undefined || type === "RuntimeDefault" || type === "Localhost"
  const values: string[] = []
  const podType = pod.spec.securityContext?.appArmorProfile?.type
  if (!ok(podType)) values.push(podType!)
  const names = failing(pod, (c) => {
    const type = c.securityContext?.appArmorProfile?.type
    if (!ok(type)) values.push(type!)
    return !ok(type)
  })
  const annotations: string[] = []
  for (const [key, value] of Object.entries(pod.metadata?.annotations ?? {}).sort())
    if (
      key.startsWith(appArmorPrefix) &&
      value !== "" &&
      value !== "runtime/default" &&
      !value.startsWith("localhost/")
    )
      annotations.push(`${key}=${JSON.stringify(value)}`)
  const who = setters(!ok(podType), names)
  if (annotations.length > 0) who.push(plural("annotation", "annotations", annotations.length))
  if (who.length === 0) return undefined
  const list = [...sortedSet(values), ...annotations]
  return {
    reason: plural("forbidden AppArmor profile", "forbidden AppArmor profiles", list.length),
    detail: `${who.join(" and ")} must not set AppArmor profile type to "${list.join('", "')}"`,
  }
}

function capabilitiesBaseline(pod: PodLike): Violation | undefined {
  const bad = new Set<string>()
  const names = failing(pod, (c) => {
    const added = (c.securityContext?.capabilities?.add ?? []).filter((cap) => !defaultCapabilities.has(cap))
    for (const cap of added) bad.add(cap)
    return added.length > 0
  })
  if (names.length === 0) return undefined
  return {
    reason: "non-default capabilities",
    detail: `${containersText(names)} must not include ${quoteAll(sortedSet(bad))} in securityContext.capabilities.add`,
  }
}

function hostNamespaces({ spec }: PodLike): Violation | undefined {
  const set = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((name) => spec[name])
  return set.length === 0
    ? undefined
    : { reason: "host namespaces", detail: set.map((name) => `${name}=true`).join(", ") }
}

function hostPathVolumes({ spec }: PodLike): Violation | undefined {
  const names = (spec.volumes ?? []).filter((v) => v.hostPath).map((v) => v.name)
  if (names.length === 0) return undefined
  return {
    reason: "hostPath volumes",
    detail: `${plural("volume", "volumes", names.length)} ${quoteAll(names)}`,
  }
}

function hostPorts(pod: PodLike): Violation | undefined {
  const ports = new Set<string>()
  const names = failing(pod, (c) => {
    const used = (c.ports ?? []).filter((port) => port.hostPort)
    for (const port of used) ports.add(String(port.hostPort))
    return used.length > 0
  })
  if (names.length === 0) return undefined
  const list = sortedSet(ports)
  return {
    reason: "hostPort",
    detail: `${containersText(names)} ${plural("uses", "use", names.length)} ${plural("hostPort", "hostPorts", list.length)} ${list.join(", ")}`,
  }
}

function hostProbes(pod: PodLike): Violation | undefined {
  const hosts = new Set<string>()
  const names = failing(pod, (c) => {
    const handlers = [
      c.livenessProbe,
      c.readinessProbe,
      c.startupProbe,
      c.lifecycle?.postStart,
      c.lifecycle?.preStop,
    ]
    const named = handlers.flatMap((h) => [h?.httpGet?.host, h?.tcpSocket?.host]).filter((host) => host)
    for (const host of named) hosts.add(host!)
    return named.length > 0
  })
  if (names.length === 0) return undefined
  const list = sortedSet(hosts)
  return {
    reason: "probe or lifecycle host",
    detail: `${containersText(names)} ${plural("uses", "use", names.length)} probe or lifecycle ${plural("host", "hosts", list.length)} ${quoteAll(list)}`,
  }
}

function privileged(pod: PodLike): Violation | undefined {
  const names = failing(pod, (c) => c.securityContext?.privileged === true)
  if (names.length === 0) return undefined
  return {
    reason: "privileged",
    detail: `${containersText(names)} must not set securityContext.privileged=true`,
  }
}

function procMount(pod: PodLike): Violation | undefined {
  const bad = new Set<string>()
  const names = failing(pod, (c) => {
    const value = c.securityContext?.procMount
    if (value === undefined || value === "Default") return false
    bad.add(value)
    return true
  })
  if (names.length === 0) return undefined
  return {
    reason: "procMount",
    detail: `${containersText(names)} must not set securityContext.procMount to ${quoteAll(sortedSet(bad))}`,
  }
}

function seLinux(pod: PodLike): Violation | undefined {
  const types = new Set<string>()
  let user = false
  let role = false
  const bad = (
    options: { type?: string | undefined; user?: string | undefined; role?: string | undefined } | undefined,
  ): boolean => {
    if (!options) return false
    const badType = !seLinuxTypes.has(options.type ?? "")
    if (badType) types.add(options.type!)
    if (options.user) user = true
    if (options.role) role = true
    return badType || !!options.user || !!options.role
  }
  const onPod = bad(pod.spec.securityContext?.seLinuxOptions)
  const who = setters(
    onPod,
    failing(pod, (c) => bad(c.securityContext?.seLinuxOptions)),
  )
  if (who.length === 0) return undefined
  const list = sortedSet(types)
  const what = [
    ...(list.length > 0 ? [`${plural("type", "types", list.length)} ${quoteAll(list)}`] : []),
    ...(user ? ["user may not be set"] : []),
    ...(role ? ["role may not be set"] : []),
  ]
  return {
    reason: "seLinuxOptions",
    detail: `${who.join(" and ")} set forbidden securityContext.seLinuxOptions: ${what.join("; ")}`,
  }
}

function seccompBaseline(pod: PodLike): Violation | undefined {
  const bad = (type: string | undefined): boolean =>
    type !== undefined && type !== "RuntimeDefault" && type !== "Localhost"
  const values = new Set<string>()
  const check = (type: string | undefined): boolean => {
    if (bad(type)) values.add(type!)
    return bad(type)
  }
  const onPod = check(pod.spec.securityContext?.seccompProfile?.type)
  const who = setters(
    onPod,
    failing(pod, (c) => check(c.securityContext?.seccompProfile?.type)),
  )
  if (who.length === 0) return undefined
  return {
    reason: "seccompProfile",
    detail: `${who.join(" and ")} must not set securityContext.seccompProfile.type to ${quoteAll(sortedSet(values))}`,
  }
}

function sysctls({ spec }: PodLike): Violation | undefined {
  const bad = (spec.securityContext?.sysctls ?? [])
    .map((s) => s.name)
    .filter((name) => !safeSysctls.has(name))
  return bad.length === 0 ? undefined : { reason: "forbidden sysctls", detail: bad.join(", ") }
}

function windowsHostProcess(pod: PodLike): Violation | undefined {
  const onPod = pod.spec.securityContext?.windowsOptions?.hostProcess === true
  const who = setters(
    onPod,
    failing(pod, (c) => c.securityContext?.windowsOptions?.hostProcess === true),
  )
  if (who.length === 0) return undefined
  return {
    reason: "hostProcess",
    detail: `${who.join(" and ")} must not set securityContext.windowsOptions.hostProcess=true`,
  }
}

function allowPrivilegeEscalation(pod: PodLike): Violation | undefined {
  if (isWindows(pod)) return undefined
  const names = failing(pod, (c) => c.securityContext?.allowPrivilegeEscalation !== false)
  if (names.length === 0) return undefined
  return {
    reason: "allowPrivilegeEscalation != false",
    detail: `${containersText(names)} must set securityContext.allowPrivilegeEscalation=false`,
  }
}

function capabilitiesRestricted(pod: PodLike): Violation | undefined {
  if (isWindows(pod)) return undefined
  const missing = failing(pod, (c) => !(c.securityContext?.capabilities?.drop ?? []).includes("ALL"))
  const bad = new Set<string>()
  const adding = failing(pod, (c) => {
    const added = (c.securityContext?.capabilities?.add ?? []).filter((cap) => cap !== "NET_BIND_SERVICE")
    for (const cap of added) bad.add(cap)
    return added.length > 0
  })
  const parts: string[] = []
  if (missing.length > 0)
    parts.push(`${containersText(missing)} must set securityContext.capabilities.drop=["ALL"]`)
  if (adding.length > 0)
    parts.push(
      `${containersText(adding)} must not include ${quoteAll(sortedSet(bad))} in securityContext.capabilities.add`,
    )
  return parts.length === 0 ? undefined : { reason: "unrestricted capabilities", detail: parts.join("; ") }
}

const plainVolumes = new Set([
  "name",
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
  "image",
])

function restrictedVolumes({ spec }: PodLike): Violation | undefined {
  const types = new Set<string>()
  const names: string[] = []
  for (const volume of spec.volumes ?? []) {
    const bad = Object.entries(volume).find(([key, value]) => value !== undefined && !plainVolumes.has(key))
    if (!bad) continue
    names.push(volume.name)
    types.add(bad[0])
  }
  if (names.length === 0) return undefined
  return {
    reason: "restricted volume types",
    detail:
      `${plural("volume", "volumes", names.length)} ${quoteAll(names)} ${plural("uses", "use", names.length)} ` +
      `restricted volume ${plural("type", "types", types.size)} ${quoteAll(sortedSet(types))}`,
  }
}

function runAsNonRoot(pod: PodLike): Violation | undefined {
  const podValue = pod.spec.securityContext?.runAsNonRoot
  const explicit = failing(pod, (c) => c.securityContext?.runAsNonRoot === false)
  const implicit = podValue === true ? [] : failing(pod, (c) => c.securityContext?.runAsNonRoot === undefined)
  const reason = "runAsNonRoot != true"
  // A pod that says no matters only where a container does not say otherwise, but it is named even so.
  const who = setters(podValue === false, explicit)
  if (who.length > 0)
    return { reason, detail: `${who.join(" and ")} must not set securityContext.runAsNonRoot=false` }
  if (implicit.length === 0) return undefined
  return { reason, detail: `pod or ${containersText(implicit)} must set securityContext.runAsNonRoot=true` }
}

function runAsUser(pod: PodLike): Violation | undefined {
  const onPod = pod.spec.securityContext?.runAsUser === 0
  const who = setters(
    onPod,
    failing(pod, (c) => c.securityContext?.runAsUser === 0),
  )
  return who.length === 0
    ? undefined
    : { reason: "runAsUser=0", detail: `${who.join(" and ")} must not set runAsUser=0` }
}

function seccompRestricted(pod: PodLike): Violation | undefined {
  if (isWindows(pod)) return undefined
  const good = (type: string | undefined): boolean => type === "RuntimeDefault" || type === "Localhost"
  const explicit = seccompBaseline(pod)
  if (explicit) return explicit
  if (good(pod.spec.securityContext?.seccompProfile?.type)) return undefined
  const names = failing(pod, (c) => c.securityContext?.seccompProfile?.type === undefined)
  if (names.length === 0) return undefined
  return {
    reason: "seccompProfile",
    detail: `pod or ${containersText(names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  }
}
