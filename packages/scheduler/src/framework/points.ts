/**
 * Which plugins are asked at which extension point, and in which order.
 * Mirrors: pkg/scheduler/framework/runtime/framework.go (updatePluginList, expandMultiPointPlugins, getValidScoreWeights)
 */
import type { LoadedPlugin, SchedulerPlugin } from "./plugin.ts"

/** In the order in which they are looked at; a plugin extends a point when it has one of the methods. */
const points = {
  preFilter: { type: "PreFilterPlugin", methods: ["preFilter"] },
  filter: { type: "FilterPlugin", methods: ["filter"] },
  postFilter: { type: "PostFilterPlugin", methods: ["postFilter"] },
  reserve: { type: "ReservePlugin", methods: ["reserve", "unreserve"] },
  preScore: { type: "PreScorePlugin", methods: ["preScore"] },
  score: { type: "ScorePlugin", methods: ["score"] },
  preBind: { type: "PreBindPlugin", methods: ["preBind"] },
  bind: { type: "BindPlugin", methods: ["bind"] },
  postBind: { type: "PostBindPlugin", methods: ["postBind"] },
  permit: { type: "PermitPlugin", methods: ["permit"] },
  preEnqueue: { type: "PreEnqueuePlugin", methods: ["preEnqueue"] },
  queueSort: { type: "QueueSortPlugin", methods: ["less"] },
} as const satisfies Record<string, { type: string; methods: readonly (keyof SchedulerPlugin)[] }>

export type ExtensionPoint = keyof typeof points

export const extensionPoints = Object.keys(points) as readonly ExtensionPoint[]

/** A plugin that is asked for. */
export interface PluginChoice {
  readonly name: string
  /** Of its score; 0 and undefined are 1. */
  readonly weight?: number | undefined
}

export interface PluginSet {
  readonly enabled?: readonly PluginChoice[] | undefined
  /** `*` is all of them. */
  readonly disabled?: readonly { readonly name: string }[] | undefined
}

/** As a configuration has them: `multiPoint` stands for every point that a plugin extends. */
export type PluginSets = Readonly<Partial<Record<ExtensionPoint | "multiPoint", PluginSet>>>

export type Arrangement = ReadonlyMap<ExtensionPoint, readonly LoadedPlugin[]>

/** The sum of weighted scores must stay a number of 64 bits. */
const maxWeights = Math.floor(Number.MAX_SAFE_INTEGER / 100)

/** Names of the plugins that are wanted anywhere. */
export function neededPlugins(sets: PluginSets): ReadonlySet<string> {
  const wanted = [...extensionPoints, "multiPoint" as const].flatMap((point) => sets[point]?.enabled ?? [])
  return new Set(wanted.map(({ name }) => name))
}

/** What each score counts. Throws when they are too much together. */
export function weightsOf(sets: PluginSets): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const { name, weight } of [...(sets.score?.enabled ?? []), ...(sets.multiPoint?.enabled ?? [])])
    if (!weights.has(name)) weights.set(name, weight || 1)
  const total = weights.values().reduce((sum, weight) => sum + weight, 0)
  if (total > maxWeights) throw new Error("score plugins: total score of Score plugins could overflow")
  return weights
}

/** Every plugin wherever it has a say, in the order of the list. */
export function arrangeAll(plugins: readonly LoadedPlugin[]): Arrangement {
  return new Map(
    extensionPoints.map((point) => [point, plugins.filter((plugin) => extendsPoint(plugin, point))]),
  )
}

/** As a configuration wants it. Throws when it asks for what there is not, or twice for the same. */
export function arrange(plugins: readonly LoadedPlugin[], sets: PluginSets): Arrangement {
  const byName = new Map(plugins.map((plugin) => [plugin.name, plugin]))
  const named = (point: ExtensionPoint, name: string): LoadedPlugin => {
    const plugin = byName.get(name)
    if (!plugin) throw new Error(`${points[point].type} "${name}" does not exist`)
    return plugin
  }
  const arranged = new Map<ExtensionPoint, readonly LoadedPlugin[]>()
  for (const point of extensionPoints) arranged.set(point, listed(point, sets[point]?.enabled ?? [], named))
  for (const point of extensionPoints) {
    const disabled = new Set((sets[point]?.disabled ?? []).map(({ name }) => name))
    if (disabled.has("*")) continue
    const own = arranged.get(point)!
    const many = (sets.multiPoint?.enabled ?? []).map(({ name }) => named(point, name))
    const wanted = many.filter((plugin) => isKnownAt(plugin, point) && !disabled.has(plugin.name))
    const added = wanted.filter((plugin) => !own.includes(plugin))
    const twice = added.find((plugin, i) => added.indexOf(plugin) !== i)
    if (twice) throw new Error(`plugin "${twice.name}" already registered as "${points[point].type}"`)
    // What is set for the point itself comes first if it only puts one of the many elsewhere, and last if it is new.
    const [moved, news] = [true, false].map((is) => own.filter((plugin) => wanted.includes(plugin) === is))
    arranged.set(point, [...moved!, ...added, ...news!])
  }
  for (const [point, plugins] of arranged)
    arranged.set(
      point,
      plugins.filter((plugin) => extendsPoint(plugin, point)),
    )
  return arranged
}

function listed(
  point: ExtensionPoint,
  choices: readonly PluginChoice[],
  named: (point: ExtensionPoint, name: string) => LoadedPlugin,
): readonly LoadedPlugin[] {
  const plugins: LoadedPlugin[] = []
  for (const { name } of choices) {
    const plugin = named(point, name)
    const { type } = points[point]
    if (!isKnownAt(plugin, point)) throw new Error(`plugin "${name}" does not extend ${type} plugin`)
    if (plugins.includes(plugin)) throw new Error(`plugin "${name}" already registered as "${type}"`)
    plugins.push(plugin)
  }
  return plugins
}

function isKnownAt(plugin: LoadedPlugin, point: ExtensionPoint): boolean {
  return extendsPoint(plugin, point) || plugin.nothingToDoAt.includes(point)
}

function extendsPoint({ plugin }: LoadedPlugin, point: ExtensionPoint): boolean {
  return points[point].methods.some((method) => plugin[method] !== undefined)
}
