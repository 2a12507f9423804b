/** Brings the texts of the sources together under the names of the published definitions. */
import { restoreLineBreaks } from "./line-breaks.ts"
import type { TypeTexts } from "./sources.ts"

/** What is needed of a published definition. */
export interface Definition {
  readonly properties?: Readonly<Record<string, Property>> | undefined
}

interface Property {
  /** A reference on its own: a field that has no text. */
  readonly $ref?: string
  /** A reference beside a text. */
  readonly allOf?: readonly { readonly $ref?: string }[]
  readonly enum?: readonly string[]
}

export interface Sources {
  /** Names of client-node's models, like `V1Container` and `CoreV1Event`. */
  readonly modelNames: readonly string[]
  /** Texts of one of them. */
  readModel(name: string): TypeTexts
  /** Texts of kubernetes-types, by module (`core/v1`) and type. */
  readonly modules: ReadonlyMap<string, ReadonlyMap<string, TypeTexts>>
}

/** Texts by definition name; within, the definition's own under "" and those of its fields. */
export type Texts = Record<string, Record<string, string | undefined>>

const refPrefix = "#/components/schemas/"
const versionAndKind = /(V\d+(?:(?:alpha|beta)\d+)?)(\w+)$/

/** Texts of every definition that a source knows, in its own version or else another one. */
export function collectTexts(definitions: Readonly<Record<string, Definition>>, sources: Sources): Texts {
  const modelsByKind = groupBy(sources.modelNames, (name) => versionAndKind.exec(name)?.[2])
  const found = Object.entries(definitions).map(([name, { properties = {} }]) => {
    const fields = Object.keys(properties)
    const models = modelsOf(name, modelsByKind, sources).filter((model) => fits(model, fields))
    const types = typesOf(name, sources.modules).filter((type) => fits(type, fields))
    return { name, properties: Object.entries(properties), models, types }
  })

  // Of a field that holds a definition without a class, client-node often says the definition's text, which
  // begins with its name. Some fields' own texts do, too: the text that most fields have is the definition's.
  const referred = new Counts()
  for (const { properties, models } of found)
    for (const [field, property] of properties) {
      const target = targetOf(property)
      const text = first(models, field)
      if (target && text?.startsWith(`${partsOf(target).kind} `)) referred.add(target, text)
    }

  const texts: Texts = {}
  const usual = new Counts()
  for (const { name, properties, models, types } of found) {
    const out: Texts[string] = (texts[name] = {})
    out[""] = merge(first(models, "") ?? referred.most(name), first(types, ""))
    for (const [field, property] of properties) {
      if (property.$ref !== undefined) continue
      const target = targetOf(property)
      const declared = first(models, field)
      const own = target && declared === referred.most(target) ? undefined : declared
      let text = merge(own, first(types, field))
      if (target && text) usual.add(`${field} ${target}`, text)
      if (target && types.length === 0) text ??= usualText(usual, field, target)
      if (text && property.enum)
        text += `\n\nPossible enum values:${property.enum.map((value) => `\n - \`"${value}"\``).join("")}`
      out[field] = text
    }
  }
  return Object.fromEntries(
    Object.entries(texts).filter(([, own]) => Object.values(own).some((text) => text !== undefined)),
  )
}

/** The definition that a field refers to. */
function targetOf({ $ref, allOf }: Property): string | undefined {
  return ($ref ?? allOf?.[0]?.$ref)?.slice(refPrefix.length)
}

/** What fields of one name and type usually say: any of it for metadata, elsewhere what all of several agree on. */
function usualText(usual: Counts, field: string, target: string): string | undefined {
  const key = `${field} ${target}`
  return field === "metadata" || usual.agree(key) ? usual.most(key) : undefined
}

/** Models of a definition's name: its own version's first, then the newest. */
function modelsOf(
  name: string,
  modelsByKind: ReadonlyMap<string, readonly string[]>,
  sources: Sources,
): readonly TypeTexts[] {
  const { group, version, kind } = partsOf(name)
  const own = title(version) + kind
  const rank = (model: string): number =>
    model === title(group) + own ? 0 : model === own ? 1 : 2 + ageOf(versionAndKind.exec(model)![1]!)
  return (modelsByKind.get(kind) ?? [])
    .filter((model) => model.startsWith("V") || model.startsWith(`${title(group)}V`))
    .sort((a, b) => rank(a) - rank(b))
    .map((model) => sources.readModel(model))
}

/** Likewise, of kubernetes-types. */
function typesOf(name: string, modules: Sources["modules"]): readonly TypeTexts[] {
  const { group, version, kind } = partsOf(name)
  const own = `${group}/${version}`
  const rank = (module: string): number => (module === own ? 0 : 1 + ageOf(module.slice(group.length + 1)))
  return [...modules.keys()]
    .filter((module) => module.startsWith(`${group}/`) || (module === version && !/^v\d/.test(version)))
    .sort((a, b) => rank(a) - rank(b))
    .map((module) => modules.get(module)!.get(kind))
    .filter((texts) => texts !== undefined)
}

/** `io.k8s.api.core.v1.Container` in its parts. */
function partsOf(name: string): { group: string; version: string; kind: string } {
  const [kind = "", version = "", group = ""] = name.split(".").reverse()
  return { group, version, kind }
}

/** A small number for a new version, a great one for an old one. */
function ageOf(version: string): number {
  const [, major = "0", stage, minor = "0"] = /v(\d+)(?:(alpha|beta)(\d+))?$/i.exec(version) ?? []
  return (
    1e6 - ((stage === undefined ? 2 : stage === "beta" ? 1 : 0) * 1e4 + Number(major) * 100 + Number(minor))
  )
}

/** True when the texts can be of a type with these fields: other groups have types of the same name. */
function fits(texts: TypeTexts, fields: readonly string[]): boolean {
  const known = new Set(fields.map(spelling))
  const told = Object.keys(texts).filter((field) => field !== "")
  return told.filter((field) => known.has(spelling(field))).length * 2 >= told.length
}

/** A field's name without what a generator changes in it: `$ref` is `ref`, `continue` is `_continue`. */
function spelling(field: string): string {
  return field.replace(/[^a-zA-Z0-9]/g, "").toLowerCase()
}

function first(types: readonly TypeTexts[], field: string): string | undefined {
  for (const texts of types) {
    if (texts[field]) return texts[field]
    const wanted = spelling(field)
    const key = field && Object.keys(texts).find((key) => key !== "" && spelling(key) === wanted)
    if (key) return texts[key]
  }
  return undefined
}

/** The newer text, with the line breaks of the older. */
function merge(newer: string | undefined, older: string | undefined): string | undefined {
  return newer ? restoreLineBreaks(newer, older) : older
}

/** How often which text was met under a key. */
class Counts {
  readonly #counts = new Map<string, Map<string, number>>()

  add(key: string, text: string): void {
    let counts = this.#counts.get(key)
    if (!counts) this.#counts.set(key, (counts = new Map()))
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }

  /** The text that was met most often. */
  most(key: string): string | undefined {
    return [...(this.#counts.get(key) ?? [])].sort(([, a], [, b]) => b - a)[0]?.[0]
  }

  /** True when one text was met, and more than once. */
  agree(key: string): boolean {
    const counts = [...(this.#counts.get(key)?.values() ?? [])]
    return counts.length === 1 && counts[0]! > 1
  }
}

function title(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

function groupBy(
  names: readonly string[],
  keyOf: (name: string) => string | undefined,
): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const key = keyOf(name)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group) group.push(name)
    else groups.set(key, [name])
  }
  return groups
}
