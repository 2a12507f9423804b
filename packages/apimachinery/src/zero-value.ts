/** What Go prints of a new value of a type, of which nothing has been set. */
import { decodeObject } from "./decode.ts"
import { deepFreeze } from "./deep.ts"
import { printEmpties } from "./empties.ts"
import type { Schema } from "./schema.ts"

const zeros = new WeakMap<Schema, Readonly<Record<string, unknown>>>()

/** The fields that Go prints of a new object of the shape, frozen and shared: `{"spec":{"containers":null},"status":{}}`. */
export function zeroValue(schema: Schema): Readonly<Record<string, unknown>> {
  let zero = zeros.get(schema)
  if (!zero) {
    const { object } = decodeObject<Record<string, unknown>>(schema, {})
    zeros.set(schema, (zero = deepFreeze(printEmpties(schema, object))))
  }
  return zero
}
