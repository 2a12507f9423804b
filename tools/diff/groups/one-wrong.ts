/** Objects with one field that is wrong, or new, at a time, made from the schema; created as a dry run. */
import type { Field, Schema } from "@knarr/apimachinery"
import { collectionOf, objectOf, samplesOf, type Sample } from "../objects.ts"
import { edited, namespaceSteps, post, type Script, type Step } from "../script.ts"

type Path = readonly (string | number)[]

interface Wrong {
  readonly name: string
  readonly path: Path
  /** Absent: the field is taken away. */
  readonly value?: unknown
}

/** At most so many for a kind; what is more is thinned out evenly. */
const most = (sample: Sample): number => (sample.kind.kind === "Pod" ? 1200 : 260)
const maxDepth = 9
const long = "x".repeat(300)

export function oneWrongScripts(): Script[] {
  return samplesOf("onewrong").map((sample) => {
    const { kind } = sample
    const namespace = `wrong-${kind.group.split(".")[0] || "core"}-${kind.version}-${kind.plural}`
    const path = `${collectionOf(kind, namespace)}?dryRun=All`
    const object = objectOf(sample, "rich", { labels: { a: "b" }, annotations: { c: "d" } })
    const steps: Step[] = kind.namespaced ? namespaceSteps(namespace) : []
    steps.push(post("as it is", path, object))
    for (const wrong of thinned(wrongsOf(sample, object), most(sample)))
      steps.push(
        post(wrong.name, path, edited(object, [[wrong.path, wrong.value]]) as Record<string, unknown>),
      )
    return { group: "onewrong", name: sample.id, steps }
  })
}

function thinned<T>(all: readonly T[], limit: number): T[] {
  if (all.length <= limit) return [...all]
  return Array.from({ length: limit }, (_, i) => all[Math.floor((i * all.length) / limit)]!)
}

function wrongsOf({ kind }: Sample, object: Record<string, unknown>): Wrong[] {
  const found: Wrong[] = []
  for (const field of kind.schema.fields!.values())
    if (field.name !== "status") wrongField(field, object[field.name], [field.name], found, new Set())
  return found
}

function wrongField(
  field: Field,
  value: unknown,
  path: Path,
  found: Wrong[],
  above: ReadonlySet<string>,
): void {
  const { schema } = field
  const at = path.join(".")
  for (const [what, wrong] of wrongValues(schema, field))
    found.push({ name: `${at}: ${what}`, path, value: wrong })
  if (value === undefined) return
  if (path.length > 1 || field.name === "metadata") found.push({ name: `${at}: none`, path })
  into(schema, value, path, found, above)
}

function into(schema: Schema, value: unknown, path: Path, found: Wrong[], above: ReadonlySet<string>): void {
  if (path.length > maxDepth) return
  const key = schema.name ?? ""
  if (key === "" ? false : above.has(key)) return
  const below = key === "" ? above : new Set([...above, key])
  if (schema.type === "object" && schema.fields) {
    for (const field of schema.fields.values())
      wrongField(field, (value as Record<string, unknown>)[field.name], [...path, field.name], found, below)
  } else if (schema.type === "array" && Array.isArray(value)) {
    for (const [what, wrong] of wrongItems(schema.items!, value))
      found.push({ name: `${path.join(".")}[]: ${what}`, path: [...path, value.length], value: wrong })
    // Each item of another form: union members are tried one by one.
    const seen = new Set<string>()
    value.forEach((item, i) => {
      const form = typeof item === "object" && item !== null ? Object.keys(item).sort().join() : typeof item
      if (seen.has(form)) return
      seen.add(form)
      into(schema.items!, item, [...path, i], found, above)
    })
  } else if (schema.type === "map") {
    const [first] = Object.entries(value as object)
    if (first) {
      found.push({ name: `${path.join(".")}: a bad key`, path: [...path, "Bad Key!"], value: first[1] })
      found.push({ name: `${path.join(".")}: a long key`, path: [...path, long], value: first[1] })
      for (const [what, wrong] of wrongValues(schema.values!))
        found.push({
          name: `${path.join(".")}.${first[0]}: ${what}`,
          path: [...path, first[0]],
          value: wrong,
        })
      into(schema.values!, first[1], [...path, first[0]], found, above)
    }
  }
}

function wrongItems(items: Schema, value: readonly unknown[]): [string, unknown][] {
  const list: [string, unknown][] = [["null", null]]
  if (value.length > 0) list.push(["the first twice", value[0]])
  if (items.type === "object") list.push(["an empty one", {}], ["text", "x"])
  else if (items.type === "string")
    list.push(["a number", 5], ["nothing in it", ""], ["bad text", "Bad_Name! x"])
  return list
}

function wrongValues(schema: Schema, field?: Field): [string, unknown][] {
  switch (schema.type) {
    case "string":
      if (field?.enum)
        return [
          ["another word", "Bogus"],
          ["nothing in it", ""],
          ["a number", 5],
          ["null", null],
        ]
      return [
        ["bad text", "Bad_Name! x"],
        ["nothing in it", ""],
        ["long", long],
        ["a number", 5],
      ]
    case "bytes":
      return [
        ["no base64", "!!!"],
        ["a number", 5],
      ]
    case "time":
    case "micro-time":
      return [
        ["no time", "yesterday"],
        ["a number", 5],
        ["a time", "2020-01-01T00:00:00Z"],
      ]
    case "integer":
      return [
        ["negative", -1],
        ["zero", 0],
        ["too large", schema.format === "int32" ? 2147483648 : 1e19],
        ["large", schema.format === "int32" ? 2147483647 : 9007199254740000],
        ["text", "5"],
        ["a fraction", 1.5],
      ]
    case "number":
      return [["text", "5"]]
    case "boolean":
      return [
        ["text", "true"],
        ["yes", true],
        ["no", false],
      ]
    case "quantity":
      return [
        ["no quantity", "1x"],
        ["negative", "-1"],
        ["nothing in it", ""],
        ["truth", true],
        ["tiny", "1n"],
      ]
    case "int-or-string":
      return [
        ["negative", -1],
        ["more than all", "150%"],
        ["bad text", "x!"],
        ["truth", true],
        ["zero", 0],
      ]
    case "array":
      return [["no list", {}], ["an empty list", []], ["a null in it", [null]], ...oneItem(schema)]
    case "map":
      return [
        ["no map", []],
        ["an empty map", {}],
        ["a null in it", { k: null }],
        ["a bad value", { k: {} }],
      ]
    case "object":
      return [
        ["text", "x"],
        ["nothing in it", {}],
        ["null", null],
      ]
    default:
      return [["a number", 5]]
  }
}

function oneItem({ items }: Schema): [string, unknown][] {
  if (items?.type === "object") return [["an empty item", [{}]]]
  if (items?.type === "string")
    return [
      ["bad text in it", ["Bad_Name! x"]],
      ["an empty text in it", [""]],
    ]
  return []
}
