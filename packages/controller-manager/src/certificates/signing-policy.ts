/**
 * How long a certificate lasts and what it may be used for. Pure.
 * Mirrors: pkg/controller/certificates/authority/policies.go, signer/signer.go (duration)
 */
import { X509Certificate } from "node:crypto"
import type { RequestedCertificateOptions } from "@knarr/base"

const minute = 60_000
const hour = 60 * minute
/** How long a certificate lasts at the most. */
const longestMs = 365 * 24 * hour
const shortestMs = 10 * minute
/** For clocks that go after ours; a short life is not made shorter by it. */
const backdateMs = 5 * minute
const shortMs = 8 * hour

const bits: ReadonlyMap<string, number> = new Map([
  ["signing", 0],
  ["digital signature", 0],
  ["content commitment", 1],
  ["key encipherment", 2],
  ["data encipherment", 3],
  ["key agreement", 4],
  ["cert sign", 5],
  ["crl sign", 6],
  ["encipher only", 7],
  ["decipher only", 8],
])

/** In the order in which they stand in a certificate. */
const purposes: ReadonlyMap<string, string> = new Map([
  ["any", "2.5.29.37.0"],
  ["server auth", "1.3.6.1.5.5.7.3.1"],
  ["client auth", "1.3.6.1.5.5.7.3.2"],
  ["code signing", "1.3.6.1.5.5.7.3.3"],
  ["email protection", "1.3.6.1.5.5.7.3.4"],
  ["s/mime", "1.3.6.1.5.5.7.3.4"],
  ["ipsec end system", "1.3.6.1.5.5.7.3.5"],
  ["ipsec tunnel", "1.3.6.1.5.5.7.3.6"],
  ["ipsec user", "1.3.6.1.5.5.7.3.7"],
  ["timestamping", "1.3.6.1.5.5.7.3.8"],
  ["ocsp signing", "1.3.6.1.5.5.7.3.9"],
  ["microsoft sgc", "1.3.6.1.4.1.311.10.3.3"],
  ["netscape sgc", "2.16.840.1.113730.4.1"],
])

type Policy = Omit<RequestedCertificateOptions, "serial">

/** `ca` in PEM; no certificate outlives it. Throws when its own time is over. */
export function signingPolicy(
  usages: readonly string[],
  expirationSeconds: number | undefined,
  ca: string,
  nowMs: number,
): Policy {
  const asked = expirationSeconds === undefined ? longestMs : expirationSeconds * 1000
  const lifeMs = Math.max(shortestMs, Math.min(asked, longestMs))
  const caEndMs = Date.parse(new X509Certificate(ca).validTo)
  if (nowMs >= caEndMs)
    throw new Error(
      `Cannot sign a certificate: the authority's own ended at ${new Date(caEndMs).toISOString()}`,
    )
  const endMs = nowMs + (lifeMs < shortMs ? lifeMs : lifeMs - backdateMs)
  const keyUsageBits = [...new Set(usages.flatMap((usage) => bits.get(usage) ?? []))]
  const wanted = new Set(usages.flatMap((usage) => purposes.get(usage) ?? []))
  return {
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: Math.min(endMs, caEndMs),
    keyUsageBits,
    extendedKeyUsages: [...new Set(purposes.values())].filter((id) => wanted.has(id)),
  }
}
