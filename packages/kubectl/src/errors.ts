/**
 * What went wrong, in kubectl's words.
 * Mirrors: kubectl pkg/cmd/util/helpers.go (checkErr, StandardErrorMessage)
 */
import { ConnectionError } from "@knarr/client"
import { StatusError, goQuote } from "@knarr/apimachinery"
import { CancelledError, TimeoutError } from "@knarr/base"

/** Ends the command with a code; prints the message as it is, unless empty. */
export class ExitError extends Error {
  readonly code: number
  constructor(code: number, message = "") {
    super(message)
    this.code = code
  }
}

/** The command was called in a wrong way; ends with a hint at its help. */
export class UsageError extends Error {
  constructor(commandPath: string, message: string) {
    super(`${message}\nSee '${commandPath} -h' for help and examples`)
  }
}

/** Several failures, printed one a line. */
class AggregateFailure extends Error {
  readonly errors: readonly Error[]
  constructor(errors: readonly Error[]) {
    super(errors.length === 1 ? errors[0]!.message : `[${errors.map((e) => e.message).join(", ")}]`)
    this.errors = errors
  }
}

/** Throws what was collected, if anything. */
export function throwAll(errors: readonly Error[]): void {
  if (errors.length === 1) throw errors[0]!
  if (errors.length > 1) throw new AggregateFailure(errors)
}

/** `error` with what was being done to which source in front: `error when creating "x.yaml": …`. */
export function withSource(error: unknown, verb: string, source: string | undefined): Error {
  if (!source) return error as Error
  const message = `error when ${verb} ${goQuote(source)}: ${(error as Error).message}`
  if (error instanceof StatusError) return new StatusError({ ...error.status, message })
  return error instanceof ExitError ? error : new Error(message, { cause: error })
}

/** The message and exit code that a failure ends the program with. The message is without its last newline. */
export function failureOf(thrown: unknown): { message: string; code: number } {
  let error = thrown as Error
  if (error instanceof AggregateFailure && error.errors.length === 1) error = error.errors[0]!
  if (error instanceof ExitError) return { message: error.message, code: error.code }
  if (error instanceof StatusError && error.reason === "Invalid") {
    return { message: invalidMessage(error), code: 1 }
  }
  if (error instanceof AggregateFailure) {
    return { message: flatten(error).map(messageForError).join("\n"), code: 1 }
  }
  const standard = standardMessage(error)
  if (standard !== undefined) return { message: standard, code: 1 }
  return { message: error.message.startsWith("error: ") ? error.message : `error: ${error.message}`, code: 1 }
}

function flatten(error: AggregateFailure): Error[] {
  return error.errors.flatMap((one) => (one instanceof AggregateFailure ? flatten(one) : [one]))
}

function invalidMessage(error: StatusError): string {
  const { details, message } = error.status
  let text = "The request is invalid"
  if (!details) return message ? `${text}: ${message}` : text
  const causes = details.causes ?? []
  if (details.kind || details.name) {
    text = `The ${details.kind ?? ""} ${goQuote(details.name ?? "")} is invalid`
  } else if (message && causes.length === 0) text += `: ${message}`
  const lines = [...new Set(causes.map((cause) => `${cause.field ?? ""}: ${cause.message ?? ""}`))]
  if (lines.length === 0) return text
  if (lines.length === 1) return `${text}: ${lines[0]}`
  return `${text}: \n${lines.map((line) => `* ${line}`).join("\n")}`
}

/** The text of one failure among several. */
function messageForError(error: Error): string {
  return standardMessage(error) ?? error.message
}

function standardMessage(error: Error): string | undefined {
  if (error instanceof StatusError) {
    const { reason, message = "" } = error.status
    if (reason === "Unauthorized") return `error: You must be logged in to the server (${message})`
    return reason ? `Error from server (${reason}): ${message}` : `Error from server: ${message}`
  }
  if (error instanceof ConnectionError) return connectionMessage(error)
  if (error instanceof TimeoutError) return `Unable to connect to the server: ${requestTimeoutText}`
  if (error instanceof CancelledError) return ""
  return undefined
}

const requestTimeoutText =
  "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"

function connectionMessage(error: ConnectionError): string {
  const server = /^Cannot reach (\S+): /.exec(error.message)?.[1] ?? ""
  const { host } = new URL(server || "http://localhost:8080")
  if (error.code === "ECONNREFUSED") {
    return `The connection to the server ${host} was refused - did you specify the right host or port?`
  }
  return `Unable to connect to the server: ${goNetworkError(error, host)}`
}

function goNetworkError(error: ConnectionError, host: string): string {
  const cause = error.cause as NodeJS.ErrnoException | undefined
  const bare = host.replace(/:\d+$/, "")
  switch (error.code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `dial tcp: lookup ${bare}: no such host`
    case "ETIMEDOUT":
      return `dial tcp ${host}: i/o timeout`
    case "EHOSTUNREACH":
      return `dial tcp ${host}: connect: no route to host`
    case "ENETUNREACH":
      return `dial tcp ${host}: connect: network is unreachable`
    case "ECONNRESET":
      return "EOF"
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    case "CERT_HAS_EXPIRED":
      return "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"
    default:
      return cause?.message ?? error.message
  }
}
