/** What requests for pods' certificates and the volumes that show these have in common. Mirrors: pkg/apis/certificates/types.go */
import { field, isDomainPrefixedKey, totalAnnotationSizeLimit, type FieldError } from "@knarr/apimachinery"
import { isKubernetesSigner } from "./signer-name.validate.ts"

/** How long each certificate of a pod serves at the least. */
export const minCertificateSeconds = 60 * 60
const maxSeconds = 91 * 24 * 60 * 60
const maxKubernetesSeconds = 24 * 60 * 60

/** How long the certificates of a signer may serve at the most. */
export function maxCertificateSeconds(signerName: string | undefined): number {
  return isKubernetesSigner(signerName ?? "") ? maxKubernetesSeconds : maxSeconds
}

/** What users tell the signer. Mirrors: pkg/apis/core/validation ValidateUserAnnotations */
export function validateUserAnnotations(
  path: string,
  annotations: Readonly<Record<string, string>> | undefined,
): FieldError[] {
  const entries = Object.entries(annotations ?? {})
  const out = entries.flatMap(([key]) => isDomainPrefixedKey(path, key.toLowerCase()))
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  )
  if (bytes > totalAnnotationSizeLimit) out.push(field.tooLong(path, "", totalAnnotationSizeLimit))
  return out
}
