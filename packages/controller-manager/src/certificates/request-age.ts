/** Whether a request has served its time. Pure. Mirrors: pkg/controller/certificates/cleaner/cleaner.go */
import { X509Certificate } from "node:crypto"
import type { CertificateSigningRequest } from "@knarr/api"

const hourMs = 60 * 60_000
/** Of what was issued, denied or has failed. */
const decidedMs = hourMs
/** Of what nobody has looked at, or was approved and never signed. */
const pendingMs = 24 * hourMs

export function isOutdated(
  { metadata, status }: Readonly<CertificateSigningRequest>,
  nowMs: number,
): boolean {
  const { conditions = [], certificate = "" } = status
  const isOlder = (time: string | undefined, ageMs: number): boolean =>
    time !== undefined && nowMs - Date.parse(time) > ageMs
  if (conditions.length === 0 && isOlder(metadata.creationTimestamp, pendingMs)) return true
  return conditions.some(({ type, lastUpdateTime }) => {
    if (type === "Denied" || type === "Failed") return isOlder(lastUpdateTime, decidedMs)
    if (type !== "Approved") return false
    if (certificate === "") return isOlder(lastUpdateTime, pendingMs)
    return isOlder(lastUpdateTime, decidedMs) || hasEnded(certificate, nowMs)
  })
}

function hasEnded(certificate: string, nowMs: number): boolean {
  try {
    return nowMs > Date.parse(new X509Certificate(Buffer.from(certificate, "base64")).validTo)
  } catch {
    return false
  }
}
