/** Checks of domain-qualified values, as problems of a field. Mirrors: apimachinery pkg/util/validation */
import { invalid, required, type FieldError } from "./field-error.ts"
import { isDNS1123Label, isDNS1123Subdomain, isQualifiedName, regexMessage } from "./names.ts"

/** A domain of at least three segments: a signer's name, for example. */
export function isFullyQualifiedName(path: string, name: string): FieldError[] {
  if (name === "") return [required(path, "")]
  const reasons = isDNS1123Subdomain(name)
  if (reasons.length > 0) return [invalid(path, name, reasons.join(","))]
  if (name.split(".").length >= 3) return []
  return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
}

/** A domain of at least two segments; a dot may follow. */
export function isFullyQualifiedDomainName(path: string, text: string): FieldError[] {
  if (text === "") return [required(path, "")]
  const name = text.endsWith(".") ? text.slice(0, -1) : text
  const reasons = isDNS1123Subdomain(name)
  if (reasons.length > 0) return [invalid(path, name, reasons.join(","))]
  const labels = name.split(".")
  if (labels.length < 2) {
    return [invalid(path, name, "should be a domain with at least two segments separated by dots")]
  }
  for (const label of labels) {
    const why = isDNS1123Label(label)
    if (why.length > 0) return [invalid(path, label, why.join(","))]
  }
  return []
}

const httpPath = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"
const httpPathRegexp = new RegExp(`^${httpPath}$`)

/** `acme.io/foo`, where the part after the slash is a path. */
export function isDomainPrefixedPath(path: string, value: string): FieldError[] {
  if (value === "") return [required(path, "")]
  const slash = value.indexOf("/")
  const host = value.slice(0, slash)
  const rest = value.slice(slash + 1)
  if (slash <= 0 || rest === "")
    return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  const out = isDNS1123Subdomain(host).map((reason) => invalid(path, host, reason))
  if (!httpPathRegexp.test(rest)) out.push(invalid(path, rest, regexMessage("Invalid path", httpPath)))
  return out
}

/** `acme.io/foo`, where the part after the slash is a label's name. */
export function isDomainPrefixedKey(path: string, value: string): FieldError[] {
  if (value === "") return [required(path, "")]
  const out = isQualifiedName(value).map((reason) => invalid(path, value, reason))
  if (out.length > 0) return out
  if (value.split("/").length === 2) return []
  return [invalid(path, value, 'must be a domain-prefixed key (such as "acme.io/foo")')]
}
