/** Rules of certificate signing requests. Mirrors: pkg/apis/certificates/validation/validation.go */
import { X509Certificate } from "node:crypto"
import { field, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { messageOf, parseCertificateRequest, readPem, type CertificateRequest } from "@knarr/base"
import { validateSignerName } from "./signer-name.validate.ts"
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "./types.gen.ts"

type Request = Readonly<CertificateSigningRequest>

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

/** What our reader of DER says of data that end within an element. */
const endsEarly = /the data ends? within/

const legacySigner = "kubernetes.io/legacy-unknown"
/** Conditions that are true or absent. */
const onlyTrue = new Set(["Approved", "Denied", "Failed"])

/** The request in `spec.request` (base64 of PEM). Throws the reason why it is none. */
export function parseSigningRequest(request: string | undefined): CertificateRequest {
  const block = readPem(Buffer.from(request ?? "", "base64").toString("latin1"))[0]
  if (block?.type !== "CERTIFICATE REQUEST") throw new Error("PEM block type must be CERTIFICATE REQUEST")
  try {
    return parseCertificateRequest(block.bytes)
  } catch (thrown) {
    throw endsEarly.test(messageOf(thrown)) ? new Error("asn1: syntax error: data truncated") : thrown
  }
}

export function validateRequest({ spec }: Request): FieldError[] {
  const out: FieldError[] = []
  const problem = requestProblem(spec.request)
  if (problem !== undefined) out.push(field.invalid("spec.request", spec.request, problem))
  if (!spec.usages?.length) out.push(field.required("spec.usages", ""))
  spec.usages?.forEach((usage, i) => {
    if (!usages.has(usage)) out.push(field.notSupported(`spec.usages[${i}]`, usage, [...usages].sort()))
  })
  const seen = new Set<string>()
  spec.usages?.forEach((usage, i) => {
    if (seen.has(usage)) out.push(field.duplicate(`spec.usages[${i}]`, usage))
    seen.add(usage)
  })
  if (spec.signerName === legacySigner)
    out.push(
      field.invalid(
        "spec.signerName",
        spec.signerName,
        "the legacy signerName is not allowed via this API version",
      ),
    )
  else out.push(...validateSignerName("spec.signerName", spec.signerName))
  const seconds = spec.expirationSeconds
  if (seconds !== undefined && seconds < 600)
    out.push(
      field.invalid(
        "spec.expirationSeconds",
        seconds,
        "may not specify a duration less than 600 seconds (10 minutes)",
      ),
    )
  return out
}

function requestProblem(request: string | undefined): string | undefined {
  try {
    return parseSigningRequest(request).signatureProblem()
  } catch (thrown) {
    return messageOf(thrown)
  }
}

/** An update of the object itself changes neither conditions nor certificate. */
export function validateRequestUpdate(request: Request, old: Request): FieldError[] {
  return validateStatus(request, old, {})
}

export function validateRequestStatusUpdate(request: Request, old: Request): FieldError[] {
  return validateStatus(request, old, { certificate: true })
}

export function validateRequestApproval(request: Request, old: Request): FieldError[] {
  return validateStatus(request, old, { approval: true })
}

function validateStatus(
  request: Request,
  old: Request,
  may: { readonly certificate?: boolean; readonly approval?: boolean },
): FieldError[] {
  const out = validateConditions(request, old)
  const { certificate = "" } = request.status
  const { certificate: before = "" } = old.status
  if (certificate !== before) {
    const problem = certificateProblem(certificate)
    if (problem !== undefined && certificateProblem(before) === undefined)
      out.push(field.invalid("status.certificate", "<certificate data>", problem))
  }
  for (const type of onlyTrue) {
    if (conditionsOf(request, type).length < conditionsOf(old, type).length)
      out.push(field.forbidden("status.conditions", `updates may not remove a condition of type "${type}"`))
  }
  if (!may.approval) {
    for (const type of ["Approved", "Denied"]) {
      const had = conditionsOf(old, type)
      const has = conditionsOf(request, type)
      if (has.length > had.length)
        out.push(field.forbidden("status.conditions", `updates may not add a condition of type "${type}"`))
      else if (has.length === had.length && !semanticEqual(has, had))
        out.push(field.forbidden("status.conditions", `updates may not modify a condition of type "${type}"`))
    }
  }
  if (certificate !== before) {
    if (!may.certificate)
      out.push(field.forbidden("status.certificate", "updates may not set certificate content"))
    else if (before !== "")
      out.push(field.forbidden("status.certificate", "updates may not modify existing certificate content"))
  }
  return out
}

/** What is wrong already is tolerated, so that old objects can still be changed. */
function validateConditions(request: Request, old: Request): FieldError[] {
  const out: FieldError[] = []
  const path = "status.conditions"
  const before = old.status.conditions ?? []
  const both = conditionsOf(old, "Approved").length > 0 && conditionsOf(old, "Denied").length > 0
  const doubled = new Set(before.map(({ type }) => type)).size < before.length
  const untyped = before.some(({ type }) => type === "")
  const seen = new Set<string>()
  for (const [i, { type, status }] of (request.status.conditions ?? []).entries()) {
    if (!untyped && !type) out.push(field.required(`${path}[${i}].type`, ""))
    const allowed = onlyTrue.has(type) ? ["True"] : ["False", "True", "Unknown"]
    if (!status) out.push(field.required(`${path}[${i}].status`, ""))
    else if (!allowed.includes(status)) out.push(field.notSupported(`${path}[${i}].status`, status, allowed))
    if (!both && ((type === "Approved" && seen.has("Denied")) || (type === "Denied" && seen.has("Approved"))))
      out.push(field.invalid(path, type, "Approved and Denied conditions are mutually exclusive"))
    if (!doubled && seen.has(type)) out.push(field.duplicate(`${path}[${i}].type`, type))
    seen.add(type)
  }
  return out
}

function conditionsOf(request: Request, type: string): readonly CertificateSigningRequestCondition[] {
  return (request.status.conditions ?? []).filter((condition) => condition.type === type)
}

/** Why `certificate` (base64 of PEM) cannot be an issued certificate. */
function certificateProblem(certificate: string): string | undefined {
  if (certificate === "") return undefined
  const blocks = readPem(Buffer.from(certificate, "base64").toString("latin1"))
  for (const { type, headers, bytes } of blocks) {
    if (type !== "CERTIFICATE")
      return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`
    if (headers.length > 0) return "no PEM block headers are permitted"
    if (bytes.length === 0) return "found CERTIFICATE PEM block containing 0 certificates"
    try {
      new X509Certificate(bytes)
    } catch {
      return "x509: malformed certificate"
    }
  }
  return blocks.length === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined
}
