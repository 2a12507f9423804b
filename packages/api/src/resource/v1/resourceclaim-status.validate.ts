/** What was allocated to a claim, and for whom. Mirrors: pkg/apis/resource/validation/validation.go (ValidateResourceClaimStatusUpdate) */
import {
  byteLength,
  field,
  isDNS1123Label,
  semanticEqual,
  validateInterfaceAddress,
  validateLabelName,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { oneOf, reasons, repeated, required } from "../../checks.ts"
import { validateConditions } from "../../conditions.validate.ts"
import { validateNodeSelector } from "../../core/v1/affinity.validate.ts"
import { validateDriverName } from "../../core/v1/volume-source.validate.ts"
import { allProblems, eachOf, noProblems, type Problems } from "./bounded-list.ts"
import { requestNamesOf, validateRequestName, validateRequestNames } from "./device-claim.validate.ts"
import { validateConfiguration, validateRaw } from "./device-config.validate.ts"
import { declaredDriver, declaredPool, declaredUUID, validatePoolName } from "./device-names.validate.ts"
import { validateToleration } from "./device-taint.validate.ts"
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
} from "./types.gen.ts"

const maxReservedFor = 256
const maxResults = 32
const maxConfigs = 64
const maxConditions = 8
const maxBindingConditions = 4
const maxDataLength = 10 * 1024
const maxInterfaceLength = 256
const maxHardwareLength = 128
const maxIPs = 16

interface DeviceID {
  readonly driver: string
  readonly pool: string
  readonly device: string
  readonly shareID?: string | undefined
}

const idOf = ({ driver, pool, device, shareID = "" }: DeviceID): string =>
  [driver, pool, device, shareID].join("\0")

export function validateResourceClaimStatus(
  claim: Readonly<ResourceClaim>,
  old: Readonly<ResourceClaim>,
): FieldError[] {
  const { status } = claim
  const problems = noProblems()
  eachOf(
    problems,
    "status.reservedFor",
    status.reservedFor,
    maxReservedFor,
    ({ resource, name, uid }, at) =>
      problems.found.push(
        ...required(`${at}.resource`, resource),
        ...required(`${at}.name`, name),
        ...required(`${at}.uid`, uid),
      ),
    ({ uid }) => uid,
  )
  const allocated = new Set((status.allocation?.devices?.results ?? []).map(idOf))
  eachOf(
    problems,
    "status.devices",
    status.devices,
    Infinity,
    (device, at) => validateDevice(problems, at, device, allocated),
    idOf,
  )
  problems.found.push(...validateReservations(claim, old))
  if (old.status.allocation && status.allocation) {
    if (!semanticEqual(status.allocation, old.status.allocation))
      problems.declared.push(field.invalid("status.allocation", null, "field cannot be modified once set"))
  } else if (status.allocation)
    validateAllocation(problems, "status.allocation", status.allocation, requestNamesOf(claim.spec?.devices))
  return allProblems(problems)
}

function validateReservations(claim: Readonly<ResourceClaim>, old: Readonly<ResourceClaim>): FieldError[] {
  const reserved = claim.status.reservedFor ?? []
  const path = "status.reservedFor"
  if (reserved.length === 0) return []
  if (!claim.status.allocation)
    return [field.forbidden(path, "may not be specified when `allocated` is not set")]
  const before = old.status.reservedFor ?? []
  const isNew = reserved.some((one) => !before.some((other) => semanticEqual(one, other)))
  return claim.metadata.deletionTimestamp && isNew
    ? [
        field.forbidden(
          path,
          "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
        ),
      ]
    : []
}

function validateAllocation(
  problems: Problems,
  path: string,
  { devices, nodeSelector }: AllocationResult,
  names: ReadonlySet<string>,
): void {
  eachOf(problems, `${path}.devices.results`, devices?.results, maxResults, (result, at) =>
    validateResult(problems, at, result, names),
  )
  eachOf(problems, `${path}.devices.config`, devices?.config, maxConfigs, (config, at) => {
    validateRequestNames(problems, `${at}.requests`, config.requests, names)
    validateConfiguration(problems, at, config)
    problems.declared.push(...oneOf(`${at}.source`, config.source, ["FromClaim", "FromClass"]))
  })
  if (nodeSelector) problems.found.push(...validateNodeSelector(`${path}.nodeSelector`, nodeSelector))
}

function validateResult(
  problems: Problems,
  path: string,
  result: DeviceRequestAllocationResult,
  names: ReadonlySet<string>,
): void {
  const { request, driver, pool, device = "", tolerations, shareID } = result
  validateRequestName(problems, `${path}.request`, request ?? "", names)
  problems.found.push(...reasons(`${path}.device`, device, isDNS1123Label(device)))
  problems.declared.push(...declaredDriver(`${path}.driver`, driver), ...declaredPool(`${path}.pool`, pool))
  validateBinding(problems, path, result.bindingConditions, result.bindingFailureConditions)
  for (const [i, toleration] of (tolerations ?? []).entries())
    validateToleration(problems, `${path}.tolerations[${i}]`, toleration)
  problems.declared.push(...declaredUUID(`${path}.shareID`, shareID))
}

/** Conditions that say that a device is ready or will never be: there are both or neither. */
export function validateBinding(
  problems: Problems,
  path: string,
  conditions: readonly string[] = [],
  failures: readonly string[] = [],
): void {
  const { found } = problems
  const lists = { bindingConditions: conditions, bindingFailureConditions: failures }
  for (const [name, list] of Object.entries(lists))
    eachOf(problems, `${path}.${name}`, list, maxBindingConditions, (condition, at) =>
      found.push(...validateLabelName(condition, at)),
    )
  const known = new Set(conditions)
  for (const [name, list] of Object.entries(lists)) {
    const again = repeated(list)
    for (const [i, condition] of list.entries()) {
      const at = `${path}.${name}[${i}]`
      if (again.has(i)) found.push(field.duplicate(at, condition))
      if (list === failures && known.has(condition))
        found.push(
          field.invalid(at, condition, "bindingFailureConditions must not overlap with bindingConditions"),
        )
    }
  }
  const needed = (name: string, value: readonly string[] | undefined, other: string): number =>
    found.push(field.invalid(`${path}.${name}`, value ?? null, `${name} are required to use ${other}`))
  if (conditions.length === 0 && failures.length > 0)
    needed("bindingConditions", undefined, "bindingFailureConditions")
  if (failures.length === 0 && conditions.length > 0)
    needed("bindingFailureConditions", undefined, "bindingConditions")
}

function validateDevice(
  problems: Problems,
  path: string,
  status: AllocatedDeviceStatus,
  allocated: ReadonlySet<string>,
): void {
  const { driver, pool, device = "", shareID, conditions, data, networkData } = status
  const { found, declared } = problems
  found.push(
    ...validateDriverName(`${path}.driver`, driver),
    ...validatePoolName(`${path}.pool`, pool),
    ...reasons(`${path}.device`, device, isDNS1123Label(device)),
  )
  if (!allocated.has(idOf(status)))
    found.push(
      field.invalid(
        path,
        { Driver: driver, Pool: pool, Device: device, ShareID: shareID ?? "" },
        "must be an allocated device in the claim",
      ),
    )
  if ((conditions?.length ?? 0) > maxConditions)
    found.push(field.tooMany(`${path}.conditions`, conditions!.length, maxConditions))
  found.push(...validateConditions(`${path}.conditions`, conditions))
  if (data !== undefined) found.push(...validateRaw(`${path}.data`, data, maxDataLength))
  declared.push(...declaredUUID(`${path}.shareID`, shareID))
  if (networkData) validateNetwork(problems, `${path}.networkData`, networkData)
}

function validateNetwork(problems: Problems, path: string, network: NetworkDeviceData): void {
  const { interfaceName = "", hardwareAddress = "", ips } = network
  if (byteLength(interfaceName) > maxInterfaceLength)
    problems.declared.push(field.tooLong(`${path}.interfaceName`, "", maxInterfaceLength))
  eachOf(
    problems,
    `${path}.ips`,
    ips,
    maxIPs,
    (ip, at) => problems.found.push(...validateInterfaceAddress(at, ip)),
    (ip) => ip,
  )
  if (byteLength(hardwareAddress) > maxHardwareLength)
    problems.declared.push(field.tooLong(`${path}.hardwareAddress`, "", maxHardwareLength))
}
