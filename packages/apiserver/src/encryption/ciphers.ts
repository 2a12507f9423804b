/**
 * Ciphers of values, byte for byte as upstream has them.
 * Mirrors: apiserver pkg/storage/value/encrypt/{aes,secretbox}
 */
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto"
import type { Random } from "@knarr/base"
import type { Transformer } from "./transformer.ts"

const block = 16
const gcmNonce = 12
const gcmTag = 16
const secretboxNonce = 24
/** Of the bytes that a key is made of, beside the seed; and of the seed itself at the least. */
const infoLength = 32

const tooShort = "the stored data was shorter than the required size"

function algorithm(key: Buffer, mode: "cbc" | "gcm"): "aes-256-cbc" {
  return `aes-${key.length * 8}-${mode}` as "aes-256-cbc"
}

/** AES in CBC mode with PKCS#7 padding: hidden, not authenticated. */
export function aesCbc(key: Buffer, random: Random): Transformer {
  const name = algorithm(key, "cbc")
  return {
    decrypt(data) {
      if (data.length < block) throw new Error(tooShort)
      const sealed = data.subarray(block)
      if (sealed.length % block !== 0) throw new Error("the stored data is not a multiple of the block size")
      const decipher = createDecipheriv(name, key, data.subarray(0, block)).setAutoPadding(false)
      const padded = Buffer.concat([decipher.update(sealed), decipher.final()])
      const padding = padded.at(-1) ?? 0
      if (padding === 0 || padding > padded.length)
        throw new Error("invalid PKCS7 data (empty or not padded)")
      const value = padded.subarray(0, padded.length - padding)
      if (padded.subarray(value.length).some((byte) => byte !== padding))
        throw new Error("invalid padding on input")
      return { value, stale: false }
    },
    encrypt(data) {
      const iv = Buffer.from(random.bytes(block))
      const cipher = createCipheriv(name, key, iv)
      return Buffer.concat([iv, cipher.update(data), cipher.final()])
    },
  }
}

/** AES in GCM mode; where the value is stored is authenticated, too. */
export function aesGcm(key: Buffer, random: Random): Transformer {
  const name = algorithm(key, "gcm") as unknown as "aes-256-gcm"
  return {
    decrypt(data, place) {
      if (data.length < gcmNonce) throw new Error(tooShort)
      if (data.length < gcmNonce + gcmTag) throw new Error("cipher: message authentication failed")
      const decipher = createDecipheriv(name, key, data.subarray(0, gcmNonce), { authTagLength: gcmTag })
      decipher.setAAD(Buffer.from(place)).setAuthTag(data.subarray(-gcmTag))
      try {
        const value = Buffer.concat([decipher.update(data.subarray(gcmNonce, -gcmTag)), decipher.final()])
        return { value, stale: false }
      } catch (cause) {
        throw new Error("cipher: message authentication failed", { cause })
      }
    },
    encrypt(data, place) {
      const nonce = Buffer.from(random.bytes(gcmNonce))
      const cipher = createCipheriv(name, key, nonce, { authTagLength: gcmTag })
      cipher.setAAD(Buffer.from(place))
      return Buffer.concat([nonce, cipher.update(data), cipher.final(), cipher.getAuthTag()])
    },
  }
}

/** {@link aesGcm} with a key of its own for each value, made of a seed. Mirrors: aes_extended_nonce.go */
export function seededGcm(seed: Buffer, random: Random): Transformer {
  if (seed.length < infoLength) throw new Error(`invalid seed length ${seed.length} used for key generation`)
  // The first and only round of HKDF's expansion.
  const keyOf = (info: Buffer): Buffer =>
    createHmac("sha256", seed)
      .update(info)
      .update(Buffer.from([1]))
      .digest()
  return {
    decrypt(data, place) {
      if (data.length < infoLength) throw new Error(tooShort)
      return aesGcm(keyOf(data.subarray(0, infoLength)), random).decrypt(data.subarray(infoLength), place)
    },
    encrypt(data, place) {
      const info = Buffer.from(random.bytes(infoLength))
      const sealed = aesGcm(keyOf(info), random).encrypt(data, place) as Buffer
      return Buffer.concat([info, sealed])
    },
  }
}

/** XSalsa20 and Poly1305. The library is loaded for those who use it. */
export async function secretbox(key: Buffer, random: Random): Promise<Transformer> {
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa.js")
  return {
    decrypt(data) {
      if (data.length < secretboxNonce + 16) throw new Error(tooShort)
      try {
        const value = xsalsa20poly1305(key, data.subarray(0, secretboxNonce)).decrypt(
          data.subarray(secretboxNonce),
        )
        return { value: Buffer.from(value.buffer, value.byteOffset, value.length), stale: false }
      } catch (cause) {
        throw new Error("output array was not large enough for encryption", { cause })
      }
    },
    encrypt(data) {
      const nonce = Buffer.from(random.bytes(secretboxNonce))
      return Buffer.concat([nonce, xsalsa20poly1305(key, nonce).encrypt(data)])
    },
  }
}
