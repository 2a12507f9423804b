/** Rules of requests for pods' certificates. Mirrors: pkg/apis/certificates/validation ValidatePodCertificateRequest… */
import { X509Certificate, type KeyObject } from "node:crypto"
import {
  field,
  fieldImmutableMessage,
  nameIsDNSSubdomain,
  parseTime,
  semanticEqual,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { parseCertificateRequest, readPem, type CertificateRequest, tableOf } from "@knarr/base"
import { validateConditions } from "../../conditions.validate.ts"
import { maxCertificateSeconds, minCertificateSeconds, validateUserAnnotations } from "./pod-certificates.ts"
import { validateSignerName } from "./signer-name.validate.ts"
import type { PodCertificateRequest } from "./types.gen.ts"

type Request = Readonly<PodCertificateRequest>

const maxRequestBytes = 10 * 1024
const maxChainBytes = 100 * 1024
const maxUidBytes = 128
const refreshMarginMs = 10 * 60_000
/** How far the beginning of a certificate may be from the server's time. */
const nowMarginMs = 5 * 60_000
const terminal = ["Issued", "Denied", "Failed"]

export function validatePodCertificateRequest({ spec }: Request): FieldError[] {
  const out = validateSignerName("spec.signerName", spec.signerName)
  out.push(...validateUserAnnotations("spec.unverifiedUserAnnotations", spec.unverifiedUserAnnotations))
  for (const [name, uid] of [
    ["podName", "podUID"],
    ["serviceAccountName", "serviceAccountUID"],
    ["nodeName", "nodeUID"],
  ] as const) {
    for (const problem of nameIsDNSSubdomain(spec[name], false))
      out.push(field.invalid(`spec.${name}`, spec[name], problem))
    if (spec[uid] === "") out.push(field.invalid(`spec.${uid}`, "", "must not be empty"))
    if (Buffer.byteLength(spec[uid]) > maxUidBytes)
      out.push(field.tooLong(`spec.${uid}`, spec[uid], maxUidBytes))
  }
  const seconds = spec.maxExpirationSeconds
  if (seconds === undefined) return [...out, field.required("spec.maxExpirationSeconds", "must be set")]
  const most = maxCertificateSeconds(spec.signerName)
  if (seconds < minCertificateSeconds || seconds > most)
    out.push(
      field.invalid(
        "spec.maxExpirationSeconds",
        seconds,
        `must be in the range [${minCertificateSeconds}, ${most}]`,
      ),
    )
  return [...out, ...validateStub(spec.stubPKCS10Request)]
}

const stubPath = "spec.stubPKCS10Request"

function validateStub(stub: string): FieldError[] {
  if (!stub)
    return [
      field.invalid(
        "spec",
        field.omitValue,
        "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set",
      ),
    ]
  const der = Buffer.from(stub, "base64")
  if (der.length > maxRequestBytes) return [field.tooLong(stubPath, stub, maxRequestBytes)]
  const request = parseStub(stub)
  if (!request) return [field.invalid(stubPath, field.omitValue, "must be a valid PKCS#10 CSR")]
  const problem = keyProblem(request.publicKey)
  if (problem) return [field.invalid(stubPath, ...problem)]
  return request.signatureProblem() === undefined
    ? []
    : [field.invalid(stubPath, field.omitValue, "invalid signature")]
}

function parseStub(stub: string): CertificateRequest | undefined {
  try {
    return parseCertificateRequest(Buffer.from(stub, "base64"))
  } catch {
    return undefined
  }
}

/** The curves by the names that clients see. */
const curves: Readonly<Record<string, string>> = tableOf({
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
})

function keyProblem(key: KeyObject): [value: string | symbol, detail: string] | undefined {
  const { namedCurve = "", modulusLength } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return undefined
    case "ec":
      return Object.hasOwn(curves, namedCurve)
        ? undefined
        : [`curve ${namedCurve}`, "elliptic public keys must use curve P256, P384, or P521"]
    case "rsa":
      return modulusLength === 3072 || modulusLength === 4096
        ? undefined
        : [`${modulusLength}-bit modulus`, "RSA keys must have modulus size 3072 or 4096"]
    default:
      return [field.omitValue, "unknown public key type; supported types are Ed25519, ECDSA, and RSA"]
  }
}

export function validatePodCertificateRequestUpdate(request: Request, old: Request): FieldError[] {
  return semanticEqual(request.spec, old.spec)
    ? []
    : [field.invalid("spec", request.spec, fieldImmutableMessage)]
}

const has = ({ status }: Request, type: string): boolean =>
  status.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false

/** A request is answered once: issued, denied or failed. */
export function validatePodCertificateRequestStatus(
  request: Request,
  old: Request,
  nowMs: number,
): FieldError[] {
  const conditions = request.status.conditions ?? []
  const path = "status.conditions"
  const out: FieldError[] = []
  let known = 0
  for (const [i, { type, status }] of conditions.entries()) {
    if (!terminal.includes(type)) {
      out.push(field.notSupported(`${path}[${i}].type`, type, terminal))
      continue
    }
    if (++known > 1)
      out.push(
        field.invalid(
          `${path}[${i}].type`,
          type,
          'There may be at most one condition with type "Issued", "Denied", or "Failed"',
        ),
      )
    if (status !== "True") out.push(field.notSupported(`${path}[${i}].status`, status, ["True"]))
  }
  out.push(...validateConditions(path, conditions))
  if (out.length > 0) return out
  const unlike = (other: unknown, detail: string): FieldError[] =>
    semanticEqual(request.status, other) ? [] : [field.invalid("status", field.omitValue, detail)]
  if (terminal.some((type) => has(old, type)))
    return unlike(old.status, "immutable after PodCertificateRequest is issued, denied, or failed")
  if (has(request, "Denied") || has(request, "Failed"))
    return unlike(
      { conditions },
      "non-condition status fields must be empty when denying or failing the PodCertificateRequest",
    )
  if (has(request, "Issued")) return validateIssued(request, nowMs)
  return unlike(old.status, 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"')
}

function validateIssued({ spec, status }: Request, nowMs: number): FieldError[] {
  const path = "status.certificateChain"
  const chain = status.certificateChain ?? ""
  if (Buffer.byteLength(chain) > maxChainBytes) return [field.tooLong(path, chain, maxChainBytes)]
  const bad = (detail: string, value: unknown = chain): FieldError[] => [field.invalid(path, value, detail)]
  const [first, ...rest] = readPem(chain)
  if (!first) return bad("issued certificate chain must contain at least one certificate")
  if (first.type !== "CERTIFICATE")
    return bad("issued certificate chain must consist entirely of CERTIFICATE PEM blocks")
  const leaf = parseCertificate(first.bytes)
  if (!leaf) return bad("leaf certificate does not parse as valid X.509")
  const missing = namesOf(leaf).flatMap(([kind, name]) =>
    nameProblems(kind, name).flatMap((detail) => bad(detail, name)),
  )
  const asked = parseStub(spec.stubPKCS10Request)
  if (!asked?.publicKey.equals(leaf.publicKey))
    return [...missing, ...bad("leaf certificate was not issued to the requested public key")]
  const consistent = "must be present and consistent with the issued certificate"
  if (!status.notBefore) missing.push(field.required("status.notBefore", consistent))
  if (!status.notAfter) missing.push(field.required("status.notAfter", consistent))
  if (!status.beginRefreshAt)
    missing.push(
      field.required(
        "status.beginRefreshAt",
        "must be present and in the range [notbefore+10min, notafter-10min]",
      ),
    )
  if (missing.length > 0) return missing
  const notBefore = Date.parse(leaf.validFrom)
  const notAfter = Date.parse(leaf.validTo)
  const beginRefresh = parseTime(status.beginRefreshAt!)
  const wrong = (name: "notBefore" | "notAfter" | "beginRefreshAt", detail: string): FieldError[] => [
    field.invalid(`status.${name}`, status[name], detail),
  ]
  if (parseTime(status.notBefore!) !== notBefore)
    return wrong("notBefore", "must be set to the NotBefore time encoded in the leaf certificate")
  if (Math.abs(notBefore - nowMs) > nowMarginMs)
    return wrong("notBefore", "must be set to within 5 minutes of kube-apiserver's current time")
  if (parseTime(status.notAfter!) !== notAfter)
    return wrong("notAfter", "must be set to the NotAfter time encoded in the leaf certificate")
  // A duration is told in nanoseconds.
  const lifetime = (notAfter - notBefore) * 1e6
  if (notAfter - notBefore < minCertificateSeconds * 1000)
    return bad("leaf certificate lifetime must be >= 1 hour", lifetime)
  const most = spec.maxExpirationSeconds ?? 0
  if (notAfter - notBefore > most * 1000)
    return bad(`leaf certificate lifetime must be <= spec.maxExpirationSeconds (${most})`, lifetime)
  if (beginRefresh < notBefore + refreshMarginMs)
    return wrong("beginRefreshAt", "must be at least 10 minutes after status.notBefore")
  if (beginRefresh > notAfter - refreshMarginMs)
    return wrong("beginRefreshAt", "must be at least 10 minutes before status.notAfter")
  for (const { type, bytes } of rest) {
    if (type !== "CERTIFICATE")
      return bad("issued certificate chain must consist entirely of CERTFICATE PEM blocks")
    if (!parseCertificate(bytes)) return bad("intermediate certificate does not parse as valid X.509")
  }
  return []
}

/** The DNS names and e-mail addresses of a certificate. */
function namesOf({ subjectAltName = "" }: X509Certificate): ["DNS" | "email", string][] {
  const names = subjectAltName.matchAll(/(?:^|, )(DNS|email):("(?:[^"\\]|\\.)*"|[^,]*)/g)
  return Array.from(names, ([, kind, text]) => [
    kind as "DNS" | "email",
    text!.startsWith('"') ? (JSON.parse(text!) as string) : text!,
  ])
}

function nameProblems(kind: "DNS" | "email", name: string): string[] {
  if (kind === "email")
    return /^[^\s@<>]+@[^\s@<>]+$/.test(name)
      ? []
      : ["leaf certificate should not contain invalid EmailAddress"]
  const out: string[] = []
  if (name === "") out.push("leaf certificate should not contain empty DNSName")
  if (name.includes("..")) out.push("leaf certificate's DNSName should not contain '..'")
  if (name.startsWith(".") || name.endsWith("."))
    out.push("leaf certificate's DNSName should not start or end with '.'")
  return out
}

function parseCertificate(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}
