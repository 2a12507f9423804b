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
  const texts: Texts = {}
  const generic = new GenericTexts()
  const modelsByKind = groupBy(sources.modelNames, (name) => versionAndKind.exec(name)?.[2])
  for (const name of Object.keys(definitions)) {
    const { properties = {} } = definitions[name]!
    const fields = Object.keys(properties)
    const models = modelsOf(name, modelsByKind, sources).filter((model) => fits(model, fields))
    const types = typesOf(name, sources.modules).filter((type) => fits(type, fields))
    const out = (texts[name] ??= {})
    out[""] ??= merge(first(models, ""), first(types, ""))
    for (const field of fields) {
      const { $ref, allOf, enum: values } = properties[field]!
      const target = ($ref ?? allOf?.[0]?.$ref)?.slice(refPrefix.length)
      let declared = first(models, field)
      if (target && declared && isOf(target, field, declared)) {
        const own = (texts[target] ??= {})
        own[""] = merge(declared, own[""] ?? first(typesOf(target, sources.modules), ""))
        declared = undefined
      }
      if ($ref !== undefined) continue
      let text = merge(declared, first(types, field))
      if (target && text) generic.add(field, target, text)
      if (target && types.length === 0) text ??= generic.get(field, target)
      if (text && values)
        text += `\n\nPossible enum values:${values.map((value) => `\n - \`"${value}"\``).join("")}`
      out[field] = text
    }
  }
  return Object.fromEntries(
    Object.entries(texts).filter(([, own]) => Object.values(own).some((text) => text !== undefined)),
  )
}

/**
 * Of a field that holds a definition without a class, client-node often says the definition's text. Such texts
 * begin with the definition's name.
 */
function isOf(target: string, field: string, text: string): boolean {
  const { kind } = partsOf(target)
  return text.startsWith(`${kind} `) && spelling(kind) !== spelling(field)
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

/** What fields of one name and type are said to be elsewhere: the answer where nothing else is known. */
class GenericTexts {
  readonly #counts = new Map<string, Map<string, number>>()

  add(field: string, target: string, text: string): void {
    const key = `${field} ${target}`
    let counts = this.#counts.get(key)
    if (!counts) this.#counts.set(key, (counts = new Map()))
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }

  /** The usual text: any for object metadata, which all objects have; elsewhere the one that all agree on. */
  get(field: string, target: string): string | undefined {
    const counts = [...(this.#counts.get(`${field} ${target}`) ?? [])].sort(([, a], [, b]) => b - a)
    if (field === "metadata") return counts[0]?.[0]
    return counts.length === 1 && counts[0]![1] > 1 ? counts[0]![0] : undefined
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
