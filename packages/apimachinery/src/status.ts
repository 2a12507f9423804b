/**
 * API failures: an Error that carries the `Status` object that goes over the wire. Built only by the functions
 * of this file, asked about only through `is…`. Mirrors: apimachinery pkg/api/errors
 */
import { aggregateMessage, fieldErrorBody, type FieldError } from "./field-error.ts"
import { goQuote } from "./go-format.ts"
import type { GroupResource, Status, StatusCause, StatusDetails } from "./meta/types.gen.ts"

/** What a failure is about when it is a kind and not a resource. */
export interface GroupKind {
  readonly group: string
  readonly kind: string
}

type Resource = Readonly<GroupResource>

/** An API failure. `status` is the wire object, `code` its HTTP status. */
export class StatusError extends Error {
  readonly status: Status
  readonly code: number

  constructor(status: Status) {
    super(status.message ?? "")
    this.name = "StatusError"
    this.status = status
    this.code = status.code ?? 500
  }

  /** The machine-readable reason; "" when the server gave none. */
  get reason(): string {
    return this.status.reason ?? ""
  }
}

interface Failure {
  code: number
  reason: string
  message: string
  details?: StatusDetails
}

function failure(f: Failure): StatusError {
  const status: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" }
  if (f.message !== "") status.message = f.message
  if (f.reason !== "") status.reason = f.reason
  if (f.details) status.details = f.details
  status.code = f.code
  return new StatusError(status)
}

function details(
  name: string,
  group: string,
  kind: string,
  causes?: StatusCause[],
  retryAfterSeconds = 0,
): StatusDetails {
  const out: StatusDetails = {}
  if (name) out.name = name
  if (group) out.group = group
  if (kind) out.kind = kind
  if (causes && causes.length > 0) out.causes = causes
  if (retryAfterSeconds) out.retryAfterSeconds = retryAfterSeconds
  return out
}

/** A group resource as text: `pods`, `deployments.apps`. */
export function groupResourceText(resource: Resource): string {
  return resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`
}

/** A group kind as text: `Pod`, `Deployment.apps`. */
export function groupKindText(kind: GroupKind): string {
  return kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`
}

function messageOf(error: Error | string): string {
  return typeof error === "string" ? error : error.message
}

/** The failure that a `Status` object from a server stands for. */
export function statusErrorFrom(status: Status): StatusError {
  return new StatusError(status)
}

/** 404: there is no such object. */
export function notFound(resource: Resource, name: string): StatusError {
  return failure({
    code: 404,
    reason: "NotFound",
    details: details(name, resource.group, resource.resource),
    message: `${groupResourceText(resource)} ${goQuote(name)} not found`,
  })
}

/** 404 for a path that is served by nothing. */
export function pathNotFound(): StatusError {
  return failure({
    code: 404,
    reason: "NotFound",
    details: {},
    message: "the server could not find the requested resource",
  })
}

/** 409: an object of that name exists. */
export function alreadyExists(resource: Resource, name: string): StatusError {
  return failure({
    code: 409,
    reason: "AlreadyExists",
    details: details(name, resource.group, resource.resource),
    message: `${groupResourceText(resource)} ${goQuote(name)} already exists`,
  })
}

/** 409: no unused name was found for a `generateName`. */
export function generateNameConflict(
  resource: Resource,
  name: string,
  retryAfterSeconds: number,
): StatusError {
  return failure({
    code: 409,
    reason: "AlreadyExists",
    details: details(name, resource.group, resource.resource, undefined, retryAfterSeconds),
    message:
      `${groupResourceText(resource)} ${goQuote(name)} already exists, ` +
      "the server was not able to generate a unique name for the object",
  })
}

/** 401. */
export function unauthorized(message = ""): StatusError {
  return failure({ code: 401, reason: "Unauthorized", message: message || "not authorized" })
}

/** 403: `because` says why; a resource with neither group nor name of its own gives `forbidden: …`. */
export function forbidden(resource: Resource, name: string, because: Error | string): StatusError {
  const text = messageOf(because)
  const empty = resource.group === "" && resource.resource === ""
  const message = empty
    ? `forbidden: ${text}`
    : name === ""
      ? `${groupResourceText(resource)} is forbidden: ${text}`
      : `${groupResourceText(resource)} ${goQuote(name)} is forbidden: ${text}`
  return failure({
    code: 403,
    reason: "Forbidden",
    details: details(name, resource.group, resource.resource),
    message,
  })
}

/** 409: the object is not what the writer thought. */
export function conflict(resource: Resource, name: string, because: Error | string): StatusError {
  return failure({
    code: 409,
    reason: "Conflict",
    details: details(name, resource.group, resource.resource),
    message: `Operation cannot be fulfilled on ${groupResourceText(resource)} ${goQuote(name)}: ${messageOf(because)}`,
  })
}

/** What upstream says when a resourceVersion is stale, for {@link conflict}. */
export const optimisticLockMessage =
  "the object has been modified; please apply your changes to the latest version and try again"

/** 409: server-side apply would take fields from other managers. */
export function applyConflict(causes: StatusCause[], message: string): StatusError {
  return failure({
    code: 409,
    reason: "Conflict",
    details: details("", "", "", causes),
    message,
  })
}

/** 410: it will never be there again. */
export function gone(message: string): StatusError {
  return failure({ code: 410, reason: "Gone", message })
}

/** 410: a resourceVersion or continue token is too old. */
export function resourceExpired(message: string): StatusError {
  return failure({ code: 410, reason: "Expired", message })
}

/** 422 with one cause per problem. */
export function invalid(kind: GroupKind, name: string, errors: readonly FieldError[]): StatusError {
  const causes = errors.map((error): StatusCause => {
    const cause: StatusCause = { reason: error.type, message: fieldErrorBody(error) }
    if (error.field !== "") cause.field = error.field
    return cause
  })
  const head = `${groupKindText(kind)} ${goQuote(name)} is invalid`
  return failure({
    code: 422,
    reason: "Invalid",
    details: details(name, kind.group, kind.kind, causes),
    message: errors.length === 0 ? head : `${head}: ${aggregateMessage(errors)}`,
  })
}

/** 400. */
export function badRequest(message: string): StatusError {
  return failure({ code: 400, reason: "BadRequest", message })
}

/** 500 without a reason: an error that has no form of its own. */
export function unexpectedError(message: string): StatusError {
  return failure({ code: 500, reason: "", message })
}

/** 429; the message is used as it is. */
export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return failure({
    code: 429,
    reason: "TooManyRequests",
    message,
    details: details("", "", "", undefined, retryAfterSeconds),
  })
}

/** 503. */
export function serviceUnavailable(message: string): StatusError {
  return failure({ code: 503, reason: "ServiceUnavailable", message })
}

/** 405: `verb` is not supported on the resource. */
export function methodNotSupported(resource: Resource, verb: string): StatusError {
  return failure({
    code: 405,
    reason: "MethodNotAllowed",
    details: details("", resource.group, resource.resource),
    message: `${verb} is not supported on resources of kind ${goQuote(groupResourceText(resource))}`,
  })
}

/** 500 ServerTimeout: worth another try. */
export function serverTimeout(resource: Resource, operation: string, retryAfterSeconds: number): StatusError {
  return failure({
    code: 500,
    reason: "ServerTimeout",
    details: details(operation, resource.group, resource.resource, undefined, retryAfterSeconds),
    message:
      `The ${operation} operation against ${groupResourceText(resource)} ` +
      "could not be completed at this time, please try again.",
  })
}

/** 504. */
export function timeout(message: string, retryAfterSeconds: number): StatusError {
  return failure({
    code: 504,
    reason: "Timeout",
    message: `Timeout: ${message}`,
    details: details("", "", "", undefined, retryAfterSeconds),
  })
}

/** 413. */
export function requestEntityTooLarge(message: string): StatusError {
  return failure({
    code: 413,
    reason: "RequestEntityTooLarge",
    message: `Request entity too large: ${message}`,
  })
}

/** 415: the body is in none of `accepted`. */
export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return failure({
    code: 415,
    reason: "UnsupportedMediaType",
    message:
      "the body of the request was in an unknown format - accepted media types include: " +
      accepted.join(", "),
  })
}

/** 406: the client takes none of `offered`. */
export function notAcceptable(offered: readonly string[]): StatusError {
  return failure({
    code: 406,
    reason: "NotAcceptable",
    message: `only the following media types are accepted: ${offered.join(", ")}`,
  })
}

/** 500. */
export function internalError(error: Error | string): StatusError {
  const message = messageOf(error)
  return failure({
    code: 500,
    reason: "InternalError",
    details: details("", "", "", [message === "" ? {} : { message }]),
    message: `Internal error occurred: ${message}`,
  })
}

/** What an answer without a `Status` body means to a client. `verb` is the HTTP method. */
export function genericServerResponse(
  code: number,
  verb: string,
  resource: Resource,
  name: string,
  serverMessage: string,
  retryAfterSeconds = 0,
  isUnexpectedResponse = false,
): StatusError {
  let { reason, message } = genericReason(code, verb, serverMessage)
  if (resource.group !== "" || resource.resource !== "") {
    const tail = name === "" ? "" : ` ${name}`
    message = `${message} (${verb.toLowerCase()} ${groupResourceText(resource)}${tail})`
  }
  const causes: StatusCause[] | undefined = isUnexpectedResponse
    ? [{ reason: "UnexpectedServerResponse", message: serverMessage }]
    : undefined
  return failure({
    code,
    reason,
    message,
    details: details(name, resource.group, resource.resource, causes, retryAfterSeconds),
  })
}

function genericReason(code: number, verb: string, text: string): { reason: string; message: string } {
  switch (code) {
    case 400:
      return { reason: "BadRequest", message: "the server rejected our request for an unknown reason" }
    case 401:
      return {
        reason: "Unauthorized",
        message: "the server has asked for the client to provide credentials",
      }
    case 403:
      return { reason: "Forbidden", message: text }
    case 404:
      return { reason: "NotFound", message: "the server could not find the requested resource" }
    case 405:
      return {
        reason: "MethodNotAllowed",
        message: "the server does not allow this method on the requested resource",
      }
    case 406:
      return {
        reason: "NotAcceptable",
        message:
          text === "" || text === "unknown"
            ? "the server was unable to respond with a content type that the client supports"
            : text,
      }
    case 409:
      return {
        reason: verb === "POST" ? "AlreadyExists" : "Conflict",
        message: "the server reported a conflict",
      }
    case 415:
      return { reason: "UnsupportedMediaType", message: text }
    case 422:
      return {
        reason: "Invalid",
        message: "the server rejected our request due to an error in our request",
      }
    case 429:
      return {
        reason: "TooManyRequests",
        message: "the server has received too many requests and has asked us to try again later",
      }
    case 503:
      return {
        reason: "ServiceUnavailable",
        message: "the server is currently unable to handle the request",
      }
    case 504:
      return {
        reason: "Timeout",
        message:
          "the server was unable to return a response in the time allotted, " +
          "but may still be processing the request",
      }
  }
  if (code >= 500) {
    return {
      reason: "InternalError",
      message: `an error on the server (${goQuote(text)}) has prevented the request from succeeding`,
    }
  }
  return {
    reason: "",
    message: `the server responded with the status code ${code} but did not return more information`,
  }
}
