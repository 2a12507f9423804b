/**
 * Rules of what volumes show of certificates: trust bundles, and the pod's own.
 * Mirrors: pkg/apis/core/validation/validation.go (validateProjectionSources)
 */
import { field, validateLabelSelector } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { trustBundleNameProblems } from "../../certificates/v1/clustertrustbundle.validate.ts"
import {
  maxCertificateSeconds,
  minCertificateSeconds,
  validateUserAnnotations,
} from "../../certificates/v1/pod-certificates.ts"
import { validateSignerName } from "../../certificates/v1/signer-name.validate.ts"
import type { ClusterTrustBundleProjection, PodCertificateProjection } from "./types.gen.ts"

/** Looks at a path within the volume, and whether another source has it. */
type FileRule = (at: string, file: string) => FieldError[]

const keyTypes = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"]

export function validateTrustBundleProjection(
  at: string,
  bundle: Readonly<ClusterTrustBundleProjection>,
  newFile: FileRule,
): FieldError[] {
  const { name, signerName, labelSelector, path } = bundle
  const out: FieldError[] = []
  if (name !== undefined && signerName !== undefined)
    out.push(field.invalid(at, bundle, "only one of name and signerName may be used"))
  else if (name !== undefined) {
    if (!name) out.push(field.required(`${at}.name`, "must be a valid object name"))
    for (const problem of trustBundleNameProblems(name, signerOf(name)))
      out.push(field.invalid(`${at}.name`, name, `not a valid clustertrustbundlename: ${problem}`))
    if (labelSelector)
      out.push(
        field.invalid(
          `${at}.labelSelector`,
          labelSelector,
          "labelSelector must be unset if name is specified",
        ),
      )
  } else if (signerName !== undefined) {
    if (!signerName) out.push(field.required(`${at}.signerName`, "must be a valid signer name"))
    out.push(...validateSignerName(`${at}.signerName`, signerName))
    if (labelSelector) out.push(...validateLabelSelector(labelSelector, `${at}.labelSelector`))
  } else out.push(field.required(at, "either name or signerName must be specified"))
  return [...out, ...(path ? newFile(`${at}.path`, path) : [field.required(`${at}.path`, "")])]
}

/** The signer that a bundle of this name is of: `example.com:signer:rest`. */
function signerOf(name: string): string {
  return name.includes(":") ? name.slice(0, name.lastIndexOf(":")).replaceAll(":", "/") : ""
}

export function validateCertificateProjection(
  at: string,
  certificate: Readonly<PodCertificateProjection>,
  newFile: FileRule,
): FieldError[] {
  const { signerName, userAnnotations, keyType, maxExpirationSeconds: seconds } = certificate
  const out = validateSignerName(`${at}.signerName`, signerName)
  out.push(...validateUserAnnotations(`${at}.userAnnotations`, userAnnotations))
  if (!keyTypes.includes(keyType)) out.push(field.notSupported(`${at}.keyType`, keyType ?? "", keyTypes))
  const bound = (relation: string): FieldError =>
    field.invalid(
      `${at}.maxExpirationSeconds`,
      seconds,
      `if provided, maxExpirationSeconds must be ${relation}`,
    )
  if (seconds !== undefined && seconds < minCertificateSeconds) out.push(bound(`>= ${minCertificateSeconds}`))
  const most = maxCertificateSeconds(signerName)
  if (seconds !== undefined && seconds > most) out.push(bound(`<= ${most}`))
  const files = (["credentialBundlePath", "keyPath", "certificateChainPath"] as const).filter(
    (name) => certificate[name],
  )
  for (const name of files) out.push(...newFile(`${at}.${name}`, certificate[name]!))
  if (files.length === 0)
    out.push(
      field.required(at, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"),
    )
  return out
}
