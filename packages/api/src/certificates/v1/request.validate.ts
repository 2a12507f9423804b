/** Rules of certificate signing requests. Mirrors: pkg/apis/certificates/validation/validation.go */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import type { CertificateSigningRequest } from "./types.gen.ts"

const usages = new Set([
  "signing",
  "digital signature",
  "content commitment",
  "key encipherment",
  "key agreement",
  "data encipherment",
  "cert sign",
  "crl sign",
  "encipher only",
  "decipher only",
  "any",
  "server auth",
  "client auth",
  "code signing",
  "email protection",
  "s/mime",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "timestamping",
  "ocsp signing",
  "microsoft sgc",
  "netscape sgc",
])

/** The API server fills in who asks; what the user wrote there does not count. */
export function prepareRequestForCreate(request: CertificateSigningRequest): void {
  request.status = {}
}

export function validateRequest({ spec, status }: Readonly<CertificateSigningRequest>): FieldError[] {
  const out: FieldError[] = []
  const pem = Buffer.from(spec.request ?? "", "base64").toString("utf8")
  if (!/-----BEGIN CERTIFICATE REQUEST-----[\s\S]+-----END CERTIFICATE REQUEST-----/.test(pem))
    out.push(field.invalid("spec.request", spec.request ?? "", "PEM block type must be CERTIFICATE REQUEST"))
  if (!spec.usages?.length) out.push(field.required("spec.usages", ""))
  const seen = new Set<string>()
  spec.usages?.forEach((usage, i) => {
    if (!usages.has(usage)) out.push(field.notSupported(`spec.usages[${i}]`, usage, [...usages].sort()))
    if (seen.has(usage)) out.push(field.duplicate(`spec.usages[${i}]`, usage))
    seen.add(usage)
  })
  if (!spec.signerName) out.push(field.required("spec.signerName", ""))
  else if (!/^[a-z0-9.-]+\.[a-z0-9.-]+\/\S+$/.test(spec.signerName))
    out.push(
      field.invalid(
        "spec.signerName",
        spec.signerName,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    )
  const seconds = spec.expirationSeconds
  if (seconds !== undefined && seconds < 600)
    out.push(
      field.invalid(
        "spec.expirationSeconds",
        seconds,
        "may not specify a duration less than 600 seconds (10 minutes)",
      ),
    )
  const types = (status.conditions ?? []).map(({ type }) => type)
  if (types.includes("Approved") && types.includes("Denied"))
    out.push(
      field.invalid("status.conditions", "Denied", "Approved and Denied conditions are mutually exclusive"),
    )
  return out
}

/** Approval and denial are for good. */
export function validateRequestUpdate(
  request: Readonly<CertificateSigningRequest>,
  old: Readonly<CertificateSigningRequest>,
): FieldError[] {
  const out: FieldError[] = []
  for (const type of ["Approved", "Denied", "Failed"]) {
    const had = old.status.conditions?.filter((c) => c.type === type) ?? []
    const has = request.status.conditions?.filter((c) => c.type === type) ?? []
    if (had.length > 0 && has.length < had.length)
      out.push(field.forbidden("status.conditions", `updates may not remove a condition of type "${type}"`))
  }
  return out
}
