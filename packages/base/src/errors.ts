/** Errors that every layer understands. API failures are `StatusError` in apimachinery. */

/** The caller stopped the work; never logged, never retried. */
export class CancelledError extends Error {
  constructor(what: string) {
    super(`${what} was stopped`)
    this.name = "CancelledError"
  }
}

/** Something named did not happen in its time. */
export class TimeoutError extends Error {
  readonly what: string
  readonly ms: number
  constructor(what: string, ms: number) {
    super(`Timed out after ${ms} ms: ${what}`)
    this.name = "TimeoutError"
    this.what = what
    this.ms = ms
  }
}

/** A failure that a retry cannot mend: reported once and not retried. */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "TerminalError"
  }
}

/** `thrown` as an Error, for the rare place where a library throws something else. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return asError(thrown).message
}
