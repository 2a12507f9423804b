/**
 * One OpenAPI v2 document of several: paths that are there stay, definitions of the same name that differ get another one.
 * Mirrors: kube-openapi pkg/aggregator/aggregator.go
 */
import { isDeepStrictEqual } from "node:util"
import type { Json } from "../endpoints/openapi-schemas.ts"

const definitionPrefix = "#/definitions/"
const parameterPrefix = "#/parameters/"
const gvkKey = "x-kubernetes-group-version-kind"

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a value has the form of such a document. */
export function isDocument(value: unknown): value is Json {
  if (!isObject(value)) return false
  return ["paths", "definitions", "parameters"].every(
    (part) =>
      value[part] === undefined || (isObject(value[part]) && Object.values(value[part]).every(isObject)),
  )
}

function part(document: Json, name: string): Json {
  return (document[name] ?? {}) as Json
}

/** The document without other paths, and without definitions that only those referred to. The given one is not changed. */
export function filterPaths(document: Json, keeps: (path: string) => boolean): Json {
  const before = usedDefinitions(document)
  const paths = Object.fromEntries(Object.entries(part(document, "paths")).filter(([path]) => keeps(path)))
  const kept = { ...document, paths }
  const used = usedDefinitions(kept)
  const definitions = Object.fromEntries(
    Object.entries(part(document, "definitions")).filter(([name]) => used.has(name) || !before.has(name)),
  )
  return { ...kept, definitions }
}

/** Definitions that the paths lead to. */
function usedDefinitions(document: Json): Set<string> {
  const used = new Set<string>()
  const definitions = part(document, "definitions")
  const shared = part(document, "parameters")
  const parameters = new Set<string>()
  const open: unknown[] = [document["paths"]]
  while (open.length > 0) {
    const value = open.pop()
    if (Array.isArray(value)) open.push(...(value as unknown[]))
    else if (isObject(value)) {
      const ref = value["$ref"]
      if (typeof ref === "string" && ref.startsWith(definitionPrefix)) {
        const name = ref.slice(definitionPrefix.length)
        if (!used.has(name)) {
          used.add(name)
          open.push(definitions[name])
        }
      } else if (typeof ref === "string" && ref.startsWith(parameterPrefix)) {
        const name = ref.slice(parameterPrefix.length)
        if (!parameters.has(name)) {
          parameters.add(name)
          open.push(shared[name])
        }
      }
      open.push(...Object.values(value))
    }
  }
  return used
}

/** Adds `source` to `into`, which changes; `source` does not. */
export function mergeOpenApi(into: Json, source: Json): void {
  const paths = part(into, "paths")
  const all = Object.keys(part(source, "paths"))
  const fresh = all.filter((path) => !Object.hasOwn(paths, path))
  if (fresh.length === 0) return
  let added = fresh.length === all.length ? source : filterPaths(source, (path) => fresh.includes(path))
  added = renamed(
    added,
    "definitions",
    definitionPrefix,
    conflicts(into, added, "definitions", isSameDefinition),
  )
  added = renamed(
    added,
    "parameters",
    parameterPrefix,
    conflicts(into, added, "parameters", isDeepStrictEqual),
  )
  const definitions = (into["definitions"] ??= {}) as Json
  for (const [name, definition] of Object.entries(part(added, "definitions"))) {
    const present = definitions[name] as Json | undefined
    definitions[name] = present ? withKindsOf(present, definition as Json) : definition
  }
  const parameters = (into["parameters"] ??= {}) as Json
  for (const [name, parameter] of Object.entries(part(added, "parameters"))) parameters[name] ??= parameter
  into["paths"] = Object.assign(paths, part(added, "paths"))
}

/** Other names for what has a name already that means something else. */
function conflicts(
  into: Json,
  source: Json,
  name: "definitions" | "parameters",
  isSame: (a: unknown, b: unknown) => boolean,
): Map<string, string> {
  const present = part(into, name)
  const own = part(source, name)
  const taken = new Set(Object.keys(present))
  const renames = new Map<string, string>()
  for (const [key, value] of Object.entries(own)) {
    if (present[key] === undefined || isSame(present[key], value)) continue
    let number = 2
    const next = (): string => `${key}_v${number}`
    while (present[next()] !== undefined && !isSame(present[next()], value)) number++
    if (present[next()] === undefined) {
      while (taken.has(next()) || own[next()] !== undefined) number++
      taken.add(next())
    }
    renames.set(key, next())
  }
  return renames
}

/** Definitions are the same whatever kinds they are the shape of. */
function isSameDefinition(a: unknown, b: unknown): boolean {
  const bare = (value: unknown): unknown => ({ ...(value as Json), [gvkKey]: undefined })
  return isDeepStrictEqual(bare(a), bare(b))
}

function withKindsOf(present: Json, other: Json): Json {
  const own = present[gvkKey] as Json[] | undefined
  const more = other[gvkKey] as Json[] | undefined
  if (!Array.isArray(more)) return present
  if (!Array.isArray(own)) return { ...present, [gvkKey]: more }
  const keyOf = ({ group, version, kind }: Json): string =>
    `${String(group)}/${String(version)}.${String(kind)}`
  const known = new Set(own.map(keyOf))
  const fresh = more.filter((one) => !known.has(keyOf(one)))
  if (fresh.length === 0) return present
  const all = [...own, ...fresh].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  return { ...present, [gvkKey]: all }
}

function renamed(
  document: Json,
  name: "definitions" | "parameters",
  prefix: string,
  renames: ReadonlyMap<string, string>,
): Json {
  if (renames.size === 0) return document
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace)
    if (!isObject(value)) return value
    const out: Json = {}
    for (const key in value) {
      const ref = value[key]
      const other =
        key === "$ref" && typeof ref === "string" && ref.startsWith(prefix)
          ? renames.get(ref.slice(prefix.length))
          : undefined
      out[key] = other === undefined ? replace(ref) : prefix + other
    }
    return out
  }
  const next = replace(document) as Json
  next[name] = Object.fromEntries(
    Object.entries(part(next, name)).map(([key, value]) => [renames.get(key) ?? key, value]),
  )
  return next
}
