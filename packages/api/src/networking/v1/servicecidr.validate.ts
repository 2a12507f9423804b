/** Validation of ranges for services. Mirrors: pkg/apis/networking/validation/validation.go (ValidateServiceCIDR) */
import { field, ipFamily, parseCIDR, validateCIDR } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutableMessage } from "../../checks.ts"
import type { ServiceCIDR } from "./types.gen.ts"

const path = "spec.cidrs"

/** Rules of a new range; an update may add a second family and nothing else. */
export function validateServiceCIDR(
  object: Readonly<ServiceCIDR>,
  old?: Readonly<ServiceCIDR>,
): FieldError[] {
  const cidrs = object.spec?.cidrs ?? []
  if (!old) return validateRanges(cidrs)
  const before = old.spec?.cidrs ?? []
  const grows = before.length === 1 && cidrs.length === 2
  if (!grows && before.length !== cidrs.length)
    return [field.invalid(path, object.spec?.cidrs ?? null, immutableMessage)]
  const out = before.flatMap((cidr, i) =>
    cidr === cidrs[i] ? [] : [field.invalid(`${path}[${i}]`, cidrs[i], immutableMessage)],
  )
  return grows ? [...out, ...validateRanges(cidrs)] : out
}

function validateRanges(cidrs: readonly string[]): FieldError[] {
  if (cidrs.length === 0) return [field.required(path, "at least one CIDR required")]
  if (cidrs.length > 2) return [field.invalid(path, { CIDRs: cidrs }, "may only hold up to 2 values")]
  const out = cidrs.flatMap((cidr, i) => validateCIDR(`${path}[${i}]`, cidr))
  const families = cidrs.map(familyOf)
  if (families.length === 2 && families[0] !== undefined && families[0] === families[1])
    out.push(
      field.invalid(
        path,
        cidrs,
        "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
      ),
    )
  return out
}

function familyOf(cidr: string): 4 | 6 | undefined {
  const network = parseCIDR(cidr)
  return network && ipFamily(network.address)
}
