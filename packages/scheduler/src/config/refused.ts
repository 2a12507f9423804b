/** What a configuration may ask of kube-scheduler and cannot be had here: it is refused with why, never left out. */
import type { PluginDescriptor } from "../framework/plugin.ts"
import { neededPlugins } from "../framework/points.ts"
import type { CompleteConfiguration } from "./written.ts"

const ownConnection = "the scheduler is part of the server and calls its API without a connection"
const noProfiles = "profiles in Go's format are not served"

/** Upstream's plugins that are not there, with why. */
const missingPlugins: Readonly<Record<string, string>> = {
  DeferredPodScheduling: "resizes of pods make no room by preemption",
  GangScheduling: "pod groups are off in Kubernetes 1.37",
  PodGroupPodsCount: "pod groups are off in Kubernetes 1.37",
  TopologyPlacementGenerator: "pod groups are off in Kubernetes 1.37",
}

/** Throws an Error that names the field. */
export function refuseWhatCannotBe(
  config: CompleteConfiguration,
  known: ReadonlyMap<string, PluginDescriptor<any>>,
): void {
  const refuse = (field: string, why: string): never => {
    throw new Error(`${field} can not be given here: ${why}`)
  }
  for (const [name, value] of Object.entries(config.clientConnection ?? {}))
    if (value !== undefined && value !== "" && value !== 0) refuse(`clientConnection.${name}`, ownConnection)
  if (config.enableProfiling) refuse("enableProfiling", noProfiles)
  if (config.enableContentionProfiling) refuse("enableContentionProfiling", noProfiles)
  for (const [i, { plugins, pluginConfig }] of config.profiles.entries()) {
    for (const point of ["placementGenerate", "placementScore", "podGroupPostFilter"])
      if (point in plugins) refuse(`profiles[${i}].plugins.${point}`, missingPlugins["GangScheduling"]!)
    const asked = new Set([...neededPlugins(plugins), ...pluginConfig.map(({ name }) => name)])
    for (const [name, why] of Object.entries(missingPlugins))
      if (asked.has(name) && !known.has(name)) refuse(`profiles[${i}]: the plugin "${name}"`, why)
  }
}
