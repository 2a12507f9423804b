/**
 * Reads doc comments out of the declaration files of two dependencies: `kubernetes-models`, and
 * `@kubernetes/client-node`, whose generator drops the texts of fields that hold another type and all line breaks.
 */

/** The texts of one type: its own under "", those of its fields under their names. */
export type TypeTexts = Readonly<Record<string, string>>

/** A comment, and what it is of: a type of this name, or a field in quotes. */
const documented = (type: string): RegExp =>
  new RegExp(String.raw`/\*\*\n((?:(?!\*/)[^])*)\*/\n\s*(?:${type} \w+|(["'])([$\w-]+)\2\??:)`, "g")

const clientType = documented("export declare class")
const modelType = documented("export (?:interface|type)")
const modelName = /^export type \{.* as (IoK8s\w+) \};$/m

/** Texts of a class of client-node. Field names are as the class spells them. */
export function readClientClass(source: string): TypeTexts {
  const texts = read(clientType, source)
  for (const name in texts) texts[name] = unescape(texts[name]!)
  return texts
}

/**
 * Texts of a module of kubernetes-models, with the name of the definition in capital words
 * (`IoK8sApiCoreV1Pod`); undefined for a module that is of no definition.
 */
export function readModel(source: string): { readonly name: string; readonly texts: TypeTexts } | undefined {
  const name = modelName.exec(source)?.[1]
  if (name === undefined) return undefined
  const texts = read(modelType, source)
  for (const field in texts)
    texts[field] = texts[field]!.replace(/\\([*/])/g, "$1").replace(/\n@deprecated$/, "")
  return { name, texts }
}

function read(pattern: RegExp, source: string): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const [, text, , field = ""] of source.matchAll(pattern)) texts[field] ??= comment(text!)
  return texts
}

/** A comment's text without its frame; lines stay lines. */
function comment(inner: string): string {
  return inner.replace(/^\s*\*(?: |$)/gm, "").trim()
}

/** Undoes what the generator of client-node did to keep texts inside comments and string literals. */
function unescape(text: string): string {
  return text
    .replace(/\\(["'\\])/g, "$1")
    .replaceAll("*_/", "*/")
    .replaceAll("/_*", "/*")
    .replace(/&(lt|gt|amp|quot|#39|#x27|#x3D|#x60);/g, (entity, name: string) => entities[name] ?? entity)
}

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  "#39": "'",
  "#x27": "'",
  "#x3D": "=",
  "#x60": "`",
}
