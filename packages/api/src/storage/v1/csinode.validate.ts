/** Validation of CSI nodes. Mirrors: pkg/apis/storage/validation/validation.go (ValidateCSINode) */
import { byteLength, field, isValidConditionReason, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage, notNegative, oneOfIfSet, qualifiedName, reasons, required } from "../../checks.ts"
import { accessModes } from "../../core/v1/claim.validate.ts"
import { validateDriverName } from "../../core/v1/volume-source.validate.ts"
import { goValue } from "../../go-value.ts"
import type { CSINode, StorageHealth, StorageHealthCondition } from "./types.gen.ts"

const maxNodeIDLength = 256
const maxHealthConditions = 16
const maxReasonLength = 256
const maxMessageLength = 1024

export function validateCSINode({ spec }: Readonly<CSINode>): FieldError[] {
  const out: FieldError[] = []
  const names = new Set<string>()
  for (const [i, { name, nodeID, allocatable, topologyKeys }] of (spec.drivers ?? []).entries()) {
    const at = `spec.drivers[${i}]`
    out.push(...validateDriverName(`${at}.name`, name), ...required(`${at}.nodeID`, nodeID))
    if (byteLength(nodeID ?? "") > maxNodeIDLength)
      out.push(field.invalid(`${at}.nodeID`, nodeID, `must be ${maxNodeIDLength} characters or less`))
    out.push(...notNegative(`${at}.allocatable.count`, allocatable?.count))
    if (names.has(name)) out.push(field.duplicate(`${at}.name`, name))
    names.add(name)
    const keys = new Set<string>()
    for (const key of topologyKeys ?? []) {
      out.push(...required(at, key))
      if (keys.has(key)) out.push(field.duplicate(at, key))
      keys.add(key)
      out.push(...qualifiedName(at, key))
    }
  }
  return out
}

/** What is known of a driver changes no more, but for how much it has room for. */
export function validateCSINodeUpdate(node: Readonly<CSINode>, old: Readonly<CSINode>): FieldError[] {
  const out: FieldError[] = []
  const drivers = Map.groupBy(node.spec.drivers ?? [], ({ name }) => name)
  // What is stored names each once: no two lists are compared each with each.
  const stored = new Map((old.spec.drivers ?? []).map((driver) => [driver.name, driver]))
  for (const [name, before] of stored)
    for (const driver of drivers.get(name) ?? []) {
      const { allocatable: _a, ...now } = driver
      const { allocatable: _b, ...was } = before
      if (!semanticEqual(now, was))
        out.push(field.invalid("spec.drivers", goValue("storage.CSINodeDriver", now), immutableMessage))
    }
  return out
}

export function validateCSINodeStatusUpdate({ status }: Readonly<CSINode>): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, health] of (status?.storageHealth ?? []).entries()) {
    const at = `status.storageHealth[${i}]`
    if (seen.has(health.name)) out.push(field.duplicate(at, health.name))
    seen.add(health.name)
    out.push(...validateHealth(at, health))
  }
  return out
}

function validateHealth(path: string, { name, healthConditions = [] }: StorageHealth): FieldError[] {
  const out = validateDriverName(`${path}.name`, name)
  const at = `${path}.healthConditions`
  if (healthConditions.length > maxHealthConditions)
    return [...out, field.tooMany(at, healthConditions.length, maxHealthConditions)]
  for (const [i, condition] of healthConditions.entries())
    out.push(...validateHealthCondition(`${at}[${i}]`, condition))
  return out
}

const healthStatuses = ["Degraded", "StorageUnreachable"]

function validateHealthCondition(path: string, condition: StorageHealthCondition): FieldError[] {
  const { status, reason, message = "", accessMode, volumeMode } = condition
  const out: FieldError[] = []
  if (!healthStatuses.includes(status))
    out.push(field.notSupported(`${path}.status`, status ?? "", healthStatuses))
  if (!reason) out.push(field.required(`${path}.reason`, ""))
  else {
    out.push(...reasons(`${path}.reason`, reason, isValidConditionReason(reason)))
    if (byteLength(reason) > maxReasonLength) out.push(field.tooLong(`${path}.reason`, "", maxReasonLength))
  }
  if (byteLength(message) > maxMessageLength) out.push(field.tooLong(`${path}.message`, "", maxMessageLength))
  return [
    ...out,
    ...oneOfIfSet(`${path}.accessMode`, accessMode, accessModes),
    ...oneOfIfSet(`${path}.volumeMode`, volumeMode, ["Filesystem", "Block"]),
  ]
}
