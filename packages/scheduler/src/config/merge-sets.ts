/** A profile's plugins over the default ones. Mirrors: pkg/scheduler/apis/config/v1/default_plugins.go (mergePlugins) */
import { extensionPoints, type PluginSet, type PluginSets } from "../framework/points.ts"

/** What is given at each point: those disabled are gone, those configured again stay in their place, others come last. */
export function mergeSets(defaults: PluginSets, given: PluginSets | undefined): PluginSets {
  if (!given) return defaults
  return Object.fromEntries(
    (["multiPoint", ...extensionPoints] as const)
      .map((point) => [point, mergeSet(defaults[point] ?? {}, given[point] ?? {})] as const)
      .filter(([, { enabled, disabled }]) => enabled.length > 0 || disabled.length > 0),
  )
}

function mergeSet(
  defaults: PluginSet,
  given: PluginSet,
): Required<{ [K in keyof PluginSet]: NonNullable<PluginSet[K]> }> {
  const disabled = [...(given.disabled ?? []), ...(defaults.disabled ?? [])].map(({ name }) => ({ name }))
  const gone = new Set(disabled.map(({ name }) => name))
  // Of several of one name the last counts here; that it comes twice is found out when the plugins are put in place.
  const custom = new Map((given.enabled ?? []).map((choice) => [choice.name, choice]))
  const kept = gone.has("*") ? [] : (defaults.enabled ?? []).filter(({ name }) => !gone.has(name))
  const replaced = new Set(kept.map(({ name }) => custom.get(name)))
  return {
    enabled: [
      ...kept.map((choice) => custom.get(choice.name) ?? choice),
      ...(given.enabled ?? []).filter((choice) => !replaced.has(choice)),
    ],
    disabled,
  }
}
