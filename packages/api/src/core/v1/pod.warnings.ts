/** What users should know about a pod that is accepted. Mirrors: pkg/api/pod/warnings.go */
import { parseQuantity } from "@knarr/apimachinery"
import type { Pod, PodSpec, PodTemplateSpec } from "./types.gen.ts"

/** Labels of nodes that are going away, and what to use. */
const deprecatedNodeLabels: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": 'use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region": 'use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone": 'use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type": 'use "node.kubernetes.io/instance-type" instead',
}

export function podWarnings(pod: Readonly<Pod>, old?: Readonly<Pod>): string[] {
  // A status or metadata write says nothing new about the spec.
  if (old && pod.metadata.generation === old.metadata.generation) return []
  return specWarnings("spec", pod.spec, pod.metadata.annotations)
}

/** Warnings about a template, whose path is `spec.template` in most kinds. */
export function templateWarnings(path: string, template: Readonly<PodTemplateSpec>): string[] {
  return specWarnings(`${path}.spec`, template.spec, template.metadata?.annotations)
}

function specWarnings(
  path: string,
  spec: Readonly<PodSpec>,
  annotations: Readonly<Record<string, string>> | undefined,
): string[] {
  const out: string[] = []
  for (const label of Object.keys(spec.nodeSelector ?? {}))
    if (deprecatedNodeLabels[label])
      out.push(`${path}.nodeSelector[${label}]: deprecated since v1.14; ${deprecatedNodeLabels[label]}`)
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    const at = `${path}.volumes[${i}]`
    if (volume.gitRepo) out.push(`${at}.gitRepo: deprecated in v1.11, and disabled by default in v1.33+`)
    if (volume.glusterfs) out.push(`${at}.glusterfs: deprecated in v1.25, non-functional in v1.26+`)
    if (volume.rbd) out.push(`${at}.rbd: deprecated in v1.28, non-functional in v1.31+`)
    if (volume.cephfs) out.push(`${at}.cephfs: deprecated in v1.28, non-functional in v1.31+`)
    if (volume.photonPersistentDisk)
      out.push(`${at}.photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+`)
    if (volume.scaleIO) out.push(`${at}.scaleIO: deprecated in v1.16, non-functional in v1.22+`)
    if (volume.flocker) out.push(`${at}.flocker: deprecated in v1.22, non-functional in v1.25+`)
    if (volume.quobyte) out.push(`${at}.quobyte: deprecated in v1.22, non-functional in v1.25+`)
    if (volume.storageos) out.push(`${at}.storageOS: deprecated in v1.22, non-functional in v1.25+`)
  }
  const aliases = new Set<string>()
  for (const [i, { ip }] of (spec.hostAliases ?? []).entries()) {
    if (aliases.has(ip)) out.push(`${path}.hostAliases[${i}].ip: duplicate ip "${ip}"`)
    aliases.add(ip)
  }
  const secrets = new Set<string>()
  for (const [i, { name }] of (spec.imagePullSecrets ?? []).entries()) {
    if (!name) out.push(`${path}.imagePullSecrets[${i}].name: invalid empty name "${name ?? ""}"`)
    else if (secrets.has(name)) out.push(`${path}.imagePullSecrets[${i}].name: duplicate name "${name}"`)
    secrets.add(name ?? "")
  }
  if (annotations?.["seccomp.security.alpha.kubernetes.io/pod"] !== undefined)
    out.push(
      'metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead',
    )
  if (
    spec.priority !== undefined &&
    spec.terminationGracePeriodSeconds !== undefined &&
    spec.terminationGracePeriodSeconds < 0
  )
    out.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    )
  for (const kind of ["initContainers", "containers"] as const) {
    for (const [i, container] of (spec[kind] ?? []).entries()) {
      const at = `${path}.${kind}[${i}]`
      for (const list of ["limits", "requests"] as const) {
        const resources = container.resources?.[list] ?? {}
        for (const name of ["ephemeral-storage", "memory"]) {
          const amount = resources[name]
          if (amount !== undefined && !Number.isInteger(parseQuantity(amount).asNumber()))
            out.push(
              `${at}.resources.${list}[${name}]: fractional byte value "${parseQuantity(amount)}" is invalid, must be an integer`,
            )
        }
      }
      const names = new Map<string, string | undefined>()
      for (const [j, { name, value }] of (container.env ?? []).entries()) {
        if (names.has(name) && !(names.get(name) !== value && (value ?? "").includes(`$(${name})`)))
          out.push(
            `${at}.env[${j}]: hides previous definition of "${name}", which may be dropped when using apply`,
          )
        names.set(name, value)
      }
      const ports = new Set<string>()
      for (const [j, port] of (container.ports ?? []).entries()) {
        const key = `${port.containerPort}/${port.protocol}/${port.hostIP ?? ""}/${port.hostPort ?? ""}`
        if (ports.has(key))
          out.push(
            `${at}.ports[${j}]: duplicate port definition with ${at}.ports[${[...ports].indexOf(key)}]`,
          )
        ports.add(key)
      }
    }
  }
  return out
}
