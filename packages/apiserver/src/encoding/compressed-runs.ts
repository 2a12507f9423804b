/**
 * Runs of items of lists, compressed and kept: a list that is asked for again is put together from the runs in which nothing
 * changed. Where a run ends is decided by its objects, not by where it began, so that one change touches one run.
 */
import { deflatePiece, type DeflatedPiece } from "@knarr/base"
import type { CachedObject } from "../registry/cached-object.ts"

/** One object in so many ends a run. */
const meanRun = 64
const maxObjects = 4 * meanRun
/** Of the objects as they are stored. */
const maxBytes = 512 * 1024

interface Kept {
  /** The states that its objects are in: key, revision, key, revision, … */
  readonly states: readonly (string | number)[]
  readonly piece: Promise<DeflatedPiece>
}

/** By form, and by the first object of the run. */
type Generation = Map<string, WeakMap<CachedObject, Kept>>

/** Whether a run that has `objects` objects of `bytes` bytes ends with its last one, `object`. */
export function endsRun(object: CachedObject, objects: number, bytes: number): boolean {
  return object.revision % meanRun === 0 || objects >= maxObjects || bytes >= maxBytes
}

export class CompressedRuns {
  readonly #limit: number
  #young: Generation = new Map()
  #old: Generation = new Map()
  #bytes = 0

  /** `limitBytes`: what is kept at most, compressed, but for what is being compressed. */
  constructor(limitBytes: number) {
    this.#limit = limitBytes / 2
  }

  /** The run of `objects`, of which there is one at least, in the form that `form` names; `make` encodes it. */
  get(form: string, objects: readonly CachedObject[], make: () => Buffer): Promise<DeflatedPiece> {
    const first = objects[0]!
    const young = this.#young.get(form)?.get(first)
    if (young && isOf(young, objects)) return young.piece
    const old = this.#old.get(form)?.get(first)
    if (old && isOf(old, objects)) {
      this.#keep(form, first, old)
      return old.piece
    }
    const kept = {
      states: objects.flatMap(({ key, revision }) => [key, revision]),
      piece: deflatePiece(make()),
    }
    this.#keep(form, first, kept)
    return kept.piece
  }

  #keep(form: string, first: CachedObject, kept: Kept): void {
    let runs = this.#young.get(form)
    if (!runs) this.#young.set(form, (runs = new WeakMap()))
    runs.set(first, kept)
    void kept.piece.then(
      ({ blocks }) => this.#count(blocks.length),
      () => runs.delete(first),
    )
  }

  /** When the young generation is full it takes the place of the old one, which is forgotten. */
  #count(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes <= this.#limit) return
    this.#old = this.#young
    this.#young = new Map()
    this.#bytes = 0
  }
}

function isOf({ states }: Kept, objects: readonly CachedObject[]): boolean {
  return (
    states.length === 2 * objects.length &&
    objects.every(({ key, revision }, at) => states[2 * at + 1] === revision && states[2 * at] === key)
  )
}
