/** Names of signers: `example.com/signer`. Mirrors: pkg/apis/core/validation ValidateSignerName */
import { field, isDNS1123Label, isDNS1123Subdomain } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"

const maxDomainLength = 253
/** A domain, a slash, and a label and a subdomain joined by a dot. */
const maxLength = maxDomainLength + 1 + (253 + 63 + 1)

export function validateSignerName(path: string, name: string | undefined): FieldError[] {
  if (!name) return [field.required(path, "")]
  const [domain, rest, ...more] = name.split("/") as [string, string | undefined, ...string[]]
  if (rest === undefined || more.length > 0)
    return [
      field.invalid(
        path,
        name,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    ]
  const out: FieldError[] = []
  if (domain.length > maxDomainLength) out.push(field.tooLong(path, "", maxDomainLength))
  const labels = domain.split(".")
  out.push(...firstBad(path, domain, labels, isDNS1123Label))
  if (labels.length < 2)
    out.push(field.invalid(path, domain, "should be a domain with at least two segments separated by dots"))
  out.push(...firstBad(path, rest, rest.split("."), isDNS1123Subdomain))
  if (name.length > maxLength) out.push(field.tooLong(path, "", maxLength))
  return out
}

function firstBad(
  path: string,
  value: string,
  parts: readonly string[],
  check: (text: string) => string[],
): FieldError[] {
  for (const part of parts) {
    const problems = check(part)
    if (problems.length > 0)
      return problems.map((problem) =>
        field.invalid(path, value, `validating label ${JSON.stringify(part)}: ${problem}`),
      )
  }
  return []
}

/** Signers of Kubernetes itself. */
export function isKubernetesSigner(name: string): boolean {
  const domain = name.split("/", 1)[0]!
  return domain === "kubernetes.io" || domain.endsWith(".kubernetes.io")
}
