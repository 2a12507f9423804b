/** From manifests to objects with their resources. Mirrors: cli-runtime pkg/resource/mapper.go */
import { parseJson } from "@knarr/base"
import { NoKindMatchError } from "../resource-mapper.ts"
import { goQuote, isObject, loadYaml, splitYamlDocuments } from "@knarr/apimachinery"
import type { CommandContext } from "../command.ts"
import { isList, type Obj } from "../object.ts"
import { compactJson } from "../printers/json.ts"
import type { Info } from "../info.ts"
import { readSources, type Source } from "./sources.ts"

export interface Manifest {
  readonly object: Obj
  readonly source: string
}

/** The objects of `-f`, lists taken apart. Throws when a text is no manifest. */
export async function readManifests(ctx: CommandContext): Promise<Manifest[]> {
  if (ctx.flags.text("kustomize")) throw new Error("kustomize is not supported: render first and use -f")
  const out: Manifest[] = []
  for (const source of await readSources(ctx)) out.push(...(await parseManifest(source)))
  return out
}

/** The objects in one text. */
export async function parseManifest(source: Source): Promise<Manifest[]> {
  const out: Manifest[] = []
  for (const value of await parseDocuments(source)) {
    if (value === null || value === undefined) continue
    for (const object of flatten(checked(value, source.name), source.name))
      out.push({ object, source: source.name })
  }
  return out
}

async function parseDocuments(source: Source): Promise<unknown[]> {
  const text = source.text.trimStart()
  if (text.startsWith("{")) {
    try {
      return [parseJson(text)]
    } catch {
      // Several JSON texts, or YAML that begins with a brace: the YAML parser decides.
    }
    const several = jsonSequence(text)
    if (several) return several
  }
  const yaml = await loadYaml()
  return splitYamlDocuments(source.text).map((part) => {
    try {
      return yaml.parse(part)
    } catch (cause) {
      throw new Error(
        `error parsing ${source.name}: error converting YAML to JSON: ${(cause as Error).message}`,
        { cause },
      )
    }
  })
}

function jsonSequence(text: string): unknown[] | undefined {
  const out: unknown[] = []
  let depth = 0
  let start = -1
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (inString) {
      if (char === "\\") i++
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === "{" || char === "[") {
      if (depth++ === 0) start = i
    } else if (char === "}" || char === "]") {
      if (--depth > 0) continue
      try {
        out.push(parseJson(text.slice(start, i + 1)))
      } catch {
        return undefined
      }
    } else if (depth === 0 && !/\s/.test(char!)) return undefined
  }
  return depth === 0 ? out : undefined
}

function checked(value: unknown, source: string): Obj {
  const fail = (message: string): never => {
    throw new Error(`unable to decode ${goQuote(source)}: ${message}`)
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const shown = JSON.stringify(value)
    return fail(
      `json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type unstructured.detector${shown === "" ? "" : ""}`,
    )
  }
  const obj = value as Obj
  // What is no text counts as absent.
  if (textOf(obj["kind"]) === "") fail(`Object 'Kind' is missing in '${compactJson(obj)}'`)
  return typeof obj["apiVersion"] === "string" ? obj : { ...obj, apiVersion: "" }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}

function flatten(obj: Obj, source: string): Obj[] {
  if (obj["kind"] === "List" || isList(obj)) {
    const kind = obj["kind"] === "List" ? undefined : textOf(obj["kind"]).slice(0, -"List".length)
    const items: unknown = obj["items"] ?? []
    return (Array.isArray(items) ? items : []).flatMap((item: unknown) =>
      flatten(
        checked(kind && isObject(item) ? { apiVersion: obj["apiVersion"], kind, ...item } : item, source),
        source,
      ),
    )
  }
  return [obj]
}

/**
 * Finds the resource and namespace of manifests. Objects without a namespace get the current one; an object of
 * another namespace than `--namespace` says is an error.
 */
export async function infosOf(ctx: CommandContext, manifests: readonly Manifest[]): Promise<Info[]> {
  const out: Info[] = []
  for (const manifest of manifests) out.push(await infoOf(ctx, manifest))
  return out
}

/** {@link infosOf} one manifest. */
export async function infoOf(ctx: CommandContext, { object, source }: Manifest): Promise<Info> {
  const mapper = await ctx.factory.mapper()
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {}
  const name = textOf(metadata["name"])
  let resource
  try {
    resource = await mapper.forObject(object)
  } catch (cause) {
    if (!(cause instanceof NoKindMatchError)) throw cause
    throw new Error(
      `resource mapping not found for name: ${goQuote(name)} namespace: ${goQuote(textOf(metadata["namespace"]))} ` +
        `from ${goQuote(source)}: ${cause.message}\nensure CRDs are installed first`,
      { cause },
    )
  }
  if (!resource.namespaced) return { resource, namespace: "", name, object, source }
  const { namespace, explicit } = await ctx.factory.namespace()
  const own = textOf(metadata["namespace"])
  if (own && explicit && own !== namespace) {
    throw new Error(
      `the namespace from the provided object ${goQuote(own)} does not match the namespace ${goQuote(namespace)}. ` +
        `You must pass '--namespace=${own}' to perform this operation.`,
    )
  }
  const placed = own ? object : { ...object, metadata: { ...metadata, namespace } }
  return { resource, namespace: own || namespace, name, object: placed, source }
}
