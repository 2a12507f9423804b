/** Taints of devices and what tolerates them. Mirrors: pkg/apis/resource/validation/validation.go */
import { field, isValidLabelValue, validateLabelName } from "@knarr/apimachinery"
import { oneOf, oneOfIfSet, reasons } from "../../checks.ts"
import type { Problems } from "./bounded-list.ts"
import type { DeviceTaint, DeviceToleration } from "./types.gen.ts"

const effects = ["NoExecute", "NoSchedule", "None"]
const operators = ["Equal", "Exists"]

/** `old` is the taint that an update replaces: its effect need not be right. */
export function validateTaint(problems: Problems, path: string, taint: DeviceTaint, old?: DeviceTaint): void {
  const { key = "", value, effect } = taint
  problems.found.push(...validateLabelName(key, `${path}.key`))
  if (value) problems.found.push(...reasons(`${path}.value`, value, isValidLabelValue(value)))
  if (!old || old.effect !== effect) problems.declared.push(...oneOf(`${path}.effect`, effect, effects))
}

export function validateToleration(problems: Problems, path: string, toleration: DeviceToleration): void {
  const { key, operator, value = "", effect } = toleration
  if (operator === "Exists" && value !== "")
    problems.found.push(field.invalid(`${path}.value`, value, "must be empty for operator `Exists`"))
  if (operator === "Equal") problems.found.push(...reasons(`${path}.value`, value, isValidLabelValue(value)))
  if (key) problems.declared.push(...validateLabelName(key, `${path}.key`))
  problems.declared.push(
    ...oneOf(`${path}.operator`, operator, operators),
    ...oneOfIfSet(`${path}.effect`, effect || undefined, effects),
  )
}
