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
export type Texts = Record<string, Record<string, string | undefined>>

const refPrefix = "#/components/schemas/"
/** What is before the version, the version, the kind. */
const versioned = /^(\w*?)(V\d+(?:(?:alpha|beta)\d+)?)([A-Z]\w*)$/

/** Texts of every definition that a source knows, in its own version or else another one. */
export function collectTexts(definitions: Readonly<Record<string, Definition>>, sources: Sources): Texts {
  const modelsByKind = groupBy([...sources.models.keys()], (name) => versioned.exec(name)?.[3])
  const classesByKind = groupBy(sources.classNames, (name) => versioned.exec(name)?.[3])
  const texts: Texts = {}
  const usual = new Counts()
  const untold: { name: string; field: string; target: string }[] = []
  for (const [name, { properties = {} }] of Object.entries(definitions)) {
    const fields = Object.keys(properties)
    const { group, kind } = partsOf(name)
    const own = capitalWords(name)
    const prefix = own.slice(0, own.length - capitalWords(name.split(".").slice(-2).join(".")).length)
    const exact = sources.models.get(own)
    const known = [
      ...(exact ? [exact] : []),
      ...otherVersions(modelsByKind.get(kind), [prefix], own).map((model) => sources.models.get(model)!),
      ...classes(name, classesByKind.get(kind), [title(group), ""]).map((name) => sources.readClass(name)),
    ].filter((texts) => fits(texts, fields))
    const out: Texts[string] = (texts[name] = { "": find(known, "") })
    for (const [field, property] of Object.entries(properties)) {
      if (property.$ref !== undefined) continue
      const target = property.allOf?.[0]?.$ref?.slice(refPrefix.length)
      // client-node says the text of the type where a field's own should be.
      let text = find(target === undefined ? known : known.filter((texts) => !texts["$class"]), field)
      if (target && text) usual.add(`${field} ${target}`, text)
      else if (target) untold.push({ name, field, target })
      if (text && property.enum && !text.includes("Possible enum values:")) text += valuesOf(property.enum)
      out[field] = text
    }
  }
  return texts
}
