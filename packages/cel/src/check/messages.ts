/** What the checker says. Mirrors: cel-go checker/errors.go */
import type { CelType } from "./types.ts"

export const undeclared = (name: string): string => `undeclared reference to '${name}' (in container '')`

export const mismatch = (expected: CelType, found: CelType): string =>
  `expected type '${expected}' but found '${found}'`

export const fieldMismatch = (name: string, field: CelType, found: CelType): string =>
  `expected type of field '${name}' is '${field}' but provided type is '${found}'`

export const notARange = (type: CelType): string =>
  `expression of type '${type}' cannot be range of a comprehension (must be list, map, or dynamic)`

export const optionalSelection = (how: string, count: number): string =>
  `unsupported optional field selection: incorrect signature.${how} argument count: ${count}`

export function noOverload(name: string, types: readonly CelType[], member: boolean): string {
  const signature = member ? `${types[0]}.(${types.slice(1).join(", ")})` : `(${types.join(", ")})`
  return `found no matching overload for '${name}' applied to '${signature}'`
}
