/** A stored object of every kind, one field changed at a time by PUT; a dry run, so each change stands alone. */
import type { Schema } from "@knarr/apimachinery"
import { collectionOf, objectOf, samplesOf, type Sample } from "../objects.ts"
import {
  get,
  json,
  namespaceSteps,
  patch,
  post,
  quiet,
  remove,
  type Edit,
  type Script,
  type Step,
} from "../script.ts"

type Path = readonly (string | number)[]

const most = (sample: Sample): number => (sample.kind.kind === "Pod" ? 150 : 60)

export function updateScripts(): Script[] {
  return samplesOf("update").map((sample) => {
    const { kind, name } = sample
    const namespace = `upd-${kind.group.split(".")[0] || "core"}-${kind.version}-${kind.plural}`
    const collection = collectionOf(kind, namespace)
    const one = `${collection}/${name}`
    const object = objectOf(sample, "rich", { labels: { a: "b" }, finalizers: ["example.com/f"] })
    const change = (what: string, edits: readonly Edit[], path = one): Step => ({
      name: what,
      method: "PUT",
      path: `${path}?dryRun=All`,
      headers: json,
      from: { saved: "object", edits },
    })
    const all = changesOf(sample, object)
    const limit = most(sample)
    const chosen =
      all.length <= limit
        ? all
        : Array.from({ length: limit }, (_, i) => all[Math.floor((i * all.length) / limit)]!)
    const steps: Step[] = [
      ...(kind.namespaced ? namespaceSteps(namespace) : []),
      { ...post("create", collection, object), save: { object: "" } },
      // The server writes the status of a definition by itself, and then leaves it alone.
      ...(kind.kind === "CustomResourceDefinition"
        ? [{ ...quiet(get("settled", one)), untilText: "InitialNamesAccepted", save: { object: "" } }]
        : []),
      ...metadataChanges.map(([what, edits]) => change(what, edits)),
      ...chosen.map(([what, edit]) => change(what, [edit])),
      ...(kind.subresources.has("status")
        ? statusChanges(kind.schema).map(([what, edit]) => change(`status: ${what}`, [edit], `${one}/status`))
        : []),
      quiet(patch("finish", one, "merge", { metadata: { finalizers: null } })),
      quiet(remove("clean up", one)),
    ]
    return { group: "update", name: sample.id, steps }
  })
}

const metadataChanges: readonly (readonly [string, readonly Edit[]])[] = [
  ["a bad new finalizer", [[["metadata", "finalizers", 1], "bad"]]],
  ["a finalizer with spaces", [[["metadata", "finalizers", 1], "a.b/c d"]]],
  ["a good new finalizer", [[["metadata", "finalizers", 1], "example.com/g"]]],
  ["an empty finalizer", [[["metadata", "finalizers", 1], ""]]],
  ["a deletion time", [[["metadata", "deletionTimestamp"], "2020-01-01T00:00:00Z"]]],
  ["a grace period", [[["metadata", "deletionGracePeriodSeconds"], 5]]],
  ["another creation time", [[["metadata", "creationTimestamp"], "2020-01-01T00:00:00Z"]]],
  ["no creation time", [[["metadata", "creationTimestamp"], null]]],
  ["another generation", [[["metadata", "generation"], 77]]],
  ["a negative generation", [[["metadata", "generation"], -1]]],
  ["a generateName", [[["metadata", "generateName"], "x-"]]],
  ["a self link", [[["metadata", "selfLink"], "/x"]]],
  ["a bad label key", [[["metadata", "labels", "Bad Key!"], "v"]]],
  ["a bad label value", [[["metadata", "labels", "k"], "bad value!"]]],
  ["a bad annotation key", [[["metadata", "annotations"], { "Bad Key!": "v" }]]],
  ["a bad owner", [[["metadata", "ownerReferences"], [{ apiVersion: "", kind: "", name: "", uid: "" }]]]],
  [
    "two controllers",
    [
      [
        ["metadata", "ownerReferences"],
        ["a", "b"].map((uid) => ({ apiVersion: "v1", kind: "Pod", name: uid, uid, controller: true })),
      ],
    ],
  ],
  ["no managed fields", [[["metadata", "managedFields"], []]]],
  ["bad managed fields", [[["metadata", "managedFields"], [{ manager: "m", operation: "Bogus" }]]]],
]

/** Every leaf of the object that was sent, otherwise; lists and maps longer and gone. */
function changesOf({ kind }: Sample, object: Record<string, unknown>): [string, Edit][] {
  const found: [string, Edit][] = []
  for (const field of kind.schema.fields!.values()) {
    if (["apiVersion", "kind", "metadata", "status"].includes(field.name)) continue
    walk(field.schema, object[field.name], [field.name], found)
  }
  return found
}

function walk(schema: Schema, value: unknown, path: Path, found: [string, Edit][]): void {
  const at = path.join(".")
  if (value === undefined) {
    const fresh = freshValue(schema)
    if (fresh !== undefined) found.push([`${at}: new`, [path, fresh]])
    return
  }
  found.push([`${at}: gone`, [path]])
  if (schema.type === "object" && schema.fields && typeof value === "object") {
    for (const field of schema.fields.values())
      walk(field.schema, (value as Record<string, unknown>)[field.name], [...path, field.name], found)
  } else if (Array.isArray(value)) {
    if (value.length > 0) {
      found.push([`${at}: one more`, [[...path, value.length], value[0]]])
      walk(schema.items ?? { type: "any" }, value[0], [...path, 0], found)
    }
  } else if (schema.type === "map") {
    found.push([`${at}: a new key`, [[...path, "new-key"], Object.values(value as object)[0] ?? "v"]])
  } else {
    const other = otherValue(schema, value)
    if (other !== undefined) found.push([`${at}: otherwise`, [path, other]])
  }
}

function otherValue(schema: Schema, value: unknown): unknown {
  if (typeof value === "boolean") return !value
  if (typeof value === "number") return value + 1
  if (typeof value !== "string") return undefined
  if (schema.type === "quantity") return "7"
  if (schema.type === "time" || schema.type === "micro-time") return "2021-01-01T00:00:00Z"
  return `${value}x`
}

function freshValue(schema: Schema): unknown {
  switch (schema.type) {
    case "string":
      return "fresh"
    case "integer":
    case "int-or-string":
      return 1
    case "boolean":
      return true
    case "quantity":
      return "1"
    case "map":
      return schema.values?.type === "string" ? { k: "v" } : undefined
    case "object":
      return {}
    default:
      return undefined
  }
}

function statusChanges(schema: Schema): [string, Edit][] {
  const status = schema.fields!.get("status")
  if (!status?.schema.fields) return []
  return [...status.schema.fields.values()].flatMap((field): [string, Edit][] => {
    const path = ["status", field.name]
    const fresh = freshValue(field.schema)
    const list: [string, Edit][] = fresh === undefined ? [] : [[`${field.name}: new`, [path, fresh]]]
    if (field.schema.type === "integer") list.push([`${field.name}: negative`, [path, -1]])
    if (field.schema.type === "string") list.push([`${field.name}: bad`, [path, "Bad_Name! x"]])
    if (field.schema.type === "array") list.push([`${field.name}: an empty item`, [path, [{}]]])
    return list
  })
}
