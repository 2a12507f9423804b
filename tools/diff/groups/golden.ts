/** An object of every kind with every field filled, sent in several forms. */
import { stringifyYaml, type Field, type Schema } from "@knarr/apimachinery"
import { collectionOf, samplesOf } from "../objects.ts"
import { namespaceSteps, patch, post, put, quiet, remove, type Script } from "../script.ts"

export function goldenScripts(): Script[] {
  return samplesOf("golden").map((sample) => {
    const { kind, id, name } = sample
    const namespace = `gold-${kind.group.split(".")[0] || "core"}-${kind.version}-${kind.plural}`
    const collection = collectionOf(kind, namespace)
    const one = `${collection}/${name}`
    const dry = `${collection}?dryRun=All`
    const full = {
      ...(filled(kind.schema, []) as Record<string, unknown>),
      apiVersion: kind.apiVersion,
      kind: kind.kind,
    }
    const own = { ...full, metadata: { name } }
    const { status: _, ...withoutStatus } = own as Record<string, unknown>
    return {
      group: "golden",
      name: id,
      steps: [
        ...(kind.namespaced ? namespaceSteps(namespace) : []),
        post("untouched", dry, full),
        post("own metadata", dry, own),
        post("own metadata, strictly", `${dry}&fieldValidation=Strict`, own),
        post("without a status", dry, withoutStatus),
        post("nothing but its kind", dry, {
          apiVersion: kind.apiVersion,
          kind: kind.kind,
          metadata: { name },
        }),
        post("lower case", dry, lowerCase(own) as Record<string, unknown>),
        post(
          "lower case, strictly",
          `${dry}&fieldValidation=Strict`,
          lowerCase(own) as Record<string, unknown>,
        ),
        post("as yaml", dry, stringifyYaml(own), { "content-type": "application/yaml" }),
        put("put", `${one}?dryRun=All`, own),
        patch("apply", `${one}?fieldManager=m&dryRun=All`, "apply", own),
        patch("apply untouched", `${one}?fieldManager=m&dryRun=All`, "apply", full),
        post("nulls", dry, nulls(own) as Record<string, unknown>),
        post("empty things", dry, emptied(own) as Record<string, unknown>),
        quiet(remove("clean up", one)),
      ],
    }
  })
}

/** A value for every field that is not below a field of its own type. */
function filled(schema: Schema, above: readonly string[], field?: Field): unknown {
  switch (schema.type) {
    case "object": {
      const name = schema.name ?? ""
      if (above.filter((one) => one === name).length > 0) return undefined
      const value: Record<string, unknown> = {}
      for (const one of schema.fields?.values() ?? []) {
        const item = filled(one.schema, [...above, name], one)
        if (item !== undefined) value[one.name] = item
      }
      return value
    }
    case "array": {
      const item = filled(schema.items!, above, field)
      return item === undefined ? [] : [item]
    }
    case "map": {
      const item = filled(schema.values!, above, field)
      return item === undefined ? {} : { [`${field?.name ?? "k"}-key`]: item }
    }
    case "string":
      return field?.enum?.[0] ?? `${field?.name.toLowerCase() ?? "item"}-value`
    case "integer":
      return 3
    case "number":
      return 1.5
    case "boolean":
      return true
    case "bytes":
      return "AQID"
    case "time":
      return "2004-01-01T01:01:01Z"
    case "micro-time":
      return "2004-01-01T01:01:01.000001Z"
    case "quantity":
      return "7"
    case "int-or-string":
      return 4
    default:
      return { apiVersion: "example.com/v1", kind: "CustomType", spec: { replicas: 1 } }
  }
}

function lowerCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerCase)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toLowerCase(), lowerCase(item)]))
}

/** Every field below the spec or its like is null. */
function nulls(value: Record<string, unknown>): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (["apiVersion", "kind", "metadata"].includes(key)) return [key, item]
      if (typeof item !== "object" || item === null || Array.isArray(item)) return [key, null]
      return [key, Object.fromEntries(Object.keys(item).map((name) => [name, null]))]
    }),
  )
}

/** Lists, maps and objects below the spec or its like are empty. */
function emptied(value: Record<string, unknown>): unknown {
  const empty = (item: unknown): unknown =>
    Array.isArray(item) ? [] : typeof item === "object" && item !== null ? {} : item
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (["apiVersion", "kind", "metadata"].includes(key)) return [key, item]
      if (typeof item !== "object" || item === null || Array.isArray(item)) return [key, empty(item)]
      return [key, Object.fromEntries(Object.entries(item).map(([name, one]) => [name, empty(one)]))]
    }),
  )
}
