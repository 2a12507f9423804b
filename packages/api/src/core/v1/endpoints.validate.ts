/** Validation of endpoints. Mirrors: pkg/apis/core/validation/validation.go (ValidateEndpoints) */
import {
  field,
  isDNS1123Label,
  isQualifiedName,
  isValidPortNum,
  nameIsDNSSubdomain,
  parseIP,
  validateLegacyIP,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { oneOf, reasons } from "../../checks.ts"
import type { EndpointAddress, Endpoints } from "./types.gen.ts"

/** An address that other machines can reach. */
export function validateEndpointIP(path: string, ip: string): FieldError[] {
  const parsed = parseIP(ip)
  if (!parsed) return [field.invalid(path, ip, "must be a valid IP address")]
  const lower = ip.toLowerCase()
  if (/^(0\.0\.0\.0|::|0:0:0:0:0:0:0:0)$/.test(lower))
    return [field.invalid(path, ip, `may not be unspecified (${ip})`)]
  if (lower.startsWith("127.") || /^(::1|0:0:0:0:0:0:0:1)$/.test(lower))
    return [field.invalid(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
  if (lower.startsWith("169.254.") || /^fe[89ab][0-9a-f]:/.test(lower))
    return [field.invalid(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
  if (lower.startsWith("224.0.0.") || lower.startsWith("ff02:"))
    return [field.invalid(path, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")]
  return []
}

function validateAddress(path: string, { ip, hostname, nodeName }: EndpointAddress): FieldError[] {
  const out = validateLegacyIP(`${path}.ip`, ip ?? "", true)
  out.push(...validateEndpointIP(`${path}.ip`, ip ?? ""))
  if (hostname) out.push(...reasons(`${path}.hostname`, hostname, isDNS1123Label(hostname)))
  if (nodeName !== undefined)
    out.push(...reasons(`${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false)))
  return out
}

export function validateEndpoints({ subsets }: Readonly<Endpoints>): FieldError[] {
  const out: FieldError[] = []
  for (const [i, { addresses = [], notReadyAddresses = [], ports = [] }] of (subsets ?? []).entries()) {
    const at = `subsets[${i}]`
    if (addresses.length === 0 && notReadyAddresses.length === 0)
      out.push(field.required(at, "must specify `addresses` or `notReadyAddresses`"))
    addresses.forEach((one, j) => out.push(...validateAddress(`${at}.addresses[${j}]`, one)))
    notReadyAddresses.forEach((one, j) => out.push(...validateAddress(`${at}.notReadyAddresses[${j}]`, one)))
    for (const [j, { name, port, protocol, appProtocol }] of ports.entries()) {
      const where = `${at}.ports[${j}]`
      if (ports.length > 1 && !name) out.push(field.required(`${where}.name`, ""))
      else if (name) out.push(...reasons(`${where}.name`, name, isDNS1123Label(name)))
      out.push(
        ...reasons(`${where}.port`, port ?? 0, isValidPortNum(port ?? 0)),
        ...oneOf(`${where}.protocol`, protocol, ["SCTP", "TCP", "UDP"]),
      )
      if (appProtocol !== undefined)
        out.push(...reasons(`${where}.appProtocol`, appProtocol, isQualifiedName(appProtocol)))
    }
  }
  return out
}
