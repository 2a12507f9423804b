/** What users should know about a pod that is accepted. Mirrors: pkg/api/pod/warnings.go */
import { goQuote, isDNS1123Label, semanticEqual, warningsForIP } from "@knarr/apimachinery"
import { appArmorAnnotationPrefix, appArmorDeprecation, appArmorProfileOf } from "./app-armor.ts"
import { claimSpecWarnings } from "./claim.warnings.ts"
import { fractionalBytes } from "./fractional-bytes.ts"
import { nodeLabelDeprecation, nodeSelectorTermWarnings } from "./node-label.warnings.ts"
import { overlappingPathWarnings } from "./overlapping-paths.ts"
import { containersOf } from "./pod-containers.ts"
import { portWarnings } from "./pod-ports.warnings.ts"
import type { Container, EnvVar, EphemeralContainer, Pod, PodSpec, PodTemplateSpec } from "./types.gen.ts"

/** Warnings about a new pod; changes of pods, which people hardly make, are not looked at. */
export function podWarnings(pod: Readonly<Pod>, old?: Readonly<Pod>): string[] {
  if (old) return []
  const reasons = isDNS1123Label(pod.metadata.name ?? "")
  const out = specWarnings("", pod.spec, pod.metadata.annotations ?? {})
  if (reasons.length === 0) return out
  const text = `this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${reasons.join(" ")}]`
  return [`metadata.name: ${text}`, ...out]
}

/** Warnings about a template, whose path is `spec.template` in most kinds. */
export function templateWarnings(path: string, template: Readonly<PodTemplateSpec>): string[] {
  return specWarnings(`${path}.`, template.spec, template.metadata?.annotations ?? {})
}

interface Generation {
  readonly metadata: { readonly name?: string | undefined; readonly generation?: number | undefined }
}

/** Warnings of a workload: about its name when it is new, and about its template when it is new or has changed. */
export function workloadWarnings(
  obj: Generation & { readonly spec: { readonly template?: PodTemplateSpec | undefined } },
  old?: Generation,
): string[] {
  if (old && old.metadata.generation === obj.metadata.generation) return []
  const out = old ? [] : podNameWarnings(obj.metadata.name)
  return obj.spec.template ? [...out, ...templateWarnings("spec.template", obj.spec.template)] : out
}

/** The name of what makes pods becomes part of their names. */
export function podNameWarnings(name: string | undefined): string[] {
  const reasons = isDNS1123Label(name ?? "")
  if (reasons.length === 0) return []
  return [
    `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${reasons.join(" ")}]`,
  ]
}

type Annotations = Readonly<Record<string, string>>

const deadAnnotations: readonly (readonly [key: string, message: string])[] = [
  [
    "scheduler.alpha.kubernetes.io/critical-pod",
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  ],
  ["security.alpha.kubernetes.io/sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'],
  [
    "security.alpha.kubernetes.io/unsafe-sysctls",
    'non-functional in v1.11+; use the "sysctls" field instead',
  ],
]
const podSeccomp = "seccomp.security.alpha.kubernetes.io/pod"
const containerSeccomp = "container.seccomp.security.alpha.kubernetes.io/"
const seccompMessage = 'non-functional in v1.27+; use the "seccompProfile" field instead'
const bytes = ["memory", "ephemeral-storage"]

/** `prefix` is "" for a pod, and the path of the template with a dot for a template. */
function specWarnings(prefix: string, spec: Readonly<PodSpec>, annotations: Annotations): string[] {
  const path = `${prefix}spec`
  const annotation = (key: string): string => `${prefix}metadata.annotations[${key}]`
  const out = nodeLabelWarnings(path, spec)
  for (const [key, message] of deadAnnotations)
    if (annotations[key] !== undefined) out.push(`${annotation(key)}: ${message}`)
  out.push(...volumeWarnings(path, spec), ...overlappingPathWarnings(spec.volumes))
  out.push(...listWarnings(path, spec), ...fractionalBytes(`${path}.overhead`, spec.overhead, bytes))
  if (annotations[podSeccomp] !== undefined && !spec.securityContext?.seccompProfile)
    out.push(`${annotation(podSeccomp)}: ${seccompMessage}`)
  for (const [at, container] of containersOf(path, spec)) {
    const { securityContext } = container
    const seccomp = containerSeccomp + container.name
    if (annotations[seccomp] !== undefined && !securityContext?.seccompProfile)
      out.push(`${annotation(seccomp)}: ${seccompMessage}`)
    const armor = appArmorAnnotationPrefix + container.name
    // A pod's own annotation has become a field, with a warning.
    if (prefix !== "" && annotations[armor] !== undefined && !securityContext?.appArmorProfile) {
      const ofPod = spec.securityContext?.appArmorProfile
      if (!ofPod || !semanticEqual(ofPod, appArmorProfileOf(annotations[armor])))
        out.push(`${annotation(armor)}: ${appArmorDeprecation}`)
    }
    out.push(...containerWarnings(at, container))
  }
  out.push(...portWarnings(path, spec))
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    out.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    )
  out.push(...affinityWarnings(path, spec))
  for (const [i, server] of (spec.dnsConfig?.nameservers ?? []).entries())
    out.push(...warningsForIP(`${path}.dnsConfig.nameservers[${i}]`, server))
  for (const [i, { ip }] of (spec.hostAliases ?? []).entries())
    out.push(...warningsForIP(`${path}.hostAliases[${i}].ip`, ip))
  return out
}

function nodeLabelWarnings(path: string, spec: Readonly<PodSpec>): string[] {
  const out: string[] = []
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const message = nodeLabelDeprecation(key)
    if (message) out.push(`${path}.nodeSelector[${key}]: ${message}`)
  }
  const {
    requiredDuringSchedulingIgnoredDuringExecution: required,
    preferredDuringSchedulingIgnoredDuringExecution: preferred,
  } = spec.affinity?.nodeAffinity ?? {}
  const at = `${path}.affinity.nodeAffinity`
  for (const [i, term] of (required?.nodeSelectorTerms ?? []).entries())
    out.push(
      ...nodeSelectorTermWarnings(
        `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`,
        term,
        false,
      ),
    )
  for (const [i, { preference }] of (preferred ?? []).entries())
    out.push(
      ...nodeSelectorTermWarnings(
        `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}].preference`,
        preference,
        true,
      ),
    )
  for (const [i, { topologyKey, labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    const here = `${path}.topologySpreadConstraints[${i}]`
    const message = nodeLabelDeprecation(topologyKey)
    if (message) out.push(`${here}.topologyKey: ${topologyKey} is ${message}`)
    if (!labelSelector) out.push(`${here}.labelSelector: ${selectsNothing}`)
  }
  return out
}

const selectsNothing = "a null labelSelector results in matching no pod"

function affinityWarnings(path: string, { affinity }: Readonly<PodSpec>): string[] {
  const out: string[] = []
  for (const kind of ["podAffinity", "podAntiAffinity"] as const) {
    const at = `${path}.affinity.${kind}`
    const {
      requiredDuringSchedulingIgnoredDuringExecution: required,
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    } = affinity?.[kind] ?? {}
    for (const [i, { labelSelector }] of (required ?? []).entries())
      if (!labelSelector)
        out.push(
          `${at}.requiredDuringSchedulingIgnoredDuringExecution[${i}].labelSelector: ${selectsNothing}`,
        )
    for (const [i, { podAffinityTerm }] of (preferred ?? []).entries())
      if (!podAffinityTerm?.labelSelector)
        out.push(
          `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}].podAffinityTerm.labelSelector: ${selectsNothing}`,
        )
  }
  return out
}

/** Kinds of volumes that are not served any more. */
const goneVolumes = {
  photonPersistentDisk: "deprecated in v1.11, non-functional in v1.16+",
  gitRepo: "deprecated in v1.11, and disabled by default in v1.33+",
  scaleIO: "deprecated in v1.16, non-functional in v1.22+",
  flocker: "deprecated in v1.22, non-functional in v1.25+",
  storageos: "deprecated in v1.22, non-functional in v1.25+",
  quobyte: "deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "deprecated in v1.25, non-functional in v1.26+",
  ephemeral: "",
  cephfs: "deprecated in v1.28, non-functional in v1.31+",
  rbd: "deprecated in v1.28, non-functional in v1.31+",
} as const

function volumeWarnings(path: string, spec: Readonly<PodSpec>): string[] {
  const out: string[] = []
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    const at = `${path}.volumes[${i}]`
    for (const [name, message] of Object.entries(goneVolumes)) {
      if (!volume[name as keyof typeof goneVolumes]) continue
      if (message) out.push(`${at}.${name === "storageos" ? "storageOS" : name}: ${message}`)
      else
        out.push(
          ...claimSpecWarnings(
            `${at}.ephemeral.volumeClaimTemplate.spec`,
            volume.ephemeral?.volumeClaimTemplate?.spec,
          ),
        )
    }
  }
  return out
}

/** Items that hide one another. */
function listWarnings(path: string, spec: Readonly<PodSpec>): string[] {
  const out: string[] = []
  const ips = new Set<string>()
  for (const [i, { ip }] of (spec.hostAliases ?? []).entries()) {
    if (ips.has(ip)) out.push(`${path}.hostAliases[${i}].ip: duplicate ip ${goQuote(ip)}`)
    ips.add(ip)
  }
  const secrets = spec.imagePullSecrets ?? []
  const names = new Set<string>()
  for (const [i, { name = "" }] of secrets.entries()) {
    if (names.has(name)) out.push(`${path}.imagePullSecrets[${i}].name: duplicate name ${goQuote(name)}`)
    names.add(name)
  }
  for (const [i, { name }] of secrets.entries())
    if (!name) out.push(`${path}.imagePullSecrets[${i}].name: invalid empty name ""`)
  return out
}

function containerWarnings(path: string, container: Readonly<Container | EphemeralContainer>): string[] {
  const { limits, requests } = container.resources ?? {}
  const at = `${path}.resources`
  return [
    ...bytes.flatMap((name) => [
      ...fractionalBytes(`${at}.limits`, limits, [name]),
      ...fractionalBytes(`${at}.requests`, requests, [name]),
    ]),
    ...envWarnings(path, container.env ?? []),
  ]
}

function envWarnings(path: string, env: readonly EnvVar[]): string[] {
  const out: string[] = []
  const seen = new Set<string>()
  for (const [i, { name, value = "", valueFrom }] of env.entries()) {
    const reference = `$(${name})`
    // X="$(X)more" builds on what was there.
    const hides = valueFrom !== undefined || value === reference || !value.includes(reference)
    if (seen.has(name) && hides)
      out.push(
        `${path}.env[${i}]: hides previous definition of ${goQuote(name)}, which may be dropped when using apply`,
      )
    seen.add(name)
  }
  return out
}
