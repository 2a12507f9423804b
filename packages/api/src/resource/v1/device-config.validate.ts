/** Configuration for drivers, which only they can read. Mirrors: pkg/apis/resource/validation/validation.go */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import type { Problems } from "./bounded-list.ts"
import { declaredDriver } from "./device-names.validate.ts"
import type { OpaqueDeviceConfiguration } from "./types.gen.ts"

const maxParametersLength = 10 * 1024

interface Configuration {
  readonly opaque?: OpaqueDeviceConfiguration | undefined
}

/** `stored` configuration, which was taken once, may be longer than it may be now. */
export function validateConfiguration(
  problems: Problems,
  path: string,
  { opaque }: Configuration,
  stored = false,
): void {
  if (!opaque) {
    problems.found.push(field.required(`${path}.opaque`, ""))
    return
  }
  problems.found.push(
    ...validateRaw(`${path}.opaque.parameters`, opaque.parameters, stored ? Infinity : maxParametersLength),
  )
  problems.declared.push(...declaredDriver(`${path}.opaque.driver`, opaque.driver))
}

/** An object of any form, of at most `most` bytes. */
export function validateRaw(path: string, value: unknown, most: number): FieldError[] {
  if (value === undefined || value === null) return [field.required(path, "")]
  if (Buffer.byteLength(JSON.stringify(value)) > most) return [field.tooLong(path, "", most)]
  return typeof value === "object" && !Array.isArray(value)
    ? []
    : [field.invalid(path, "<value omitted>", "must be a valid JSON object")]
}
