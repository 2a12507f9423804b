/** Validation of rules that taint devices. Mirrors: pkg/apis/resource/validation/validation.go (ValidateDeviceTaintRule) */
import { field, isDNS1123Label } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { reasons } from "../../checks.ts"
import { validateConditions } from "../../conditions.validate.ts"
import { validateDriverName } from "../../core/v1/volume-source.validate.ts"
import { allProblems, noProblems } from "./bounded-list.ts"
import { validatePoolName } from "./device-names.validate.ts"
import { validateTaint } from "./device-taint.validate.ts"
import type { DeviceTaintRule } from "./types.gen.ts"

const maxConditions = 8

export function validateDeviceTaintRule(
  { spec }: Readonly<DeviceTaintRule>,
  old?: Readonly<DeviceTaintRule>,
): FieldError[] {
  const problems = noProblems()
  const path = "spec.deviceSelector"
  const { driver, pool, device } = spec.deviceSelector ?? {}
  if (driver !== undefined) problems.found.push(...validateDriverName(`${path}.driver`, driver))
  if (pool !== undefined) problems.found.push(...validatePoolName(`${path}.pool`, pool))
  if (device !== undefined) problems.found.push(...reasons(`${path}.device`, device, isDNS1123Label(device)))
  validateTaint(problems, "spec.taint", spec.taint, old?.spec.taint)
  return allProblems(problems)
}

export function validateDeviceTaintRuleStatus({ status }: Readonly<DeviceTaintRule>): FieldError[] {
  const { conditions } = status ?? {}
  const out = validateConditions("status.conditions", conditions)
  if ((conditions?.length ?? 0) > maxConditions)
    out.push(field.tooMany("status.conditions", conditions!.length, maxConditions))
  return out
}
