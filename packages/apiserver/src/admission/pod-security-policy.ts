/**
 * The security levels that a namespace's labels ask for, beside those of the configuration. Pure.
 * Mirrors: pod-security-admission api/helpers.go
 */
import { field, type FieldError } from "@knarr/apimachinery"
import type { Level } from "./pod-security-checks.ts"

export const labelPrefix = "pod-security.kubernetes.io/"

const levels: readonly string[] = ["privileged", "baseline", "restricted"] satisfies Level[]

export interface LevelVersion {
  readonly level: Level
  readonly version: string
}

export interface Policy {
  readonly enforce: LevelVersion
  readonly audit: LevelVersion
  readonly warn: LevelVersion
}

/** More for a stricter level. */
export function strictness(level: Level): number {
  return levels.indexOf(level)
}

/** Why a text is no level. */
export function levelProblem(text: string): string | undefined {
  return levels.includes(text) ? undefined : `must be one of ${levels.join(", ")}`
}

/** Why a text is no version. */
export function versionProblem(text: string): string | undefined {
  return text === "latest" || /^v1\.([0-9]|[1-9][0-9]*)$/.test(text)
    ? undefined
    : 'must be "latest" or "v1.x"'
}

export function isPrivileged({ enforce, audit, warn }: Policy): boolean {
  return [enforce, audit, warn].every(({ level }) => level === "privileged")
}

type Labels = Readonly<Record<string, string>>

/** What labels ask for, and what is wrong with them. Mirrors: PolicyToEvaluate */
export function policyOf(
  labels: Labels = {},
  defaults: Policy,
): Policy & { readonly errors: readonly FieldError[] } {
  const errors: FieldError[] = []
  /** `fallback` stands for a level that nobody knows. */
  const read = (
    mode: keyof Policy,
    fallback: Level,
  ): { isSet: boolean; isValid: boolean; isVersioned: boolean; policy: LevelVersion } => {
    const level = labels[`${labelPrefix}${mode}`]
    const version = labels[`${labelPrefix}${mode}-version`]
    const problemOf = (label: string, value: string | undefined, why: string | undefined): boolean => {
      if (why !== undefined) errors.push(field.invalid(`metadata.labels[${labelPrefix}${label}]`, value, why))
      return why === undefined
    }
    const isValid = problemOf(mode, level, level === undefined ? undefined : levelProblem(level))
    const isGood = problemOf(
      `${mode}-version`,
      version,
      version === undefined ? undefined : versionProblem(version),
    )
    const own = defaults[mode]
    return {
      isSet: level !== undefined,
      isValid,
      isVersioned: version !== undefined,
      policy: {
        level: level === undefined ? own.level : isValid ? (level as Level) : fallback,
        version: isGood ? (version ?? own.version) : "latest",
      },
    }
  }
  const { policy: enforce, ...enforced } = read("enforce", "restricted")
  const { policy: audit } = read("audit", "privileged")
  const warned = read("warn", "privileged")
  let warn = warned.policy
  const isStricter = strictness(enforce.level) > strictness(warn.level)
  if (!warned.isSet && enforced.isSet && enforced.isValid && isStricter)
    warn = { level: enforce.level, version: warned.isVersioned ? warn.version : enforce.version }
  return { enforce, audit, warn, errors }
}
