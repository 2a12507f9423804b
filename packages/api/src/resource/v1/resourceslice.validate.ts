/** Validation of what drivers publish of their devices. Mirrors: pkg/apis/resource/validation/validation.go (ValidateResourceSlice) */
import { byteLength, field, isDNS1123Label, nameIsDNSSubdomain, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { declaredReasons, immutable, reasons } from "../../checks.ts"
import { validateNodeSelector } from "../../core/v1/affinity.validate.ts"
import { goValue } from "../../go-value.ts"
import { validateDriverName } from "../../core/v1/volume-source.validate.ts"
import { allProblems, eachOf, noProblems, type Problems } from "./bounded-list.ts"
import { validateCapacity } from "./capacity.validate.ts"
import { validatePoolName, validateQualifiedName } from "./device-names.validate.ts"
import { validateTaint } from "./device-taint.validate.ts"
import { validateBinding } from "./resourceclaim-status.validate.ts"
import type { Counter, Device, DeviceAttribute, ResourceSlice, ResourceSliceSpec } from "./types.gen.ts"

const maxDevices = 128
/** Of devices with taints or counters. */
const maxAdvancedDevices = 64
const maxCounterSets = 8
const maxCounters = 32
const maxConsumptions = 2
const maxTaints = 16
const maxAttributes = 32
const maxAttributeValues = 48
const maxValueLength = 64

export function validateResourceSlice(
  { spec }: Readonly<ResourceSlice>,
  old?: Readonly<ResourceSlice>,
): FieldError[] {
  const problems = noProblems()
  const { found } = problems
  const { pool } = spec
  found.push(
    ...validateDriverName("spec.driver", spec.driver),
    ...validatePoolName("spec.pool.name", pool?.name),
  )
  if ((pool?.resourceSliceCount ?? 0) <= 0)
    found.push(
      field.invalid(
        "spec.pool.resourceSliceCount",
        pool?.resourceSliceCount ?? 0,
        "must be greater than zero",
      ),
    )
  if ((pool?.generation ?? 0) < 0)
    found.push(
      field.invalid("spec.pool.generation", pool?.generation, "must be greater than or equal to zero"),
    )
  if (old)
    found.push(
      ...immutable("spec.pool.name", pool?.name, old.spec.pool?.name),
      ...immutable("spec.driver", spec.driver, old.spec.driver),
      ...immutable("spec.nodeName", spec.nodeName, old.spec.nodeName),
    )
  found.push(...validateWhere(spec))
  if (spec.sharedCounters && spec.devices)
    found.push(field.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
  validateDevices(problems, spec, old?.spec)
  eachOf(
    problems,
    "spec.sharedCounters",
    spec.sharedCounters,
    maxCounterSets,
    ({ name, counters }, at) => {
      validateCounterName(problems, `${at}.name`, name)
      validateCounters(problems, `${at}.counters`, counters)
    },
    ({ name }) => name,
  )
  return allProblems(problems)
}

interface Where {
  readonly nodeName?: string | undefined
  readonly nodeSelector?: ResourceSliceSpec["nodeSelector"] | undefined
  readonly allNodes?: boolean | undefined
  readonly perDeviceNodeSelection?: boolean | undefined
}

/** Where the devices can be used is said in one way. */
function validateWhere(spec: ResourceSliceSpec): FieldError[] {
  const detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
  const out = validatePlaces("spec", spec, "must be either unset or set to a non-empty string")
  const terms = spec.nodeSelector?.nodeSelectorTerms
  if (spec.nodeSelector && terms?.length !== 1)
    out.push(
      field.invalid(
        "spec.nodeSelector.nodeSelectorTerms",
        goValue("[]core.NodeSelectorTerm", terms),
        "must have exactly one node selector term",
      ),
    )
  return [...out, ...onePlace("spec", spec, detail, `${detail}, but multiple fields are set`)]
}

function validatePlaces(path: string, where: Where, emptyName: string): FieldError[] {
  const out: FieldError[] = []
  const { nodeName, nodeSelector } = where
  if (nodeName === "") out.push(field.invalid(`${path}.nodeName`, "", emptyName))
  else if (nodeName !== undefined)
    out.push(...reasons(`${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false)))
  if (nodeSelector) out.push(...validateNodeSelector(`${path}.nodeSelector`, nodeSelector))
  for (const name of ["allNodes", "perDeviceNodeSelection"] as const)
    if (where[name] === false)
      out.push(field.invalid(`${path}.${name}`, false, "must be either unset or set to true"))
  return out
}

function onePlace(path: string, where: Where, none: string, several: string): FieldError[] {
  const names = ["nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"] as const
  const set = names.filter((name) => where[name]).map((name) => `\`${name}\``)
  if (set.length === 0) return [field.required(path, none)]
  return set.length === 1 ? [] : [field.invalid(path, `{${set.join(", ")}}`, several)]
}

function validateDevices(
  problems: Problems,
  spec: ResourceSliceSpec,
  old: ResourceSliceSpec | undefined,
): void {
  const devices = spec.devices ?? []
  const { found } = problems
  const advanced = devices.some(({ taints, consumesCounters }) => taints?.length || consumesCounters?.length)
  const most = advanced ? maxAdvancedDevices : maxDevices
  if (devices.length > most) {
    found.push(field.tooMany("spec.devices", devices.length, most))
    return
  }
  const before = new Map((old?.devices ?? []).map((device) => [device.name, device]))
  for (const [i, device] of devices.entries())
    validateDevice(problems, `spec.devices[${i}]`, device, before.get(device.name), spec)
  const seen = new Set<string>()
  for (const [i, { name }] of devices.entries()) {
    if (seen.has(name)) found.push(field.duplicate(`spec.devices[${i}]`, name))
    seen.add(name)
  }
}

function validateDevice(
  problems: Problems,
  path: string,
  device: Device,
  old: Device | undefined,
  spec: ResourceSliceSpec,
): void {
  const { found } = problems
  const { name = "", attributes = {}, capacity = {}, taints = [], consumesCounters } = device
  found.push(...reasons(`${path}.name`, name, isDNS1123Label(name)))
  const sum = Object.keys(attributes).length + Object.keys(capacity).length
  if (sum > maxAttributes)
    found.push(
      field.invalid(
        path,
        sum,
        `the total number of attributes and capacities must not exceed ${maxAttributes}`,
      ),
    )
  const values = Object.keys(attributes).length
  if (values > maxAttributeValues)
    found.push(
      field.invalid(
        path,
        values,
        `the total number of attribute values must not exceed ${maxAttributeValues}`,
      ),
    )
  for (const [key, attribute] of Object.entries(attributes)) {
    found.push(...validateQualifiedName(`${path}.attributes`, key))
    validateAttribute(problems, `${path}.attributes[${key}]`, attribute)
  }
  if (!old || !semanticEqual(old.capacity, device.capacity))
    for (const [key, one] of Object.entries(capacity))
      found.push(
        ...validateQualifiedName(`${path}.capacity`, key),
        ...validateCapacity(`${path}.capacity[${key}]`, one, device.allowMultipleAllocations === true),
      )
  if (!old || !semanticEqual(old.taints, device.taints)) {
    if (taints.length > maxTaints) found.push(field.tooMany(`${path}.taints`, taints.length, maxTaints))
    else for (const [i, taint] of taints.entries()) validateTaint(problems, `${path}.taints[${i}]`, taint)
  }
  eachOf(
    problems,
    `${path}.consumesCounters`,
    consumesCounters,
    maxConsumptions,
    ({ counterSet, counters }, at) => {
      validateCounterName(problems, `${at}.counterSet`, counterSet)
      validateCounters(problems, `${at}.counters`, counters)
    },
    ({ counterSet }) => counterSet,
  )
  found.push(...validateDevicePlace(path, device, spec.perDeviceNodeSelection === true))
  validateBinding(problems, path, device.bindingConditions, device.bindingFailureConditions)
}

function validateDevicePlace(path: string, device: Device, perDevice: boolean): FieldError[] {
  const { nodeName, nodeSelector, allNodes } = device
  const needed = "is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
  const detail = `exactly one of \`nodeName\`, \`nodeSelector\`, or \`allNodes\` ${needed}`
  const where = { nodeName, nodeSelector, allNodes }
  if (perDevice)
    return [...validatePlaces(path, where, "must not be empty"), ...onePlace(path, where, detail, detail)]
  const isSet = nodeName !== undefined || nodeSelector !== undefined || allNodes !== undefined
  return isSet
    ? [
        field.invalid(
          path,
          null,
          "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec",
        ),
      ]
    : []
}

function validateCounterName(problems: Problems, path: string, name: string | undefined): void {
  problems.declared.push(
    ...(name ? declaredReasons(path, name, isDNS1123Label(name)) : [field.required(path, "")]),
  )
}

function validateCounters(
  problems: Problems,
  path: string,
  counters: Readonly<Record<string, Counter>> | undefined,
): void {
  const names = Object.keys(counters ?? {})
  if (names.length === 0) problems.declared.push(field.required(path, ""))
  if (names.length > maxCounters) problems.found.push(field.tooMany(path, names.length, maxCounters))
  for (const name of names) problems.declared.push(...declaredReasons(path, name, isDNS1123Label(name)))
}

const semver =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/
const unionNames = ["int", "bool", "string", "version"] as const

function validateAttribute(problems: Problems, path: string, attribute: DeviceAttribute): void {
  const { found, declared } = problems
  const { string, version } = attribute
  const tooLong = (at: string, value: string): void => {
    if (byteLength(value) > maxValueLength) found.push(field.tooLong(at, "", maxValueLength))
  }
  if (string !== undefined) tooLong(`${path}.string`, string)
  if (version !== undefined) {
    if (version.length > 1024 || !semver.test(version))
      found.push(
        field.invalid(`${path}.version`, version, "must be a string compatible with semver.org spec 2.0.0"),
      )
    tooLong(`${path}.version`, version)
  }
  // Upstream names lists of values as well, although it takes none yet.
  const all = [...unionNames, ...unionNames.map((name) => `${name}s`)].map((name) => `\`${name}\``).join(", ")
  const set = unionNames.filter((name) => attribute[name] !== undefined)
  if (set.length === 0) declared.push(field.invalid(path, "", `must specify one of: ${all}`))
  else if (set.length > 1)
    declared.push(field.invalid(path, `{${set.join(", ")}}`, `must specify exactly one of: ${all}`))
}
