/**
 * Reads doc comments out of the declaration files of two dependencies: `@kubernetes/client-node` (recent, but
 * its generator drops the text of fields that hold another type, and all line breaks) and `kubernetes-types`
 * (complete, but of an earlier release).
 */

/** The texts of one type: its own under "", those of its fields under their names. */
export type TypeTexts = Readonly<Record<string, string>>

const clientClass = /\/\*\*\n((?:(?!\*\/)[^])*)\*\/\nexport declare class \w+/
const clientField = /\/\*\*\n((?:(?!\*\/)[^])*)\*\/\n\s*'(\w+)'\??:/g

/** Texts of a model of client-node, from its `.d.ts`. Field names are as the class spells them. */
export function readClientModel(source: string): TypeTexts {
  const texts: Record<string, string> = {}
  const own = clientClass.exec(source)?.[1]
  if (own !== undefined) texts[""] = unescape(comment(own))
  for (const [, text, field] of source.matchAll(clientField)) texts[field!] = unescape(comment(text!))
  return texts
}

const declaration =
  /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*(?:export (?:interface|type) (\w+)|(?:readonly )?"?([$\w-]+)"?\??:)|export (?:interface|type) (\w+)/g

/** Texts of every type in a module of kubernetes-types, by the type's name. */
export function readTypesModule(source: string): ReadonlyMap<string, TypeTexts> {
  const types = new Map<string, Record<string, string>>()
  let current: Record<string, string> = {}
  for (const [, text, documented, field, bare] of source.matchAll(declaration)) {
    if (field !== undefined) current[field] = comment(text!)
    else {
      current = text === undefined ? {} : { "": comment(text) }
      types.set((documented ?? bare)!, current)
    }
  }
  return types
}

/** A comment's text without its frame; lines stay lines. */
function comment(inner: string): string {
  return inner
    .split("\n")
    .map((line, index) => line.replace(index === 0 ? /^\s*(?:\* ?)?/ : /^\s*\*? ?/, ""))
    .join("\n")
    .trim()
}

/** Undoes what the generator did to keep texts inside comments and string literals. */
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
