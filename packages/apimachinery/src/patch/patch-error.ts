/** Why a patch cannot be applied or made. Mirrors: apiserver pkg/endpoints/handlers/patch.go (the mapping of errors) */

/**
 * - `bad-request`: the patch itself is malformed (400).
 * - `unprocessable`: it does not fit this object (422).
 * - `too-large`: it asks for too much (413).
 * - `internal`: what upstream answers with a plain error (500).
 * - `conflict`: only from the functions that make patches, when not overwriting.
 */
export type PatchErrorKind = "bad-request" | "unprocessable" | "too-large" | "internal" | "conflict"

export class PatchError extends Error {
  readonly kind: PatchErrorKind
  /** Whether an operation `test` found something else. */
  readonly testFailed: boolean
  constructor(kind: PatchErrorKind, message: string, { testFailed = false } = {}) {
    super(message)
    this.name = "PatchError"
    this.kind = kind
    this.testFailed = testFailed
  }
}
