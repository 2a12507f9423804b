/** The printed columns of a custom resource. Mirrors: apiextensions pkg/registry/customresource/tableconvertor */
import type { CustomResourceColumnDefinition } from "@knarr/api"
import { humanDuration, parseJSONPath, parseTime, type Column, type KubeObject } from "@knarr/apimachinery"

type Cell = string | number | boolean | null

const age: CustomResourceColumnDefinition = {
  name: "Age",
  type: "date",
  description: "doc:io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta.creationTimestamp",
  jsonPath: ".metadata.creationTimestamp",
}

/** Without columns of its own a resource shows its age. A path that cannot be read ends the list. */
export function columnsOf(
  definitions: readonly CustomResourceColumnDefinition[] | undefined,
): Column<KubeObject>[] {
  const out: Column<KubeObject>[] = []
  for (const definition of definitions?.length ? definitions : [age]) {
    const column = columnOf(definition)
    if (!column) break
    out.push(column)
  }
  return out
}

function columnOf(definition: CustomResourceColumnDefinition): Column<KubeObject> | undefined {
  const { name, type, jsonPath, format, priority } = definition
  let path
  try {
    path = parseJSONPath(`{${jsonPath}}`, { allowMissingKeys: true })
  } catch {
    return undefined
  }
  return {
    name,
    type: type as Column<KubeObject>["type"],
    description:
      definition.description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    ...(format ? { format } : {}),
    ...(priority ? { priority } : {}),
    read(obj, nowMs) {
      try {
        const [first] = path.findResults(obj)
        if (!first || first.length === 0) return null
        return cellOf(type, first[0], nowMs)
      } catch {
        return null
      }
    },
  }
}

function cellOf(type: string, value: unknown, nowMs: number): Cell {
  if (type === "string") return textOf(value)
  switch (type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null
    case "number":
      return typeof value === "number" ? value : null
    case "boolean":
      return typeof value === "boolean" ? value : null
    case "date": {
      if (typeof value !== "string") return null
      const ms = parseTime(value)
      return Number.isNaN(ms) ? "<invalid>" : humanDuration(Math.max(0, nowMs - ms))
    }
    default:
      return null
  }
}

/** As JSONPath prints a value. */
function textOf(value: unknown): string {
  return parseJSONPath("{@}").execute(value)
}
