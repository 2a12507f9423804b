/**
 * The operator's configuration of pod security: levels for namespaces that say nothing, and who is exempt.
 * Mirrors: pod-security-admission admission/api/{v1,validation,load}
 */
import {
  aggregateMessage,
  field,
  isDNS1123Label,
  isDNS1123Subdomain,
  type FieldError,
} from "@knarr/apimachinery"
import { decodeConfig, type ConfigType } from "@knarr/client"
import type { Level } from "./pod-security-checks.ts"
import { levelProblem, versionProblem, type Policy } from "./pod-security-policy.ts"

export interface Exemptions {
  readonly usernames: ReadonlySet<string>
  readonly namespaces: ReadonlySet<string>
  readonly runtimeClasses: ReadonlySet<string>
}

const modes = ["enforce", "warn", "audit"] as const
type Mode = (typeof modes)[number]

interface Configuration {
  readonly defaults?: Readonly<Partial<Record<Mode | `${Mode}-version`, string>>>
  readonly exemptions?: Readonly<Partial<Record<keyof Exemptions, readonly string[]>>>
}

const type: ConfigType = {
  apiVersions: ["v1", "v1beta1", "v1alpha1"].map(
    (version) => `pod-security.admission.config.k8s.io/${version}`,
  ),
  kind: "PodSecurityConfiguration",
  packageName: "io.k8s.pod-security-admission.admission.api.v1",
  table: {
    PodSecurityConfiguration: {
      apiVersion: "string",
      defaults: "PodSecurityDefaults",
      exemptions: "PodSecurityExemptions",
      kind: "string",
    },
    PodSecurityDefaults: {
      audit: "string",
      "audit-version": "string",
      enforce: "string",
      "enforce-version": "string",
      warn: "string",
      "warn-version": "string",
    },
    PodSecurityExemptions: { namespaces: "[]string", runtimeClasses: "[]string", usernames: "[]string" },
  },
}

/** Undefined: privileged, and nobody is exempt. Throws for what is wrong. */
export function readPodSecurityConfiguration(value: unknown): { defaults: Policy; exempt: Exemptions } {
  const { defaults = {}, exemptions = {} } =
    value === undefined ? {} : decodeConfig<Configuration>(value, type)
  const errors: FieldError[] = []
  const check = (name: string, text: string, why: string | undefined): void => {
    if (why !== undefined) errors.push(field.invalid(`defaults.${name}`, text, why))
  }
  const policyOf = (mode: Mode): Policy[Mode] => {
    const level = defaults[mode] || "privileged"
    const version = defaults[`${mode}-version`] || "latest"
    check(mode, level, levelProblem(level))
    check(`${mode}-version`, version, versionProblem(version))
    return { level: level as Level, version }
  }
  const [enforce, warn, audit] = modes.map(policyOf) as [Policy[Mode], Policy[Mode], Policy[Mode]]
  const distinct = (name: keyof Exemptions, problem: (text: string) => string): ReadonlySet<string> => {
    const found = new Set<string>()
    for (const [at, text] of (exemptions[name] ?? []).entries()) {
      const path = `exemptions.${name}[${at}]`
      const why = problem(text)
      if (why !== "") errors.push(field.invalid(path, text, why))
      else if (found.has(text)) errors.push(field.duplicate(path, text))
      else found.add(text)
    }
    return found
  }
  const namespaces = distinct("namespaces", (text) => isDNS1123Label(text).join(", "))
  const runtimeClasses = distinct("runtimeClasses", (text) => isDNS1123Subdomain(text).join(", "))
  const usernames = distinct("usernames", (text) => (text === "" ? "username must not be empty" : ""))
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  return { defaults: { enforce, warn, audit }, exempt: { namespaces, runtimeClasses, usernames } }
}
