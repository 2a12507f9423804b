/** How a device's capacity is shared. Mirrors: pkg/apis/resource/validation/validation.go (validateRequestPolicy) */
import { compareQuantities, field, parseQuantity, type Quantity } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import type { CapacityRequestPolicy, CapacityRequestPolicyRange, DeviceCapacity } from "./types.gen.ts"

const maxValues = 10
const maxInt64 = parseQuantity("9223372036854775807")

/** `shared` devices may have policies; the others are given away whole. */
export function validateCapacity(path: string, capacity: DeviceCapacity, shared: boolean): FieldError[] {
  const policy = capacity.requestPolicy
  if (!policy) return []
  const at = `${path}.requestPolicy`
  if (!shared) return [field.forbidden(at, "allowMultipleAllocations must be true")]
  const { validValues = [], validRange } = policy
  if (validValues.length > 0 && validRange)
    return [
      field.forbidden(
        at,
        'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time',
      ),
    ]
  const most = parseQuantity(capacity.value)
  if (validValues.length > 0) return validateValues(at, policy, most)
  return validRange ? validateRange(at, policy, validRange, most) : []
}

function validateValues(path: string, policy: CapacityRequestPolicy, most: Quantity): FieldError[] {
  if (policy.default === undefined)
    return [field.required(`${path}.default`, "required when validValues is defined")]
  const at = `${path}.validValues`
  const out: FieldError[] = []
  const values = (policy.validValues ?? []).map((value) => parseQuantity(value))
  for (let i = 1; i < values.length; i++)
    if (compareQuantities(values[i - 1]!, values[i]!) > 0)
      out.push(field.invalid(`${at}[${i}]`, String(values[i]), "values must be sorted in ascending order"))
  if (values.length > maxValues) out.push(field.tooMany(at, values.length, maxValues))
  else {
    for (const [i, value] of values.entries())
      if (compareQuantities(value, most) > 0)
        out.push(field.invalid(`${at}[${i}]`, String(value), `option is larger than capacity value: ${most}`))
    for (const [i, value] of values.entries())
      if (values.slice(0, i).some((other) => compareQuantities(other, value) === 0))
        out.push(field.duplicate(`${at}[${i}]`, String(value)))
  }
  const standard = parseQuantity(policy.default)
  if (!values.some((value) => compareQuantities(value, standard) === 0))
    out.push(field.invalid(at, String(standard), "default value is not valid according to the requestPolicy"))
  return out
}

function validateRange(
  path: string,
  policy: CapacityRequestPolicy,
  range: CapacityRequestPolicyRange,
  most: Quantity,
): FieldError[] {
  if (policy.default === undefined)
    return [field.required(`${path}.default`, "required when validRange is defined")]
  const at = `${path}.validRange`
  if (range.min === undefined) return [field.required(`${at}.min`, "required when validRange is defined")]
  const out: FieldError[] = []
  const invalid = (name: string, value: Quantity, detail: string): number =>
    out.push(field.invalid(`${at}.${name}`, String(value), detail))
  const standard = parseQuantity(policy.default)
  const min = parseQuantity(range.min)
  const max = range.max === undefined ? undefined : parseQuantity(range.max)
  const step = range.step === undefined ? undefined : parseQuantity(range.step)
  const above = (a: Quantity, b: Quantity): boolean => compareQuantities(a, b) > 0
  if (above(min, most)) invalid("min", min, `min is larger than capacity value: ${most}`)
  if (above(min, standard)) invalid("default", standard, `default is less than min: ${min}`)
  if (max) {
    if (above(min, max)) invalid("max", min, `min is larger than max: ${max}`)
    if (above(max, most)) invalid("max", max, `max is larger than capacity value: ${most}`)
    if (above(standard, max)) invalid("default", standard, `default is more than max: ${max}`)
  }
  if (!step) return out
  if (step.sign() <= 0) {
    invalid("step", step, "must be greater than zero")
    return out
  }
  return [...out, ...validateStep(at, { standard, min, max, step }, most)]
}

interface Steps {
  readonly standard: Quantity
  readonly min: Quantity
  readonly max: Quantity | undefined
  readonly step: Quantity
}

function validateStep(path: string, { standard, min, max, step }: Steps, most: Quantity): FieldError[] {
  const out: FieldError[] = []
  const invalid = (name: string, value: Quantity, detail: string): number =>
    out.push(field.invalid(`${path}.${name}`, String(value), detail))
  const first = min.add(step)
  if (compareQuantities(first, most) > 0)
    invalid("step", step, `one step ${first} is larger than capacity value: ${most}`)
  const named = { default: standard, min, max, step }
  for (const [name, value] of Object.entries(named)) {
    if (!value) continue
    if (value.sign() < 0) invalid(name, value, "must be greater than or equal to 0")
    else if (compareQuantities(value, maxInt64) > 0)
      invalid(name, value, "must not be larger than 9223372036854775807")
  }
  if (out.length > 0 && out.at(-1)!.field !== `${path}.step`) return out
  for (const value of [standard, max])
    if (value && remainder(value, min, step) !== 0)
      invalid("step", value, `value is not a multiple of a given step (${step}) from (${min})`)
  return out
}

/** Of thousandths, which is as fine as it gets. */
function remainder(value: Quantity, min: Quantity, step: Quantity): number {
  return (value.milliValue() - min.milliValue()) % step.milliValue()
}
