/** Made-up names and the hashes in names. Mirrors: apiserver pkg/storage/names, apimachinery pkg/util/rand */
import { randomInt, type Random } from "@knarr/base"

/** No vowels and no look-alikes, so that no word comes out. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789"
const suffixLength = 5
const maxBaseLength = 63 - suffixLength

/** `length` random characters that are safe in a name. */
export function randomSuffix(random: Random, length: number): string {
  let out = ""
  for (let i = 0; i < length; i++) out += alphabet[randomInt(random, alphabet.length)]
  return out
}

/** `base` (cut to 58 characters) and five random ones. */
export function generateName(base: string, random: Random): string {
  return base.slice(0, maxBaseLength) + randomSuffix(random, suffixLength)
}

/** `text` with each character mapped into the alphabet of made-up names. */
export function safeEncodeString(text: string): string {
  let out = ""
  for (let i = 0; i < text.length; i++) out += alphabet[text.charCodeAt(i) % alphabet.length]
  return out
}

/** FNV-1a, 32 bits, of the UTF-8 bytes. */
export function fnv1a32(data: string | Uint8Array): number {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** FNV-1 (not 1a), 32 bits, of the UTF-8 bytes. */
export function fnv1_32(data: string | Uint8Array): number {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash, 0x01000193) ^ byte
  return hash >>> 0
}
