/**
 * Puts the bytes of many objects into few buffers: for the garbage collector a slab is one thing to look at
 * where its objects would be some hundred. A slab that is half dead hands its living over to another one.
 */

import type { ByteArena } from "@knarr/base"

const slabBytes = 256 * 1024
/** Larger objects keep buffers of their own. */
const largest = slabBytes / 8

/** What lives in a slab; `bytes` is replaced when it moves. */
export interface Resident {
  bytes: Buffer
  slab: Slab | undefined
}

export interface Slab {
  readonly buffer: Buffer
  used: number
  live: number
  readonly residents: Set<Resident>
}

export class Slabs {
  #current: Slab | undefined

  /** Moves an object's bytes into a slab. */
  adopt(resident: Resident): void {
    const { length } = resident.bytes
    if (length > largest || resident.slab) return
    let slab = this.#current
    if (!slab || slab.used + length > slabBytes) {
      slab = { buffer: Buffer.allocUnsafeSlow(slabBytes), used: 0, live: 0, residents: new Set() }
      const full = this.#current
      this.#current = slab
      if (full) this.#tidy(full)
    }
    const end = slab.used + resident.bytes.copy(slab.buffer, slab.used)
    resident.bytes = slab.buffer.subarray(slab.used, end)
    resident.slab = slab
    slab.used = end
    slab.live += length
    slab.residents.add(resident)
  }

  /**
   * The object is no longer the present state. Whoever still has it (the history of its kind) goes on reading its
   * bytes, from `history`, which ends in the order in which it began: else a few past states would hold on to many slabs.
   */
  release(resident: Resident, history: ByteArena): void {
    const { slab } = resident
    if (!slab) return
    resident.slab = undefined
    resident.bytes = history.copy(resident.bytes)
    slab.residents.delete(resident)
    slab.live -= resident.bytes.length
    if (slab !== this.#current) this.#tidy(slab)
  }

  #tidy(slab: Slab): void {
    if (slab.live * 2 > slabBytes) return
    const moving = [...slab.residents]
    slab.residents.clear()
    slab.live = 0
    for (const resident of moving) {
      resident.slab = undefined
      this.adopt(resident)
    }
  }
}
