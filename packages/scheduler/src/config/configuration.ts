/** Reads, completes and checks the scheduler's configuration. Mirrors: pkg/scheduler/apis/config/v1/defaults.go, cmd/kube-scheduler/app/options */
import { parseGoDuration, strictErrorMessage } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { ConfigFileError, decodeConfig, parseConfig, readConfigText } from "@knarr/client"
import { completedArgs, type PluginDescriptor } from "../framework/plugin.ts"
import { neededPlugins, type PluginSets } from "../framework/points.ts"
import type { PluginList } from "../framework/profile.ts"
import type { ProfileConfig } from "../scheduler.ts"
import { nodeResourcesFit } from "../plugins/node-resources-fit.plugin.ts"
import { mergeSets } from "./merge-sets.ts"
import { refuseWhatCannotBe } from "./refused.ts"
import { validateConfiguration } from "./validate.ts"
import {
  configurationType,
  configurationVersion,
  defaultElection,
  packageName,
  type CompleteConfiguration,
  type CompleteProfile,
  type LeaderElection,
  type WrittenConfiguration,
  type WrittenExtender,
  type WrittenPluginConfig,
  type WrittenProfile,
} from "./written.ts"

/** What the scheduler makes of it. */
export interface SchedulerConfiguration {
  readonly profiles: readonly ProfileConfig[]
  readonly backoff: { readonly firstMs: number; readonly maxMs: number }
  readonly extenders: readonly WrittenExtender[]
  /** Undefined: nobody is elected. */
  readonly election: Election | undefined
}

/** What is not said is as elections have it. */
export interface Election {
  /** The Lease. */
  readonly name: string
  readonly namespace?: string
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
}

const defaultSchedulerName = "default-scheduler"

/** Reads the file. Rejects with a ConfigFileError that says what is wrong with it. */
export async function readSchedulerConfiguration(
  file: string,
  plugins: PluginList,
): Promise<SchedulerConfiguration> {
  try {
    return await parseSchedulerConfiguration(await readConfigText(file), plugins)
  } catch (thrown) {
    throw new ConfigFileError(file, thrown)
  }
}

/** Reads the document, and completes it by the defaults of `plugins`. Rejects with an Error in upstream's words. */
export async function parseSchedulerConfiguration(
  text: string,
  plugins: PluginList,
): Promise<SchedulerConfiguration> {
  const { config, strictErrors } = await parseConfig<WrittenConfiguration>(text, configurationType)
  const known = new Map(
    plugins.map((one) => ("plugin" in one ? one.plugin : one)).map((one) => [one.name, one]),
  )
  const written = config.profiles?.length ? config.profiles : [{}]
  const { profiles, errors } = decodeArgs(written, known)
  const strict = [...strictErrors, ...errors]
  if (strict.length > 0) throw new Error(strictErrorMessage(strict))
  const [first] = profiles
  const named =
    profiles.length === 1 && first!.schedulerName === undefined
      ? [{ ...first, schedulerName: defaultSchedulerName }]
      : profiles
  const complete = { ...config, profiles: named.map((profile) => completeProfile(profile, known)) }
  validateConfiguration(complete, known)
  refuseWhatCannotBe(complete, known)
  return settled(complete, known)
}

/** The arguments of each profile's plugins as their tables say. Throws for what is no object of theirs. */
function decodeArgs(
  profiles: readonly WrittenProfile[],
  known: ReadonlyMap<string, PluginDescriptor<any>>,
): { profiles: readonly WrittenProfile[]; errors: readonly string[] } {
  const errors: string[] = []
  const decoded = profiles.map((profile, i) => ({
    ...profile,
    pluginConfig: (profile.pluginConfig ?? []).map(({ name, args }, j) => {
      const argsTable = known.get(name)?.argsTable
      if (!argsTable) return { name, args }
      const kind = `${name}Args`
      const value = { apiVersion: configurationVersion, kind, ...args }
      const where = `decoding .profiles[${i}].pluginConfig[${j}]`
      if (value.kind !== kind)
        throw new Error(
          `${where}: args for plugin ${name} were not of type ${kind}.kubescheduler.config.k8s.io, got ${value.kind}.kubescheduler.config.k8s.io`,
        )
      try {
        const argsType = { apiVersions: [configurationVersion], kind, packageName, table: argsTable }
        const { apiVersion: _, kind: __, ...own } = decodeConfig<Record<string, unknown>>(value, argsType)
        return { name, args: own }
      } catch (thrown) {
        const message = `decoding args for plugin ${name}: ${messageOf(thrown)}`
        if (!messageOf(thrown).startsWith("strict decoding error"))
          throw new Error(`${where}: ${message}`, { cause: thrown })
        errors.push(`${where}: strict decoding error: ${message}`)
        return { name }
      }
    }),
  }))
  return { profiles: decoded, errors }
}

function completeProfile(
  { schedulerName, ...profile }: WrittenProfile,
  known: ReadonlyMap<string, PluginDescriptor<any>>,
): CompleteProfile {
  const plugins = mergeSets(defaultSets(known), profile.plugins)
  const completed = ({ name, args }: WrittenPluginConfig): WrittenPluginConfig => {
    const descriptor = known.get(name)
    return { name, args: descriptor ? completedArgs(descriptor, args) : args }
  }
  const written = profile.pluginConfig ?? []
  const others = [...neededPlugins(plugins)]
    .filter((name) => known.get(name)?.argsTable && !written.some((one) => one.name === name))
    .sort()
    .map((name) => ({ name }))
  return {
    ...profile,
    ...(schedulerName === undefined ? {} : { schedulerName }),
    plugins,
    pluginConfig: [...written, ...others].map(completed),
  }
}

function defaultSets(known: ReadonlyMap<string, PluginDescriptor<any>>): PluginSets {
  return { multiPoint: { enabled: [...known.values()].map(({ name, weight }) => ({ name, weight })) } }
}

function settled(
  config: CompleteConfiguration,
  known: ReadonlyMap<string, PluginDescriptor<any>>,
): SchedulerConfiguration {
  const { podInitialBackoffSeconds = 1, podMaxBackoffSeconds = 10, extenders = [] } = config
  const managed = extenders.flatMap(({ managedResources = [] }) => managedResources)
  const ignored = managed.flatMap(({ name, ignoredByScheduler }) =>
    ignoredByScheduler && name ? [name] : [],
  )
  /** What an extender looks after is not counted, whatever the arguments say. */
  const argsOf = ({ pluginConfig }: CompleteProfile, plugin: string): object => {
    const args = pluginConfig.find(({ name }) => name === plugin)?.args ?? {}
    return ignored.length > 0 && plugin === nodeResourcesFit.name
      ? { ...args, ignoredResources: ignored }
      : args
  }
  return {
    profiles: config.profiles.map((profile) => ({
      schedulerName: profile.schedulerName!,
      sets: profile.plugins,
      percentageOfNodesToScore: profile.percentageOfNodesToScore ?? config.percentageOfNodesToScore,
      plugins: [...known.values()].map((plugin) => ({
        plugin,
        args: argsOf(profile, plugin.name),
      })),
    })),
    backoff: { firstMs: podInitialBackoffSeconds * 1000, maxMs: podMaxBackoffSeconds * 1000 },
    extenders,
    election: electionOf(config.leaderElection ?? {}),
  }
}

function electionOf(given: LeaderElection): Election | undefined {
  if (given.leaderElect === false) return undefined
  const { resourceName: name, resourceNamespace: namespace } = given
  const durationMs = (field: "leaseDuration" | "renewDeadline" | "retryPeriod"): number =>
    parseGoDuration(given[field] ?? defaultElection[field])
  return {
    namespace: namespace ?? defaultElection.resourceNamespace,
    name: name ?? defaultElection.resourceName,
    leaseDurationMs: durationMs("leaseDuration"),
    renewDeadlineMs: durationMs("renewDeadline"),
    retryPeriodMs: durationMs("retryPeriod"),
  }
}
