/** `kubectl explain`, from OpenAPI v3. Mirrors: kubectl pkg/explain/v2/templates/plaintext.tmpl */
import { goQuote } from "@knarr/apimachinery"
import { defineKubectlCommand } from "../command.ts"
import { ExitError, UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import type { ApiResource } from "../api-resource.ts"
import type { Obj } from "../object.ts"

export const explain = defineKubectlCommand({
  name: "explain",
  summary: "Get documentation for a resource",
  usage:
    "TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]",
  flags: [
    flag.text("api-version", "Use given api-version (group/version) of the resource."),
    flag.int("max-depth", "Maximum depth when using recursive."),
    flag.text("output", {
      short: "o",
      default: "plaintext",
      help: "Format in which to render the schema. Valid values are: (plaintext, plaintext-openapiv2).",
    }),
    flag.bool("recursive", {
      short: "R",
      help: "When true, print the name of all the fields recursively. Otherwise, print the available fields with their description.",
    }),
  ],
  run: async (ctx) => {
    const { args, flags } = ctx
    if (args.length === 0)
      throw new UsageError(
        ctx.path,
        'You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of supported resources.\n'.trimEnd(),
      )
    if (args.length > 1)
      throw new UsageError(ctx.path, "We accept only this format: explain RESOURCE\n".trimEnd())
    const mapper = await ctx.factory.mapper()
    const known = await mapper.find(args[0]!.includes(".") ? args[0]!.split(".")[0]! : args[0]!)
    if (!known)
      throw new ExitError(1, `the server doesn't have a resource type ${goQuote(args[0]!.split(".")[0]!)}`)
    const words = args[0]!.split(".")
    let resource: ApiResource = await mapper.resource(args[0]!.includes(".") ? words[0]! : args[0]!)
    let fields = words.slice(1)
    const grouped = words.length > 1 ? await mapper.find(args[0]!) : undefined
    if (grouped && grouped.group !== resource.group && grouped.group === words.slice(1).join(".")) {
      resource = grouped
      fields = []
    }
    const wanted = flags.text("api-version")
    if (wanted) {
      const [group, version] = wanted.includes("/") ? (wanted.split("/") as [string, string]) : ["", wanted]
      resource = await mapper.forKind(resource.kind, group, version)
    }
    const base = resource.group ? `apis/${resource.group}/${resource.version}` : `api/${resource.version}`
    const document = await (await ctx.factory.api()).get(`/openapi/v3/${base}`)
    const schemas = (document["components"]?.schemas ?? {}) as Record<string, Obj>
    const root = Object.values(schemas).find((one) =>
      ((one["x-kubernetes-group-version-kind"] ?? []) as Obj[]).some(
        (gvk) =>
          (gvk["group"] ?? "") === resource.group &&
          gvk["version"] === resource.version &&
          gvk["kind"] === resource.kind,
      ),
    )
    if (!root)
      throw new Error(
        `couldn't find resource for ${goQuote(`${resource.group}/${resource.version}, Resource=${resource.plural}`)}`,
      )
    const depth = flags.int("max-depth")
    try {
      ctx.out(new Explainer(schemas, depth).text(resource, root, fields, flags.bool("recursive")))
    } catch (thrown) {
      if (thrown instanceof MissingField) ctx.out(thrown.head)
      throw thrown
    }
  },
})

/** What was told before. */
class MissingField extends Error {
  readonly head: string

  constructor(head: string, name: string) {
    super(`field ${goQuote(name)} does not exist`)
    this.head = head
  }
}

const width = 80

class Explainer {
  readonly #schemas: Record<string, Obj>
  readonly #maxDepth: number

  constructor(schemas: Record<string, Obj>, maxDepth: number) {
    this.#schemas = schemas
    this.#maxDepth = maxDepth
  }

  text(resource: ApiResource, root: Obj, path: readonly string[], recursive: boolean): string {
    let out = resource.group ? `GROUP:      ${resource.group}\n` : ""
    out += `KIND:       ${resource.kind}\nVERSION:    ${resource.version}\n\n`
    let schema = root
    let field: Obj | undefined
    for (const name of path) {
      const owner = this.#resolve(schema)
      field = (owner["properties"] as Record<string, Obj> | undefined)?.[name]
      if (!field) throw new MissingField(`${out}`, name)
      schema = this.#element(field)
    }
    if (field) {
      out += `FIELD: ${path.at(-1)} <${this.#type(field)}>\n`
      out += this.#enum(field, "")
      out += this.#resolve(schema)["properties"] ? "\n" : "\n\n"
    }
    const target = this.#resolve(schema)
    out += "DESCRIPTION:\n"
    const own = field?.["description"] as string | undefined
    const general = target["description"] as string | undefined
    const texts = [own, general !== own ? general : undefined].filter(Boolean) as string[]
    out += texts.length > 0 ? texts.map((text) => wrap(text, "    ", width - 4)).join("") : "    <empty>\n"
    if (target["properties"]) {
      out += "    \nFIELDS:\n"
      out += this.#fields(target, 1, recursive)
    } else out += "    \n"
    return `${out}\n`
  }

  #fields(schema: Obj, level: number, recursive: boolean, seen: readonly Obj[] = []): string {
    const indent = "  ".repeat(level)
    const required = (schema["required"] ?? []) as string[]
    const properties = (schema["properties"] ?? {}) as Record<string, Obj>
    let out = ""
    for (const name of Object.keys(properties).sort()) {
      const field = properties[name]!
      out += `${indent}${name}\t<${this.#type(field)}>${required.includes(name) ? " -required-" : ""}\n`
      if (!recursive) {
        out += this.#enum(field, `${indent}`)
        out += wrap(
          (field["description"] as string | undefined) ?? "<no description>",
          `${indent}  `,
          width - 4,
        )
        out += "\n"
        continue
      }
      out += this.#enum(field, indent)
      const inner = this.#resolve(this.#element(field))
      if (!inner["properties"] || seen.includes(inner) || (this.#maxDepth > 0 && level >= this.#maxDepth))
        continue
      out += this.#fields(inner, level + 1, true, [...seen, inner])
    }
    return out
  }

  #enum(field: Obj, indent: string): string {
    const values = (field["enum"] ?? this.#resolve(field)["enum"]) as unknown[] | undefined
    if (!values) return ""
    return `${indent}enum: ${values
      .map((value) => (value === "" ? '""' : String(value)))
      .slice(0, 4)
      .join(", ")}${values.length > 4 ? ", ...." : ""}\n`
  }

  /** What `$ref` and `allOf` point to. */
  #resolve(schema: Obj): Obj {
    const ref = (schema["$ref"] ?? (schema["allOf"] as Obj[] | undefined)?.[0]?.["$ref"]) as
      | string
      | undefined
    if (!ref) return schema
    return this.#schemas[ref.replace("#/components/schemas/", "")] ?? schema
  }

  /** The items of lists and the values of maps. */
  #element(field: Obj): Obj {
    if (field["items"]) return this.#element(field["items"] as Obj)
    const values = field["additionalProperties"]
    return typeof values === "object" && values !== null ? this.#element(values as Obj) : field
  }

  #type(field: Obj): string {
    if (field["items"]) return `[]${this.#type(field["items"] as Obj)}`
    const values = field["additionalProperties"]
    if (typeof values === "object" && values !== null) return `map[string]${this.#type(values as Obj)}`
    const ref = (field["$ref"] ?? (field["allOf"] as Obj[] | undefined)?.[0]?.["$ref"]) as string | undefined
    const named = this.#resolve(field)
    if (ref && (named["properties"] || [undefined, "object"].includes(named["type"] as string | undefined)))
      return ref.split(".").at(-1)!
    if (ref) return this.#type({ ...named, $ref: undefined, allOf: undefined })
    const type = (field["type"] as string | undefined) ?? "Object"
    return type === "object" ? "Object" : type
  }
}

/** Text in lines of limited width, each paragraph for itself. */
function wrap(text: string, indent: string, limit: number): string {
  const out: string[] = []
  for (const paragraph of text.split("\n")) {
    let line = ""
    for (const word of paragraph.split(" ")) {
      if (word === "" && line === "" && paragraph !== "") {
        line = " "
        continue
      }
      if (line.trim() !== "" && line.length + 1 + word.length > limit - indent.length + 4) {
        out.push(indent + line)
        line = word
      } else line = line === "" || line === " " ? line + word : `${line} ${word}`
    }
    out.push(indent + line)
  }
  return `${out.join("\n")}\n`
}
