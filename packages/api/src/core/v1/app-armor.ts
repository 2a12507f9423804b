/** AppArmor by annotation, as before it had fields. Mirrors: pkg/registry/core/pod/strategy.go (applyAppArmorVersionSkew) */
import { field, goQuote, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { containersOf } from "./pod-containers.ts"
import type { AppArmorProfile, Pod, PodSpec } from "./types.gen.ts"

/** In front of a container's name. */
export const appArmorAnnotationPrefix = "container.apparmor.security.beta.kubernetes.io/"

export const appArmorDeprecation = 'deprecated since v1.30; use the "appArmorProfile" field instead'

/** The profile that an annotation means. */
export function appArmorProfileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === "unconfined") return { type: "Unconfined" }
  if (annotation === "runtime/default") return { type: "RuntimeDefault" }
  const local = /^localhost\/(.+)$/s.exec(annotation)?.[1]
  return local === undefined ? undefined : { type: "Localhost", localhostProfile: local }
}

/** Sets the field of each container that has but the annotation; `warn` hears of annotations that say something. */
export function applyAppArmorAnnotations(pod: Pod, warn: (text: string) => void): void {
  const { metadata, spec } = pod
  if (spec.os?.name === "windows") return
  const podProfile = spec.securityContext?.appArmorProfile
  for (const [, container] of containersOf("spec", spec)) {
    const key = appArmorAnnotationPrefix + container.name
    const annotation = metadata.annotations?.[key]
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue
    const profile = appArmorProfileOf(annotation)
    if (profile && semanticEqual(profile, podProfile)) continue
    if (profile && isValid(profile))
      container.securityContext = { ...container.securityContext, appArmorProfile: profile }
    warn(`metadata.annotations[${key}]: ${appArmorDeprecation}`)
  }
}

/** Annotations are for containers that there are, and name profiles. */
export function validateAppArmorAnnotations(
  path: string,
  annotations: Readonly<Record<string, string>>,
  spec: Readonly<PodSpec>,
): FieldError[] {
  const out: FieldError[] = []
  let names: Set<string> | undefined
  for (const [key, profile] of Object.entries(annotations)) {
    if (!key.startsWith(appArmorAnnotationPrefix)) continue
    const name = key.slice(appArmorAnnotationPrefix.length)
    names ??= new Set(Array.from(containersOf("", spec), ([, container]) => container.name))
    if (!names.has(name)) out.push(field.invalid(`${path}[${key}]`, name, "container not found"))
    const known = ["", "runtime/default", "unconfined"].includes(profile) || profile.startsWith("localhost/")
    if (!known)
      out.push(
        field.invalid(`${path}[${key}]`, profile, `invalid AppArmor profile name: ${goQuote(profile)}`),
      )
  }
  return out
}

/** The longest name of a profile on the node, in bytes: the longest path there is. */
const maxProfileLength = 4095

function isValid({ localhostProfile }: AppArmorProfile): boolean {
  return (
    localhostProfile === undefined ||
    (localhostProfile.trim() === localhostProfile && localhostProfile.length <= maxProfileLength)
  )
}
