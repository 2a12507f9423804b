/** What is wrong with a scheduler's configuration. Mirrors: pkg/scheduler/apis/config/validation/validation.go */
import { isExtendedResource } from "@knarr/api"
import {
  aggregateMessage,
  field,
  isQualifiedName,
  parseGoDuration,
  type FieldError,
} from "@knarr/apimachinery"
import type { PluginDescriptor } from "../framework/plugin.ts"
import { extensionPoints, type PluginSets } from "../framework/points.ts"
import {
  configurationVersion,
  defaultElection,
  type CompleteConfiguration,
  type CompleteProfile,
  type LeaderElection,
  type WrittenExtender,
} from "./written.ts"

type Known = ReadonlyMap<string, PluginDescriptor<any>>

/** Throws an Error with all that is wrong. */
export function validateConfiguration(config: CompleteConfiguration, known: Known): void {
  const { parallelism = 16, podInitialBackoffSeconds: first = 1, podMaxBackoffSeconds: max = 10 } = config
  const errors: FieldError[] = []
  const { burst = 0 } = config.clientConnection ?? {}
  if (burst < 0) errors.push(field.invalid("clientConnection.burst", burst, "must be non-negative"))
  errors.push(...electionErrors(config.leaderElection ?? {}))
  if (parallelism <= 0)
    errors.push(field.invalid("parallelism", parallelism, "should be an integer value greater than zero"))
  for (const [i, profile] of config.profiles.entries()) {
    const at = `profiles[${i}]`
    errors.push(...profileErrors(profile, at, known))
    // Upstream shows a path where the value would be, which prints as an empty object.
    const isTaken = config.profiles
      .slice(0, i)
      .some(({ schedulerName: other }) => (other ?? "") === (profile.schedulerName ?? ""))
    if (isTaken) errors.push(field.duplicate(`${at}.schedulerName`, {}))
  }
  errors.push(...queueSortErrors(config.profiles))
  errors.push(...percentageErrors("percentageOfNodesToScore", config.percentageOfNodesToScore))
  if (first <= 0) errors.push(field.invalid("podInitialBackoffSeconds", first, "must be greater than 0"))
  if (max < first)
    errors.push(
      field.invalid("podMaxBackoffSeconds", max, "must be greater than or equal to PodInitialBackoffSeconds"),
    )
  errors.push(...extenderErrors(config.extenders ?? []))
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
}

/** Mirrors: component-base config/validation (ValidateLeaderElectionConfiguration) */
function electionErrors(given: LeaderElection): FieldError[] {
  const out: FieldError[] = []
  const at = (name: string): string => `leaderElection.${name}`
  const { leaderElect = true, resourceLock = "leases" } = given
  const timeOf = (name: "leaseDuration" | "renewDeadline" | "retryPeriod"): number | undefined => {
    const text = given[name] ?? defaultElection[name]
    const ms = durationMs(text)
    if (ms === undefined) out.push(field.invalid(at(name), text, "must be a duration"))
    else if (leaderElect && ms <= 0) out.push(field.invalid(at(name), text, "must be greater than zero"))
    return ms
  }
  const [lease, renewal] = [timeOf("leaseDuration"), timeOf("renewDeadline"), timeOf("retryPeriod")]
  if (!leaderElect) return out
  if (lease !== undefined && renewal !== undefined && lease <= renewal)
    out.push(
      field.invalid(
        at("leaseDuration"),
        given.renewDeadline ?? defaultElection.renewDeadline,
        "must be greater than `RenewDeadline`",
      ),
    )
  if (resourceLock !== "leases")
    out.push(field.invalid(at("resourceLock"), resourceLock, 'resourceLock value must be "leases"'))
  return out
}

function durationMs(text: string): number | undefined {
  try {
    return parseGoDuration(text)
  } catch {
    return undefined
  }
}

function profileErrors(profile: CompleteProfile, path: string, known: Known): FieldError[] {
  const out: FieldError[] = []
  if (!profile.schedulerName) out.push(field.required(`${path}.schedulerName`, ""))
  out.push(...percentageErrors(`${path}.percentageOfNodesToScore`, profile.percentageOfNodesToScore))
  for (const point of extensionPoints)
    for (const [i, { name }] of (profile.plugins[point]?.enabled ?? []).entries())
      out.push(...removedErrors(`${path}.plugins.${point}.enabled[${i}]`, name))
  const names = profile.pluginConfig.map(({ name }) => name)
  for (const [i, { name, args }] of profile.pluginConfig.entries()) {
    const at = `${path}.pluginConfig[${i}]`
    if (names.indexOf(name) < i) out.push(field.duplicate(at, name))
    out.push(...removedErrors(at, name))
    // Upstream looks at these when it makes the plugin, and so says it of the plugin.
    if (name !== "NodeResourcesFit")
      out.push(...(known.get(name)?.validateArgs?.(args ?? {}, `${at}.args`) ?? []))
  }
  return out
}

const removed = new Set(["AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits"])

function removedErrors(path: string, name: string): FieldError[] {
  const detail = `was invalid in version "v1" (KubeSchedulerConfiguration is version "${configurationVersion}")`
  return removed.has(name) ? [field.invalid(path, name, detail)] : []
}

function percentageErrors(path: string, percentage: number | undefined): FieldError[] {
  if (percentage === undefined || (percentage >= 0 && percentage <= 100)) return []
  return [field.invalid(path, percentage, "not in valid range [0-100]")]
}

function queueSortErrors(profiles: readonly CompleteProfile[]): FieldError[] {
  const out: FieldError[] = []
  const shown = ({ queueSort }: PluginSets): object => {
    const choices = (
      list: readonly { name: string; weight?: number | undefined }[] | undefined,
    ): object | null =>
      list?.length ? list.map(({ name, weight = 0 }) => ({ Name: name, Weight: weight })) : null
    return { Enabled: choices(queueSort?.enabled), Disabled: choices(queueSort?.disabled) }
  }
  const [first, ...others] = profiles.map(({ plugins }) => shown(plugins))
  const count = profiles[0]!.plugins.queueSort?.enabled?.length ?? 0
  if (count > 1)
    out.push(
      field.invalid(
        "profiles[0].plugins.queueSort.Enabled",
        count,
        "only one queue sort plugin can be enabled",
      ),
    )
  for (const [i, other] of others.entries())
    if (JSON.stringify(other) !== JSON.stringify(first))
      out.push(
        field.invalid(`profiles[${i + 1}].plugins.queueSort`, other, "must be the same for all profiles"),
      )
  return out
}

function extenderErrors(extenders: readonly WrittenExtender[]): FieldError[] {
  const out: FieldError[] = []
  const managed = new Set<string>()
  for (const [
    i,
    { prioritizeVerb, weight = 0, managedResources = [], httpTimeout = "0s" },
  ] of extenders.entries()) {
    const at = `extenders[${i}]`
    if (prioritizeVerb && weight <= 0)
      out.push(field.invalid(`${at}.weight`, weight, "must have a positive weight applied to it"))
    if (durationMs(httpTimeout) === undefined)
      out.push(field.invalid(`${at}.httpTimeout`, httpTimeout, "must be a duration"))
    for (const [j, { name = "" }] of managedResources.entries()) {
      const here = `${at}.managedResources[${j}].name`
      const reasons = isQualifiedName(name)
      for (const reason of reasons) out.push(field.invalid(here, name, reason))
      if (reasons.length === 0 && !isExtendedResource(name))
        out.push(field.invalid(here, name, "is an invalid extended resource name"))
      if (managed.has(name)) out.push(field.invalid(here, name, "duplicate extender managed resource name"))
      managed.add(name)
    }
  }
  const binders = extenders.filter(({ bindVerb }) => bindVerb).length
  if (binders > 1)
    out.push(
      field.invalid(
        "extenders",
        `found ${binders} extenders implementing bind`,
        "only one extender can implement bind",
      ),
    )
  return out
}
