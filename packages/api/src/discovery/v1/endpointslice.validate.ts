/** Validation of endpoint slices. Mirrors: pkg/apis/discovery/validation/validation.go */
import {
  field,
  isDNS1123Label,
  isQualifiedName,
  isValidLabelValue,
  isDNS1123Subdomain,
  nameIsDNSSubdomain,
  validateLegacyIP,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage, reasons } from "../../checks.ts"
import { validateEndpointIP } from "../../core/v1/endpoints.validate.ts"
import type { Endpoint, EndpointSlice } from "./types.gen.ts"

const addressTypes = ["FQDN", "IPv4", "IPv6"]

function validateAddress(path: string, at: number, address: string, type: string): FieldError[] {
  const here = `${path}[${at}]`
  if (type === "FQDN") {
    const name = address.endsWith(".") ? address.slice(0, -1) : address
    if (name === "") return [field.required(here, "")]
    const problems = reasons(here, name, isDNS1123Subdomain(name))
    const detail = "should be a domain with at least two segments separated by dots"
    return problems.length > 0 || name.includes(".") ? problems : [field.invalid(here, name, detail)]
  }
  if (type !== "IPv4" && type !== "IPv6") return []
  const out = validateLegacyIP(here, address, true)
  if (out.length > 0) return out
  if (address.includes(":") !== (type === "IPv6"))
    out.push(field.invalid(path, address, `must be an ${type} address`))
  return [...out, ...validateEndpointIP(here, address)]
}

function validateEndpoint(path: string, endpoint: Endpoint, type: string): FieldError[] {
  const out: FieldError[] = []
  const addresses = endpoint.addresses ?? []
  if (addresses.length === 0) out.push(field.required(`${path}.addresses`, ""))
  else if (addresses.length > 100) out.push(field.tooMany(`${path}.addresses`, addresses.length, 100))
  addresses.forEach((address, i) => out.push(...validateAddress(`${path}.addresses`, i, address, type)))
  if (endpoint.nodeName !== undefined)
    out.push(...reasons(`${path}.nodeName`, endpoint.nodeName, nameIsDNSSubdomain(endpoint.nodeName, false)))
  if (endpoint.hostname !== undefined)
    out.push(...reasons(`${path}.hostname`, endpoint.hostname, isDNS1123Label(endpoint.hostname)))
  const { forZones = [], forNodes = [] } = endpoint.hints ?? {}
  out.push(...validateHints(`${path}.hints.forZones`, forZones, isValidLabelValue))
  if (forZones.length <= maxHints)
    out.push(...validateHints(`${path}.hints.forNodes`, forNodes, (name) => nameIsDNSSubdomain(name, false)))
  return out
}

const maxHints = 8

function validateHints(
  path: string,
  hints: readonly { readonly name: string }[],
  problems: (name: string) => string[],
): FieldError[] {
  if (hints.length > maxHints) return [field.tooMany(path, hints.length, maxHints)]
  const seen = new Set<string>()
  return hints.flatMap(({ name = "" }, i) => {
    const at = `${path}[${i}].name`
    const twice = seen.has(name) ? [field.duplicate(at, name)] : []
    seen.add(name)
    return [...twice, ...reasons(at, name, problems(name))]
  })
}

export function validateEndpointSlice({
  addressType,
  endpoints,
  ports,
}: Readonly<EndpointSlice>): FieldError[] {
  const out: FieldError[] = []
  if (!addressType) out.push(field.required("addressType", ""))
  else if (!addressTypes.includes(addressType))
    out.push(field.notSupported("addressType", addressType, addressTypes))
  if ((endpoints ?? []).length > 1000) return [...out, field.tooMany("endpoints", endpoints!.length, 1000)]
  endpoints?.forEach((endpoint, i) => out.push(...validateEndpoint(`endpoints[${i}]`, endpoint, addressType)))
  if ((ports ?? []).length > 20_000) return [...out, field.tooMany("ports", ports!.length, 20_000)]
  const names = new Set<string>()
  ports?.forEach(({ name = "", protocol, appProtocol }, i) => {
    const at = `ports[${i}]`
    if (name) out.push(...reasons(`${at}.name`, name, isDNS1123Label(name)))
    if (names.has(name)) out.push(field.duplicate(`${at}.name`, name))
    names.add(name)
    if (protocol === undefined) out.push(field.required(`${at}.protocol`, ""))
    else if (!["SCTP", "TCP", "UDP"].includes(protocol))
      out.push(field.notSupported(`${at}.protocol`, protocol, ["SCTP", "TCP", "UDP"]))
    if (appProtocol !== undefined)
      out.push(...reasons(`${at}.appProtocol`, appProtocol, isQualifiedName(appProtocol)))
  })
  return out
}

export function validateEndpointSliceUpdate(
  slice: Readonly<EndpointSlice>,
  old: Readonly<EndpointSlice>,
): FieldError[] {
  return slice.addressType === old.addressType ? [] : [field.invalid("addressType", null, immutableMessage)]
}
