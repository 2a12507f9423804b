/**
 * Checks of names, labels and keys. Each returns the reasons why the value is not acceptable, in upstream's words;
 * an empty list means that it is. Mirrors: apimachinery pkg/util/validation, pkg/api/validate/content
 */
import { byteLength } from "./go-format.ts"

/** The limit of a DNS label, a label's value and the name part of a label's key. */
export const maxLabelLength = 63
/** The limit of a DNS subdomain, and so of most names. */
export const maxSubdomainLength = 253

/** `must be no more than N characters`. */
export function maxLengthMessage(length: number): string {
  return `must be no more than ${length} characters`
}

/** `must be between A and B, inclusive`. */
export function rangeMessage(low: number, high: number): string {
  return `must be between ${low} and ${high}, inclusive`
}

/** What upstream says when `pattern` does not match. */
export function regexMessage(message: string, pattern: string, ...examples: string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`
  const list = examples.map((example) => `'${example}', `).join(" or ")
  return `${message} (e.g. ${list}regex used for validation is '${pattern}')`
}

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`)
}

const dns1123Label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
const dns1123LabelRegexp = whole(dns1123Label)
const dns1123Subdomain = `${dns1123Label}(\\.${dns1123Label})*`
const dns1123SubdomainRegexp = whole(dns1123Subdomain)
const dns1035Label = "[a-z]([-a-z0-9]*[a-z0-9])?"
const dns1035LabelRegexp = whole(dns1035Label)

const labelMessage =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', " +
  "and must start and end with an alphanumeric character"
const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character"

/** A DNS label: namespaces, containers, volumes. */
export function isDNS1123Label(value: string): string[] {
  if (value.length <= maxLabelLength && dns1123LabelRegexp.test(value)) return []
  const out: string[] = []
  if (byteLength(value) > maxLabelLength) out.push(maxLengthMessage(maxLabelLength))
  if (!dns1123LabelRegexp.test(value)) {
    out.push(
      dns1123SubdomainRegexp.test(value)
        ? "must not contain dots"
        : regexMessage(labelMessage, dns1123Label, "my-name", "123-abc"),
    )
  }
  return out
}

/** A DNS subdomain: most objects' names. */
export function isDNS1123Subdomain(value: string): string[] {
  if (value.length <= maxSubdomainLength && dns1123SubdomainRegexp.test(value)) return []
  const out: string[] = []
  if (byteLength(value) > maxSubdomainLength) out.push(maxLengthMessage(maxSubdomainLength))
  if (!dns1123SubdomainRegexp.test(value))
    out.push(regexMessage(subdomainMessage, dns1123Subdomain, "example.com"))
  return out
}

/** A DNS subdomain in any case. */
export function isDNS1123SubdomainCaseless(value: string): string[] {
  const out: string[] = []
  if (byteLength(value) > maxSubdomainLength) out.push(maxLengthMessage(maxSubdomainLength))
  if (!dns1123SubdomainRegexp.test(value.toLowerCase()))
    out.push(regexMessage(caselessMessage, dns1123Subdomain, "Example.com"))
  return out
}

const caselessMessage =
  "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character"

const underscoreLabel = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
const underscoreSubdomain = `${underscoreLabel}(\\.${underscoreLabel})*`
const underscoreSubdomainRegexp = whole(underscoreSubdomain)

/** A DNS subdomain whose labels may hold underscores. */
export function isDNS1123SubdomainWithUnderscore(value: string): string[] {
  const out: string[] = []
  if (byteLength(value) > maxSubdomainLength) out.push(maxLengthMessage(maxSubdomainLength))
  if (!underscoreSubdomainRegexp.test(value)) {
    out.push(
      regexMessage(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', " +
          "and must start and end with an alphanumeric character",
        underscoreSubdomain,
        "example.com",
      ),
    )
  }
  return out
}

/** A DNS label that starts with a letter: services. */
export function isDNS1035Label(value: string): string[] {
  const out: string[] = []
  if (byteLength(value) > maxLabelLength) out.push(maxLengthMessage(maxLabelLength))
  if (!dns1035LabelRegexp.test(value)) {
    out.push(
      regexMessage(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
          "alphabetic character, and end with an alphanumeric character",
        dns1035Label,
        "my-name",
        "abc-123",
      ),
    )
  }
  return out
}

const wildcardSubdomain = `\\*\\.${dns1123Subdomain}`
const wildcardSubdomainRegexp = whole(wildcardSubdomain)

/** A DNS subdomain under `*.`. */
export function isWildcardDNS1123Subdomain(value: string): string[] {
  const out: string[] = []
  if (byteLength(value) > maxSubdomainLength) out.push(maxLengthMessage(maxSubdomainLength))
  if (!wildcardSubdomainRegexp.test(value)) {
    out.push(
      regexMessage(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must " +
          "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        wildcardSubdomain,
        "*.example.com",
      ),
    )
  }
  return out
}

const labelName = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
const labelNameRegexp = whole(labelName)
const labelNameMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

// The checks below say "bytes" where the DNS checks above say "characters", as upstream's do.
function bytesMessage(length: number): string {
  return `must be no more than ${length} bytes`
}

/** A label key, annotation key, finalizer or condition type: `name` or `prefix.example.com/name`. */
export function isQualifiedName(value: string): string[] {
  if (value.length <= maxLabelLength && labelNameRegexp.test(value)) return []
  const out: string[] = []
  const parts = value.split("/")
  if (parts.length > 2) {
    return [
      `a valid label key ${regexMessage(labelNameMessage, labelName, "MyName", "my.name", "123-abc")}` +
        " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ]
  }
  const name = parts[parts.length - 1]!
  if (parts.length === 2) {
    const prefix = parts[0]!
    if (prefix === "") out.push("prefix part must be non-empty")
    else {
      if (byteLength(prefix) > maxSubdomainLength) out.push(`prefix part ${bytesMessage(maxSubdomainLength)}`)
      if (!dns1123SubdomainRegexp.test(prefix))
        out.push(`prefix part ${regexMessage(subdomainMessage, dns1123Subdomain, "example.com")}`)
    }
  }
  if (name === "") out.push("name part must be non-empty")
  else if (byteLength(name) > maxLabelLength) out.push(`name part ${bytesMessage(maxLabelLength)}`)
  if (!labelNameRegexp.test(name))
    out.push(`name part ${regexMessage(labelNameMessage, labelName, "MyName", "my.name", "123-abc")}`)
  return out
}

const labelValue = `(${labelName})?`
const labelValueRegexp = whole(labelValue)

/** A label's value; may be empty. */
export function isValidLabelValue(value: string): string[] {
  if (value.length <= maxLabelLength && labelValueRegexp.test(value)) return []
  const out: string[] = []
  if (byteLength(value) > maxLabelLength) out.push(bytesMessage(maxLabelLength))
  if (!labelValueRegexp.test(value)) {
    out.push(
      regexMessage(
        `a valid label must be an empty string or ${labelNameMessage.slice(5)}`,
        labelValue,
        "MyValue",
        "my_value",
        "12345",
      ),
    )
  }
  return out
}

const identifier = "[A-Za-z_][A-Za-z0-9_]*"
const identifierRegexp = whole(identifier)

/** An identifier as in C. */
export function isCIdentifier(value: string): string[] {
  if (identifierRegexp.test(value)) return []
  return [
    regexMessage(
      "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric " +
        "characters or '_'",
      identifier,
      "my_name",
      "MY_NAME",
      "MyName",
    ),
  ]
}

/** A port number, 1 to 65535. */
export function isValidPortNum(port: number): string[] {
  return isInRange(port, 1, 65535)
}

export function isInRange(value: number, low: number, high: number): string[] {
  return low <= value && value <= high ? [] : [rangeMessage(low, high)]
}

const maxId = 2 ** 31 - 1

export function isValidUserID(id: number): string[] {
  return isInRange(id, 0, maxId)
}

export function isValidGroupID(id: number): string[] {
  return isInRange(id, 0, maxId)
}

/** The name of a port (an IANA service name), at most 15 characters. */
export function isValidPortName(port: string): string[] {
  const out: string[] = []
  if (byteLength(port) > 15) out.push(maxLengthMessage(15))
  if (!/^[-a-z0-9]+$/.test(port))
    out.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
  if (!/[a-z]/.test(port)) out.push("must contain at least one letter (a-z)")
  if (port.includes("--")) out.push("must not contain consecutive hyphens")
  if (port.startsWith("-") || port.endsWith("-")) out.push("must not begin or end with a hyphen")
  return out
}

/** A percentage: `10%`. */
export function isValidPercent(value: string): string[] {
  if (/^[0-9]+%$/.test(value)) return []
  return [
    regexMessage(
      "a valid percent string must be a numeric string followed by an ending '%'",
      "[0-9]+%",
      "1%",
      "93%",
    ),
  ]
}

export function isHTTPHeaderName(value: string): string[] {
  if (/^[-A-Za-z0-9]+$/.test(value)) return []
  return [
    regexMessage(
      "a valid HTTP header must consist of alphanumeric characters or '-'",
      "[-A-Za-z0-9]+",
      "X-Header-Name",
    ),
  ]
}

const envVarName = "[-._a-zA-Z][-._a-zA-Z0-9]*"
const envVarNameRegexp = whole(envVarName)

/** The strict form of an environment variable's name. */
export function isEnvVarName(value: string): string[] {
  const out: string[] = []
  if (!envVarNameRegexp.test(value)) {
    out.push(
      regexMessage(
        "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', " +
          "and must not start with a digit",
        envVarName,
        "my.env-name",
        "MY_ENV.NAME",
        "MyEnvName1",
      ),
    )
  }
  out.push(...hasParentPrefix(value))
  return out
}

/** The relaxed form, which pods may use: printable ASCII without `=`. */
export function isRelaxedEnvVarName(value: string): string[] {
  if (value === "") return ["environment variable name must be non-empty"]
  if (/^[\x20-\x3c\x3e-\x7e]*$/.test(value)) return []
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

/** A key of a ConfigMap's or Secret's data. */
export function isConfigMapKey(value: string): string[] {
  const out: string[] = []
  if (byteLength(value) > maxSubdomainLength) out.push(maxLengthMessage(maxSubdomainLength))
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    out.push(
      regexMessage(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        "[-._a-zA-Z0-9]+",
        "key.name",
        "KEY_NAME",
        "key-name",
      ),
    )
  }
  out.push(...hasParentPrefix(value))
  return out
}

function hasParentPrefix(value: string): string[] {
  if (value === ".") return ["must not be '.'"]
  if (value === "..") return ["must not be '..'"]
  return value.startsWith("..") ? ["must not start with '..'"] : []
}

/** A name that can be a segment of a URL path: the names of RBAC objects. */
export function isPathSegmentName(name: string): string[] {
  if (name === "." || name === "..") return [`may not be '${name}'`]
  return isPathSegmentPrefix(name)
}

/** The same for a `generateName`. */
export function isPathSegmentPrefix(name: string): string[] {
  const out: string[] = []
  for (const part of ["/", "%"]) if (name.includes(part)) out.push(`may not contain '${part}'`)
  return out
}

const conditionReason = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
const conditionReasonRegexp = whole(conditionReason)

/** The reason of a condition. */
export function isValidConditionReason(value: string): string[] {
  if (conditionReasonRegexp.test(value)) return []
  return [
    regexMessage(
      "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric " +
        "characters or '_,:', and must end with an alphanumeric character or '_'",
      conditionReason,
      "my_name",
      "MY_NAME",
      "MyName",
      "ReasonA,ReasonB",
      "ReasonA:ReasonB",
    ),
  ]
}

/** Why a kind does not take a name; `prefix` is true for `generateName`. */
export type ValidateName = (name: string, prefix: boolean) => string[]

function withoutTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith("-") ? name.slice(0, -2) + "a" : name
}

/** For kinds whose names are DNS subdomains (the default). */
export const nameIsDNSSubdomain: ValidateName = (name, prefix) =>
  isDNS1123Subdomain(prefix ? withoutTrailingDash(name) : name)

/** For kinds whose names are DNS labels. */
export const nameIsDNSLabel: ValidateName = (name, prefix) =>
  isDNS1123Label(prefix ? withoutTrailingDash(name) : name)

/** For kinds whose names are DNS labels that start with a letter. */
export const nameIsDNS1035Label: ValidateName = (name, prefix) =>
  isDNS1035Label(prefix ? withoutTrailingDash(name) : name)

/** For kinds whose names are any URL path segment. */
export const nameIsPathSegment: ValidateName = (name, prefix) =>
  prefix ? isPathSegmentPrefix(name) : isPathSegmentName(name)
