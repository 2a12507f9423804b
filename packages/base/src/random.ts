/** Randomness comes from outside, so that a run can be replayed from its seed. */
import { randomFillSync } from "node:crypto"

export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** `length` random bytes. */
  bytes(length: number): Uint8Array
}

class SystemRandom implements Random {
  // Filling a pool at once makes a UID cost ~50 ns instead of a system call.
  readonly #pool = new Uint8Array(4096)
  #used = 4096

  next(): number {
    const view = this.bytes(6)
    let value = 0
    for (const byte of view) value = value * 256 + byte
    return value / 2 ** 48
  }

  bytes(length: number): Uint8Array {
    if (length > this.#pool.length) return randomFillSync(new Uint8Array(length))
    if (this.#used + length > this.#pool.length) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    const out = this.#pool.slice(this.#used, this.#used + length)
    this.#used += length
    return out
  }
}

/** Cryptographically strong randomness. */
export const systemRandom: Random = new SystemRandom()

/** A reproducible generator (mulberry32); not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    bytes(length) {
      return Uint8Array.from({ length }, () => Math.floor(next() * 256))
    },
  }
}

const hex = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"))

/** A random (version 4) UUID. */
export function uuid(random: Random): string {
  const b = random.bytes(16)
  b[6] = (b[6]! & 0x0f) | 0x40
  b[8] = (b[8]! & 0x3f) | 0x80
  let out = ""
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) out += "-"
    out += hex[b[i]!]
  }
  return out
}

/** An integer in [0, below). */
export function randomInt(random: Random, below: number): number {
  return Math.floor(random.next() * below)
}
