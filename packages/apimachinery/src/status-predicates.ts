/**
 * Questions about a failure. They read the `reason` of the Status that the error, or one of its causes,
 * carries, never its class. Mirrors: apimachinery pkg/api/errors
 */
import type { Status } from "./meta/types.gen.ts"

const knownReasons = new Set([
  "Unauthorized",
  "Forbidden",
  "NotFound",
  "AlreadyExists",
  "Conflict",
  "Gone",
  "Invalid",
  "ServerTimeout",
  "StorageReadError",
  "Timeout",
  "TooManyRequests",
  "BadRequest",
  "MethodNotAllowed",
  "NotAcceptable",
  "RequestEntityTooLarge",
  "UnsupportedMediaType",
  "InternalError",
  "Expired",
  "ServiceUnavailable",
])

/** The Status that `thrown` or one of its causes carries. */
export function statusOf(thrown: unknown): Status | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 16; error = error.cause, depth++) {
    const status = (error as { status?: unknown }).status
    if (typeof status === "object" && status !== null && (status as Status).kind === "Status")
      return status as Status
  }
  return undefined
}

/** The reason of a failure; "" when it has none. */
export function reasonOf(thrown: unknown): string {
  return statusOf(thrown)?.reason ?? ""
}

/** The reason decides; the code does only when the reason is not one of the known ones. */
function has(thrown: unknown, reason: string, code: number): boolean {
  const status = statusOf(thrown)
  if (!status) return false
  if (status.reason === reason) return true
  return status.code === code && !knownReasons.has(status.reason ?? "")
}

export function isNotFound(thrown: unknown): boolean {
  return has(thrown, "NotFound", 404)
}

export function isAlreadyExists(thrown: unknown): boolean {
  return reasonOf(thrown) === "AlreadyExists"
}

export function isConflict(thrown: unknown): boolean {
  return has(thrown, "Conflict", 409)
}

export function isInvalid(thrown: unknown): boolean {
  return has(thrown, "Invalid", 422)
}

export function isGone(thrown: unknown): boolean {
  return has(thrown, "Gone", 410)
}

/** A resourceVersion or continue token is too old (upstream: IsResourceExpired). */
export function isExpired(thrown: unknown): boolean {
  return reasonOf(thrown) === "Expired"
}

export function isNotAcceptable(thrown: unknown): boolean {
  return has(thrown, "NotAcceptable", 406)
}

export function isUnsupportedMediaType(thrown: unknown): boolean {
  return has(thrown, "UnsupportedMediaType", 415)
}

export function isMethodNotSupported(thrown: unknown): boolean {
  return has(thrown, "MethodNotAllowed", 405)
}

export function isServiceUnavailable(thrown: unknown): boolean {
  return has(thrown, "ServiceUnavailable", 503)
}

export function isBadRequest(thrown: unknown): boolean {
  return has(thrown, "BadRequest", 400)
}

export function isUnauthorized(thrown: unknown): boolean {
  return has(thrown, "Unauthorized", 401)
}

export function isForbidden(thrown: unknown): boolean {
  return has(thrown, "Forbidden", 403)
}

export function isTimeout(thrown: unknown): boolean {
  return has(thrown, "Timeout", 504)
}

export function isServerTimeout(thrown: unknown): boolean {
  return reasonOf(thrown) === "ServerTimeout"
}

export function isInternalError(thrown: unknown): boolean {
  return has(thrown, "InternalError", 500)
}

export function isTooManyRequests(thrown: unknown): boolean {
  return has(thrown, "TooManyRequests", 429)
}

export function isRequestEntityTooLarge(thrown: unknown): boolean {
  return has(thrown, "RequestEntityTooLarge", 413)
}

/** The answer was not an API answer (a proxy's page, for example). */
export function isUnexpectedServerError(thrown: unknown): boolean {
  const causes = statusOf(thrown)?.details?.causes
  return causes?.some((cause) => cause.reason === "UnexpectedServerResponse") ?? false
}

/** A cause of the given type (`details.causes[].reason`), if the failure has one. */
export function hasStatusCause(thrown: unknown, reason: string): boolean {
  return statusOf(thrown)?.details?.causes?.some((cause) => cause.reason === reason) ?? false
}

/** Seconds that the server asks to wait before another try; undefined when it does not. */
export function suggestsClientDelay(thrown: unknown): number | undefined {
  const status = statusOf(thrown)
  if (!status?.details) return undefined
  if (status.reason === "ServerTimeout") return status.details.retryAfterSeconds ?? 0
  return status.details.retryAfterSeconds || undefined
}
