/** A scenario's file: what it may say, read strictly, with the place of whatever is wrong. docs/simulate.md explains it. */
import {
  formatLabelSelector,
  parseGoDuration,
  parseJSONPath,
  parseTime,
  type JSONPath,
} from "@knarr/apimachinery"
import { Fields, ScenarioError } from "./fields.ts"

/** An object as a manifest has it. */
export interface ManifestObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name?: string; readonly generateName?: string; readonly namespace?: string }
  readonly [field: string]: unknown
}

/** A manifest's file, or the object itself. */
export type Manifest = string | ManifestObject

export interface ScenarioNode {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly cpus?: number
  readonly memoryBytes?: number
  readonly maxPods?: number
}

/** An object, or those that a selector of labels means. */
export interface Target {
  readonly kind: string
  readonly namespace: string
  readonly name: string | undefined
  readonly selector: string | undefined
}

export type Action =
  | { readonly do: "loseNode" | "returnNode"; readonly node: string }
  | { readonly do: "apply"; readonly manifests: readonly Manifest[] }
  | { readonly do: "delete"; readonly target: Target }
  | { readonly do: "scale"; readonly target: Target; readonly replicas: number }
  | { readonly do: "patch"; readonly target: Target; readonly patch: unknown }
  | {
      readonly do: "load"
      readonly target: Target
      readonly cpuNanoCores: number | undefined
      readonly memoryBytes: number | undefined
    }
  | { readonly do: "clockJump"; readonly byMs: number }
  | { readonly do: "restartControllers" }

export interface ScenarioEvent {
  readonly atMs: number
  readonly action: Action
}

export interface Expectation {
  /** It must hold at some moment from `fromMs` to `byMs`; both are the same for one moment. */
  readonly fromMs: number
  readonly byMs: number
  /** As it was written. */
  readonly text: string
  readonly target: Target
  readonly check: Check
}

export type Check =
  | { readonly of: "path"; readonly path: JSONPath; readonly text: string; readonly equals: string }
  | { readonly of: "condition"; readonly type: string; readonly status: string }
  | { readonly of: "exists"; readonly exists: boolean }
  | { readonly of: "count"; readonly atLeast: number; readonly atMost: number }

export interface Scenario {
  readonly seed: number
  readonly startMs: number | undefined
  readonly durationMs: number
  readonly nodes: readonly ScenarioNode[]
  readonly manifests: readonly Manifest[]
  readonly events: readonly ScenarioEvent[]
  readonly expectations: readonly Expectation[]
}

const maxNodes = 1000
const maxDurationMs = 366 * 86_400_000

/** Reads a scenario from parsed YAML. Throws a {@link ScenarioError} that names what is wrong and where. */
export function readScenario(value: unknown): Scenario {
  const root = Fields.of(value, "")
  root.only(
    "apiVersion",
    "kind",
    "metadata",
    "seed",
    "start",
    "duration",
    "nodes",
    "manifests",
    "events",
    "expect",
  )
  root.optional("kind", (one) => one.oneOf("Scenario"))
  root.optional("apiVersion", (one) => one.oneOf("simulation.knarr.dev/v1"))
  const durationMs = root.required("duration", (one) => one.parsed(durationOf(1, maxDurationMs)))
  const within = durationOf(0, durationMs)
  return {
    seed: root.optional("seed", (one) => one.integer(0, Number.MAX_SAFE_INTEGER)) ?? 1,
    startMs: root.optional("start", (one) => one.parsed(timeOf)),
    durationMs,
    nodes: root.optional("nodes", readNodes) ?? [{ name: "node-0" }],
    manifests: root.optional("manifests", (one) => one.each(readManifest)) ?? [],
    events: (root.optional("events", (one) => one.each((event) => readEvent(event, within))) ?? []).toSorted(
      (a, b) => a.atMs - b.atMs,
    ),
    expectations:
      root.optional("expect", (one) => one.each((expect) => readExpectation(expect, within))) ?? [],
  }
}

function readNodes(field: Fields): ScenarioNode[] {
  if (typeof field.value === "number") {
    const count = field.integer(0, maxNodes)
    return Array.from({ length: count }, (_, i) => ({ name: `node-${i}` }))
  }
  const nodes = field.each((one) => {
    one.only("name", "labels", "cpus", "memory", "maxPods")
    const cpus = one.optional("cpus", (cpu) => cpu.quantity())
    const memoryBytes = one.optional("memory", (memory) => memory.quantity())
    const maxPods = one.optional("maxPods", (pods) => pods.integer(0, 10_000))
    const labels = one.optional("labels", (map) => map.texts())
    return {
      name: one.required("name", (name) => name.text()),
      ...(labels ? { labels } : {}),
      ...(cpus === undefined ? {} : { cpus }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(maxPods === undefined ? {} : { maxPods }),
    }
  })
  const names = new Set<string>()
  for (const { name } of nodes) {
    if (names.has(name)) throw new ScenarioError(field.path, `two nodes are called "${name}"`)
    names.add(name)
  }
  if (nodes.length > maxNodes) throw new ScenarioError(field.path, `at most ${maxNodes} nodes`)
  return nodes
}

function readManifest(field: Fields): Manifest {
  if (typeof field.value === "string") return field.text()
  field.required("apiVersion", (one) => one.text())
  field.required("kind", (one) => one.text())
  field.required("metadata", (one) => one.map())
  return field.value as ManifestObject
}

const actions = {
  loseNode: (one: Fields): Action => ({ do: "loseNode", node: one.text() }),
  returnNode: (one: Fields): Action => ({ do: "returnNode", node: one.text() }),
  apply: (one: Fields): Action => ({
    do: "apply",
    manifests: Array.isArray(one.value) ? one.each(readManifest) : [readManifest(one)],
  }),
  delete: (one: Fields): Action => ({ do: "delete", target: readTarget(one) }),
  scale: (one: Fields): Action => ({
    do: "scale",
    target: readTarget(one, "replicas"),
    replicas: one.required("replicas", (count) => count.integer(0, 100_000)),
  }),
  patch: (one: Fields): Action => ({
    do: "patch",
    target: readTarget(one, "patch"),
    patch: one.required("patch", (patch) => patch.map()).value,
  }),
  load: (one: Fields): Action => {
    const target = readTarget(one, "cpu", "memory")
    const cpu = one.optional("cpu", (amount) => amount.quantity())
    const memoryBytes = one.optional("memory", (amount) => amount.quantity())
    if (cpu === undefined && memoryBytes === undefined)
      throw new ScenarioError(one.path, "needs cpu or memory")
    if (target.kind !== "Pod") throw new ScenarioError(one.path, "only pods can be loaded")
    return { do: "load", target, cpuNanoCores: cpu === undefined ? undefined : cpu * 1e9, memoryBytes }
  },
  clockJump: (one: Fields): Action => ({
    do: "clockJump",
    byMs: one.parsed(durationOf(-maxDurationMs, maxDurationMs)),
  }),
  restartControllers: (one: Fields): Action => {
    one.oneOf(true)
    return { do: "restartControllers" }
  },
} as const satisfies Record<string, (field: Fields) => Action>

function readEvent(field: Fields, within: (text: string) => number): ScenarioEvent {
  const names = Object.keys(actions) as (keyof typeof actions)[]
  field.only("at", ...names)
  const given = names.filter((name) => field.has(name))
  if (given.length !== 1)
    throw new ScenarioError(field.path, `needs exactly one of ${names.join(", ")}, besides at`)
  return {
    atMs: field.required("at", (one) => one.parsed(within)),
    action: field.required(given[0]!, actions[given[0]!]),
  }
}

function readTarget(field: Fields, ...more: readonly string[]): Target {
  field.only("kind", "namespace", "name", "selector", ...more)
  const name = field.optional("name", (one) => one.text())
  const selector = field.optional("selector", (one) =>
    typeof one.value === "string" ? one.text() : formatLabelSelector({ matchLabels: one.texts() }),
  )
  if (name !== undefined && selector !== undefined)
    throw new ScenarioError(field.path, "name and selector exclude each other")
  return {
    kind: field.required("kind", (one) => one.text()),
    namespace: field.optional("namespace", (one) => one.text()) ?? "default",
    ...{ name, selector },
  }
}

const expectationFields = ["at", "by", "path", "equals", "condition", "exists", "count"]

function readExpectation(field: Fields, within: (text: string) => number): Expectation {
  const target = readTarget(field, ...expectationFields)
  const at = field.optional("at", (one) => one.parsed(within))
  const by = field.optional("by", (one) => one.parsed(within))
  if ((at === undefined) === (by === undefined))
    throw new ScenarioError(field.path, "needs either at (a moment) or by (the latest one)")
  const given = ["path", "condition", "exists", "count"].filter((name) => field.has(name))
  if (given.length !== 1)
    throw new ScenarioError(field.path, "needs exactly one of path (with equals), condition, exists, count")
  const check = readCheck(field, given[0]!)
  if (check.of !== "count" && target.name === undefined)
    throw new ScenarioError(field.path, `${given[0]} needs the name of an object`)
  return { fromMs: at ?? 0, byMs: at ?? by!, text: describe(target, check), target, check }
}

function readCheck(field: Fields, name: string): Check {
  if (name !== "path" && field.has("equals")) throw new ScenarioError(field.path, "equals belongs to path")
  switch (name) {
    case "path": {
      const text = field.required("path", (one) => one.text())
      const path = field.required("path", (one) =>
        one.parsed((template) => parseJSONPath(template, { allowMissingKeys: true })),
      )
      return { of: "path", path, text, equals: field.required("equals", (one) => one.scalar()) }
    }
    case "condition": {
      const text = field.required("condition", (one) => one.text())
      const [type, status = "True"] = text.split("=") as [string, string?]
      return { of: "condition", type, status }
    }
    case "exists":
      return { of: "exists", exists: field.required("exists", (one) => one.boolean()) }
    default:
      return field.required("count", (one) => {
        if (typeof one.value === "number") {
          const count = one.integer(0, Number.MAX_SAFE_INTEGER)
          return { of: "count", atLeast: count, atMost: count }
        }
        one.only("atLeast", "atMost")
        const bound = (which: string): number | undefined =>
          one.optional(which, (value) => value.integer(0, Number.MAX_SAFE_INTEGER))
        return { of: "count", atLeast: bound("atLeast") ?? 0, atMost: bound("atMost") ?? Infinity }
      })
  }
}

function describe({ kind, namespace, name, selector }: Target, check: Check): string {
  const of = `${kind} ${namespace}/${name ?? (selector === undefined ? "*" : `(${selector})`)}`
  switch (check.of) {
    case "path":
      return `${of}: ${check.text} is ${JSON.stringify(check.equals)}`
    case "condition":
      return `${of}: condition ${check.type} is ${check.status}`
    case "exists":
      return `${of} ${check.exists ? "is there" : "is not there"}`
    case "count":
      return check.atLeast === check.atMost
        ? `${of}: ${check.atLeast} of them`
        : `${of}: at least ${check.atLeast}${check.atMost === Infinity ? "" : `, at most ${check.atMost}`} of them`
  }
}

function durationOf(leastMs: number, mostMs: number): (text: string) => number {
  return (text) => {
    const ms = parseGoDuration(text)
    if (ms < leastMs) throw new Error(`${JSON.stringify(text)} is too early`)
    if (ms > mostMs) throw new Error(`${JSON.stringify(text)} is past ${mostMs / 1000} s, the end`)
    return ms
  }
}

function timeOf(text: string): number {
  const ms = parseTime(text)
  if (Number.isNaN(ms)) throw new Error(`${JSON.stringify(text)} is no time such as 2026-01-01T00:00:00Z`)
  return ms
}
