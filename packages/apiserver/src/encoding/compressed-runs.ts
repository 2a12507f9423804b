/**
 * Runs of items of lists, compressed and kept: a list that is asked for again is put together from the runs in which nothing
 * changed. Where a run ends is decided by its objects, not by where it began, so that one change touches one run.
 */
import { deflatePiece, type DeflatedPiece } from "@knarr/base"
import type { CachedObject } from "../registry/cached-object.ts"
import { Generations } from "./generations.ts"

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

/** Whether a run that has `objects` objects of `bytes` bytes ends with its last one, `object`. */
export function endsRun(object: CachedObject, objects: number, bytes: number): boolean {
  return object.revision % meanRun === 0 || objects >= maxObjects || bytes >= maxBytes
}

export class CompressedRuns {
  /** By the first object of the run. */
  readonly #kept: Generations<Kept>

  /** `limitBytes`: what is kept at most, compressed, but for what is being compressed. */
  constructor(limitBytes: number) {
    this.#kept = new Generations(limitBytes)
  }

  /** The run of `objects`, of which there is one at least, in the form that `form` names; `make` encodes it. */
  get(form: string, objects: readonly CachedObject[], make: () => Buffer): Promise<DeflatedPiece> {
    const first = objects[0]!
    const young = this.#kept.young(form, first)
    if (young && isOf(young, objects)) return young.piece
    const old = this.#kept.old(form, first)
    const kept =
      old && isOf(old, objects)
        ? old
        : {
            states: objects.flatMap(({ key, revision }) => [key, revision]),
            piece: deflatePiece(make()),
          }
    this.#kept.keep(form, first, kept)
    void kept.piece.then(
      ({ blocks }) => this.#kept.grow(blocks.length),
      () => this.#kept.forget(form, first),
    )
    return kept.piece
  }
}

function isOf({ states }: Kept, objects: readonly CachedObject[]): boolean {
  return (
    states.length === 2 * objects.length &&
    objects.every(({ key, revision }, at) => states[2 * at + 1] === revision && states[2 * at] === key)
  )
}
