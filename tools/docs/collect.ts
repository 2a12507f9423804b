/** Brings the texts of the sources together under the names of the published definitions. */
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
  /** Texts of kubernetes-models, by definition name in capital words: `IoK8sApiCoreV1Pod`. */
  readonly models: ReadonlyMap<string, TypeTexts>
  /** Names of client-node's classes, like `V1Container` and `CoreV1Event`. */
  readonly classNames: readonly string[]
  /** Texts of one of them. */
  readClass(name: string): TypeTexts
}

/** Texts by definition name; within, the definition's own under "" and those of its fields. */
export type Texts = Record<string, Record<string, string>>

/** What is before the version, the version, the kind. */
const versioned = /^(\w*?)(V\d+(?:(?:alpha|beta)\d+)?)([A-Z]\w*)$/

/** Texts of every definition that a source knows, in its own version or else in another one. */
export function collectTexts(definitions: Readonly<Record<string, Definition>>, sources: Sources): Texts {
  const find = candidates(sources)
  const usual = new UsualTexts()
  const untold: { readonly out: Record<string, string>; readonly field: string; readonly target: string }[] =
    []
  const texts: Texts = {}
  for (const [name, { properties = {} }] of Object.entries(definitions)) {
    const { models, classes } = find(name, Object.keys(properties))
    const out: Record<string, string> = {}
    const own = textOf([...models, ...classes], "")
    if (own) out[""] = own
    for (const [field, { $ref, allOf, enum: values }] of Object.entries(properties)) {
      if ($ref !== undefined) continue
      const target = allOf?.[0]?.$ref
      // Of a field that holds another type, client-node has that type's text, if any.
      const text = textOf(target === undefined ? [...models, ...classes] : models, field)
      if (text) out[field] = values ? withValues(text, values) : text
      if (target === undefined) continue
      if (text) usual.add(field, target, text)
      else if (models.length === 0) untold.push({ out, field, target })
    }
    texts[name] = out
  }
  for (const { out, field, target } of untold) {
    const text = usual.get(field, target)
    if (text) out[field] = text
  }
  return Object.fromEntries(Object.entries(texts).filter(([, own]) => Object.keys(own).length > 0))
}

interface Candidates {
  readonly models: readonly TypeTexts[]
  readonly classes: readonly TypeTexts[]
}

/** Where texts of a definition with these fields can be: its own version first, then others, the newest first. */
function candidates(sources: Sources): (name: string, fields: readonly string[]) => Candidates {
  const modelsByKind = groupByKind(sources.models.keys())
  const classesByKind = groupByKind(sources.classNames)
  return (name, fields) => {
    const words = name.split(".").map((part) => capitalWords(part))
    const kind = words.at(-1)!
    const version = words.at(-2)!
    const prefix = words.slice(0, -2).join("")
    const group = words.at(-3)!
    const fitting = (texts: TypeTexts | undefined): texts is TypeTexts =>
      texts !== undefined && fits(texts, fields)
    const models = [prefix + version + kind, ...ranked(modelsByKind.get(kind), [prefix], version)]
    return {
      models: [...new Set(models)].map((model) => sources.models.get(model)).filter(fitting),
      classes: ranked(classesByKind.get(kind), [group, ""], version)
        .map((className) => sources.readClass(className))
        .filter(fitting),
    }
  }
}

interface Name {
  readonly whole: string
  readonly prefix: string
  readonly version: string
}

/** The names with one of the prefixes, in the order of the prefixes; the wanted version first, then the newest. */
function ranked(names: readonly Name[] | undefined, prefixes: readonly string[], version: string): string[] {
  const rank = (name: Name): number =>
    name.version === version ? prefixes.indexOf(name.prefix) : prefixes.length + ageOf(name.version)
  return (names ?? [])
    .filter(({ prefix }) => prefixes.includes(prefix))
    .sort((a, b) => rank(a) - rank(b))
    .map(({ whole }) => whole)
}

function groupByKind(names: Iterable<string>): Map<string, Name[]> {
  const groups = new Map<string, Name[]>()
  for (const whole of names) {
    const [, prefix = "", version = "", kind = ""] = versioned.exec(whole) ?? []
    const group = groups.get(kind)
    if (group) group.push({ whole, prefix, version })
    else groups.set(kind, [{ whole, prefix, version }])
  }
  return groups
}

/** A small number for a new version, a great one for an old one. */
function ageOf(version: string): number {
  const [, major = "0", stage, minor = "0"] = /V(\d+)(?:(alpha|beta)(\d+))?$/.exec(version) ?? []
  return (
    1e6 - ((stage === undefined ? 2 : stage === "beta" ? 1 : 0) * 1e4 + Number(major) * 100 + Number(minor))
  )
}

/** `apiextensions-apiserver` is `ApiextensionsApiserver`. */
function capitalWords(name: string): string {
  return name.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())
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

function textOf(types: readonly TypeTexts[], field: string): string | undefined {
  const wanted = spelling(field)
  for (const texts of types) {
    const key =
      field in texts ? field : Object.keys(texts).find((key) => key !== "" && spelling(key) === wanted)
    if (key !== undefined && texts[key]) return texts[key]
  }
  return undefined
}

/** A text that tells the values, as the server's does; their meaning is in few sources. */
function withValues(text: string, values: readonly string[]): string {
  if (text.includes("Possible enum values:")) return text
  return `${text}\n\nPossible enum values:${values.map((value) => `\n - \`"${value}"\``).join("")}`
}

/** What fields of one name and type are said to be elsewhere: the answer where nothing else is known. */
class UsualTexts {
  readonly #counts = new Map<string, Map<string, number>>()

  add(field: string, target: string, text: string): void {
    const key = `${field} ${target}`
    let counts = this.#counts.get(key)
    if (!counts) this.#counts.set(key, (counts = new Map()))
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }

  /** The commonest of object metadata, which all objects have; elsewhere the one that several fields agree on. */
  get(field: string, target: string): string | undefined {
    const counts = [...(this.#counts.get(`${field} ${target}`) ?? [])].sort(([, a], [, b]) => b - a)
    const [text, count = 0] = counts[0] ?? []
    return field === "metadata" || (counts.length === 1 && count > 1) ? text : undefined
  }
}
