/** Good objects to begin with: samples of every kind, and made-up ones of any shape. */
import type { Kind, Schema } from "@knarr/apimachinery"
import { objectOf, samplesOf } from "../diff/objects.ts"
import type { Draw } from "./draw.ts"

export interface SampleObject {
  readonly kind: Kind
  readonly name: string
  readonly object: Record<string, unknown>
}

/** Of every kind that is stored: the least object, and one with many fields. */
export const samples: readonly SampleObject[] = samplesOf("fuzz").flatMap((sample) =>
  (["minimal", "rich"] as const).map((which) => ({
    kind: sample.kind,
    name: sample.name,
    object: objectOf(sample, which),
  })),
)

/** An object of the kind's shape, with some of its fields. */
export function randomObject(kind: Kind, draw: Draw): Record<string, unknown> {
  return {
    ...(randomValue(kind.schema, draw, 0) as Record<string, unknown>),
    apiVersion: kind.apiVersion,
    kind: kind.kind,
  }
}

/** A value of the shape; of an enumeration when there is one. */
function randomValue(schema: Schema, draw: Draw, depth: number, choices?: readonly string[]): unknown {
  switch (schema.type) {
    case "string":
      return choices ? draw.pick(choices) : draw.chance(0.2) ? draw.text(3) : draw.name()
    case "integer":
      return draw.chance(0.1) ? draw.number() : draw.int(100)
    case "number":
      return draw.number()
    case "boolean":
      return draw.chance(0.5)
    case "bytes":
      return Buffer.from(draw.bytes(8), "latin1").toString("base64")
    case "time":
      return draw.pick(["2024-01-02T03:04:05Z", "2024-01-02T03:04:05+01:00"])
    case "micro-time":
      return draw.pick(["2024-01-02T03:04:05.000001Z", "2024-01-02T03:04:05Z"])
    case "quantity":
      return draw.pick(["1", "100m", "1Gi", "0.5", "1e3", "3n", "-1", 5, "0", "12E"])
    case "int-or-string":
      return draw.pick<unknown>([1, "25%", "http", 0, -1, "100%"])
    case "any":
      return draw.json(2)
    case "array":
      return depth > 8 || !schema.items ? [] : draw.list(3, () => randomValue(schema.items!, draw, depth + 1))
    case "map":
      if (depth > 8 || !schema.values) return {}
      return Object.fromEntries(
        draw.list(3, () => [draw.name(), randomValue(schema.values!, draw, depth + 1)]),
      )
    case "object": {
      const out: Record<string, unknown> = {}
      for (const field of schema.fields?.values() ?? []) {
        if (!field.required && (depth > 6 || !draw.chance(0.35))) continue
        if (depth > 9 || !draw.chance(0.97)) continue
        out[field.name] = randomValue(field.schema, draw, depth + 1, field.enum)
      }
      return out
    }
  }
}
