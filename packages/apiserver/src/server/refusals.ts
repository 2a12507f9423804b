/** Failures that are about a path or a method, not about an object. */
import { pathNotFound, statusErrorFrom, type StatusError } from "@knarr/apimachinery"

export { pathNotFound }

/** 405 for a path whose methods are others. */
export function methodNotAllowed(): StatusError {
  return statusErrorFrom({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: "the server does not allow this method on the requested resource",
    reason: "MethodNotAllowed",
    details: {},
    code: 405,
  })
}

/** What Go's mux says, in plain text, to a path that it knows nothing below. */
export class PageNotFound extends Error {
  override readonly name = "PageNotFound"
}

/** A filter that could not do its work: 500 in plain text. Mirrors: apiserver responsewriters.InternalError */
export class FilterFailure extends Error {
  override readonly name = "FilterFailure"
}
