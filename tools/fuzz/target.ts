/** The contract of a fuzz target: one file that says how inputs are made and what must hold for each of them. */
import type { Env, Scope } from "@knarr/base"
import type { Draw } from "./draw.ts"

/** Inputs are JSON, so that they can be kept, shrunk and replayed. Bytes are strings of latin1. */
export interface Subject<I> {
  /** The same draws give the same input. */
  generate(draw: Draw): I
  /**
   * Throws when the contract is broken. What is left of a shrunk input may have any shape that JSON allows; an
   * input stands for itself, whatever was tried before it.
   */
  check(input: I): void | Promise<void>
}

/** What a target may use of the world. */
export interface World {
  /** Ends with the target; everything that it starts belongs to it. */
  readonly scope: Scope
  /** An error that is logged here breaks the contract: a task failed, or an answer was 500. */
  readonly env: Env
}

export interface Target<I = any> {
  /** The file's name. */
  readonly name: string
  /** How many inputs `npm test` tries. */
  readonly quick: number
  /** Whether inputs are also made long, to see that the work grows no faster than they do. Default true. */
  readonly grows?: boolean
  open(world: World): Subject<I> | Promise<Subject<I>>
}

/** Names the fields of a target for the type checker. */
export function defineTarget<I>(target: Target<I>): Target<I> {
  return Object.freeze(target)
}

/** A broken contract. Findings that say the same `what` are one. */
export class Finding extends Error {
  override readonly name = "Finding"
  readonly what: string

  constructor(what: string, details: readonly unknown[] = []) {
    super([what, ...details.map((one) => JSON.stringify(one))].join(" "))
    this.what = what
  }
}

/** Throws a {@link Finding} unless `holds`. */
export function expect(holds: unknown, what: string, ...details: unknown[]): asserts holds {
  if (!holds) throw new Finding(what, details)
}

/** What `fn` returns; undefined when it refuses with an Error that is an answer and no accident. */
export function answerOf<T>(fn: () => T): T | undefined {
  try {
    return fn()
  } catch (thrown) {
    if (isAccident(thrown)) throw thrown
    return undefined
  }
}

const accidents = new Set(["TypeError", "ReferenceError", "RangeError", "AssertionError", "Finding"])

/** Whether something was thrown that no reader of bad input throws on purpose. */
export function isAccident(thrown: unknown): boolean {
  return !(thrown instanceof Error) || accidents.has(thrown.name)
}
