/**
 * What a claim asks for.
 * Mirrors: pkg/apis/resource/validation/validation.go (validateDeviceClaim)
 */
import { byteLength, field, type FieldError, isDNS1123Label, isDNS1123Subdomain } from "@knarr/apimachinery"
import { selectorProblem } from "@knarr/cel"
import { declaredReasons, oneOf, reasons } from "../../checks.ts"
import { eachOf, type Problems } from "./bounded-list.ts"
import { validateConfiguration } from "./device-config.validate.ts"
import { declaredFullyQualifiedName } from "./device-names.validate.ts"
import { validateToleration } from "./device-taint.validate.ts"
import type {
  DeviceClaim,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  ExactDeviceRequest,
} from "./types.gen.ts"

const maxItems = 32
const maxAlternatives = 8
/** Bytes. */
const maxExpressionLength = 10 * 1024

/** The names of a claim's requests, and of the alternatives of each as `request/alternative`. */
export function requestNamesOf(claim: DeviceClaim | undefined): ReadonlySet<string> {
  return new Set(
    (claim?.requests ?? []).flatMap(({ name, firstAvailable }) => [
      name,
      ...(firstAvailable ?? []).map((one) => `${name}/${one.name}`),
    ]),
  )
}

export function validateDeviceClaim(problems: Problems, path: string, claim: DeviceClaim | undefined): void {
  const names = requestNamesOf(claim)
  eachOf(
    problems,
    `${path}.requests`,
    claim?.requests,
    maxItems,
    (request, at) => validateRequest(problems, at, request),
    ({ name }) => name,
    "io.k8s.api.resource.v1.DeviceRequest",
  )
  eachOf(problems, `${path}.constraints`, claim?.constraints, maxItems, (constraint, at) =>
    validateConstraint(problems, at, constraint, names),
  )
  eachOf(problems, `${path}.config`, claim?.config, maxItems, (config, at) => {
    validateRequestNames(problems, `${at}.requests`, config.requests, names)
    validateConfiguration(problems, at, config)
  })
}

function validateRequest(problems: Problems, path: string, request: DeviceRequest): void {
  const { name = "", exactly, firstAvailable = [] } = request
  problems.found.push(...reasons(`${path}.name`, name, isDNS1123Label(name)))
  const detail = "exactly one of `exactly` or `firstAvailable` is required"
  if (firstAvailable.length > 0 && exactly) {
    problems.found.push(field.invalid(path, null, `${detail}, but multiple fields are set`))
    for (const [i, { deviceClassName }] of firstAvailable.entries())
      problems.declared.push(...validateClass(`${path}.firstAvailable[${i}]`, deviceClassName))
  } else if (firstAvailable.length > 0)
    eachOf(
      problems,
      `${path}.firstAvailable`,
      firstAvailable,
      maxAlternatives,
      (one, at) => validateAlternative(problems, at, one),
      (one) => one.name,
      "io.k8s.api.resource.v1.DeviceSubRequest",
    )
  else if (exactly) {
    const at = `${path}.exactly`
    const { deviceClassName } = exactly
    problems.found.push(
      ...(deviceClassName
        ? reasons(`${at}.deviceClassName`, deviceClassName, isDNS1123Subdomain(deviceClassName))
        : [field.required(`${at}.deviceClassName`, "")]),
    )
    validateWanted(problems, at, exactly)
  } else problems.found.push(field.required(path, detail))
}

function validateAlternative(problems: Problems, path: string, request: DeviceSubRequest): void {
  const { name = "", deviceClassName } = request
  problems.found.push(...reasons(`${path}.name`, name, isDNS1123Label(name)))
  validateWanted(problems, path, request)
  problems.declared.push(...validateClass(path, deviceClassName))
}

function validateClass(path: string, deviceClassName: string): FieldError[] {
  const at = `${path}.deviceClassName`
  return deviceClassName
    ? declaredReasons(at, deviceClassName, isDNS1123Subdomain(deviceClassName))
    : [field.required(at, "")]
}

/** How many devices of which kind. */
function validateWanted(
  problems: Problems,
  path: string,
  request: ExactDeviceRequest | DeviceSubRequest,
): void {
  const { allocationMode, count = 0, tolerations } = request
  validateSelectors(problems, `${path}.selectors`, request.selectors)
  const at = `${path}.count`
  if (allocationMode === "All" && count !== 0)
    problems.found.push(field.invalid(at, count, "must not be specified when allocationMode is 'All'"))
  if (allocationMode === "ExactCount" && count <= 0)
    problems.found.push(field.invalid(at, count, "must be greater than zero"))
  for (const [i, toleration] of (tolerations ?? []).entries())
    validateToleration(problems, `${path}.tolerations[${i}]`, toleration)
  problems.declared.push(...oneOf(`${path}.allocationMode`, allocationMode, ["All", "ExactCount"]))
}

/** Selectors of devices; `stored` ones, which were taken once, need not be right. */
export function validateSelectors(
  problems: Problems,
  path: string,
  selectors: readonly DeviceSelector[] | undefined,
  stored = false,
): void {
  eachOf(problems, path, selectors, maxItems, ({ cel }, at) => {
    if (!cel) problems.found.push(field.required(`${at}.cel`, ""))
    else if (!stored) problems.found.push(...validateSelector(`${at}.cel.expression`, cel.expression ?? ""))
  })
}

function validateSelector(path: string, text: string): FieldError[] {
  if (byteLength(text) > maxExpressionLength) return [field.tooLong(path, "", maxExpressionLength)]
  const problem = selectorProblem(text)
  if (!problem) return []
  const { kind, detail } = problem
  if (kind === "invalid") return [field.invalid(path, text, detail)]
  return [kind === "internal" ? field.internalError(path, new Error(detail)) : field.forbidden(path, detail)]
}

function validateConstraint(
  problems: Problems,
  path: string,
  constraint: DeviceConstraint,
  names: ReadonlySet<string>,
): void {
  const { requests, matchAttribute, distinctAttribute } = constraint
  validateRequestNames(problems, `${path}.requests`, requests, names)
  if (matchAttribute === undefined && distinctAttribute === undefined)
    problems.found.push(
      field.required(
        path,
        'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
      ),
    )
  if (matchAttribute !== undefined)
    problems.declared.push(...declaredFullyQualifiedName(`${path}.matchAttribute`, matchAttribute))
  if (distinctAttribute !== undefined)
    problems.declared.push(...declaredFullyQualifiedName(`${path}.distinctAttribute`, distinctAttribute))
}

/** References to requests of the claim. */
export function validateRequestNames(
  problems: Problems,
  path: string,
  requests: readonly string[] | undefined,
  names: ReadonlySet<string>,
): void {
  eachOf(
    problems,
    path,
    requests,
    maxItems,
    (name, at) => validateRequestName(problems, at, name, names),
    (name) => name,
  )
}

export function validateRequestName(
  problems: Problems,
  path: string,
  name: string,
  names: ReadonlySet<string>,
): void {
  const detail =
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
  const segments = name.split("/")
  if (segments.length <= 2)
    for (const segment of segments) problems.found.push(...reasons(path, segment, isDNS1123Label(segment)))
  if (segments.length > 2 || !names.has(name)) problems.found.push(field.invalid(path, name, detail))
}
