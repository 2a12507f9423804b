/** Rules of cluster trust bundles. Mirrors: pkg/apis/certificates/validation ValidateClusterTrustBundle */
import { X509Certificate } from "node:crypto"
import { field, fieldImmutableMessage, nameIsDNSSubdomain } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { readPem } from "@knarr/base"
import { validateSignerName } from "./signer-name.validate.ts"
import type { ClusterTrustBundle } from "./types.gen.ts"

const maxBundleBytes = 1024 * 1024
const path = "spec.trustBundle"

export function validateTrustBundle({ spec }: Readonly<ClusterTrustBundle>): FieldError[] {
  const out: FieldError[] = []
  if (spec.signerName) out.push(...validateSignerName("spec.signerName", spec.signerName))
  return [...out, ...validateAnchors(spec.trustBundle)]
}

/** A bundle of a signer is called by it, so that who may attest for one signer cannot take another's place. */
export function nameOfTrustBundle(
  name: string,
  isPrefix: boolean,
  { spec: { signerName = "" } }: Readonly<ClusterTrustBundle>,
): string[] {
  return trustBundleNameProblems(name, signerName, isPrefix)
}

/** What is wrong with the name of a bundle of that signer; "": of none. */
export function trustBundleNameProblems(name: string, signerName: string, isPrefix = false): string[] {
  if (signerName === "")
    return name.includes(":")
      ? ['ClusterTrustBundle without signer name must not have ":" in its name']
      : nameIsDNSSubdomain(name, isPrefix)
  const prefix = `${signerName.replaceAll("/", ":")}:`
  return name.startsWith(prefix)
    ? nameIsDNSSubdomain(name.slice(prefix.length), isPrefix)
    : [`ClusterTrustBundle for signerName ${signerName} must be named with prefix ${prefix}`]
}

function validateAnchors(bundle: string): FieldError[] {
  if (Buffer.byteLength(bundle) > maxBundleBytes) return [field.tooLong(path, "", maxBundleBytes)]
  const out: FieldError[] = []
  const problem = (detail: string): void => void out.push(field.invalid(path, "<value omitted>", detail))
  const seen = new Map<string, number[]>()
  for (const [i, { type, headers, bytes }] of readPem(bundle).entries()) {
    const certificate = parse(bytes)
    if (type !== "CERTIFICATE") problem(`entry ${i} has bad block type: ${type}`)
    else if (headers.length > 0) problem(`entry ${i} has PEM block headers`)
    else if (!certificate) problem(`entry ${i} does not parse as X.509`)
    else if (!certificate.ca) problem(`entry ${i} does not have the CA bit set`)
    else {
      const key = bytes.toString("base64")
      seen.set(key, [...(seen.get(key) ?? []), i])
    }
  }
  if (out.length > 0) return out
  if (seen.size === 0) problem("at least one trust anchor must be provided")
  for (const places of seen.values())
    if (places.length > 1) problem(`duplicate trust anchor (indices [${places.join(" ")}])`)
  return out
}

function parse(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}

export function validateTrustBundleUpdate(
  { spec }: Readonly<ClusterTrustBundle>,
  old: Readonly<ClusterTrustBundle>,
): FieldError[] {
  return (spec.signerName ?? "") === (old.spec.signerName ?? "")
    ? []
    : [field.invalid("spec.signerName", spec.signerName ?? "", fieldImmutableMessage)]
}
