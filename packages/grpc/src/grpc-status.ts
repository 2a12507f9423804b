/** How a call ended. Mirrors: google.golang.org/grpc/codes */

/** The numbers of the status codes; 0 is success. */
export const grpcCodes = {
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

const names = new Map<number, string>([
  [0, "OK"],
  ...Object.entries(grpcCodes).map(([name, code]): [number, string] => [
    code,
    name[0]!.toUpperCase() + name.slice(1),
  ]),
])

/** The code as Go prints it: `Unavailable`, `Code(42)`. */
export function grpcCodeName(code: number): string {
  return names.get(code) ?? `Code(${code})`
}

export interface GrpcErrorOptions extends ErrorOptions {
  readonly unsent?: boolean
}

/** A call that failed: the server's own words, or what happened on the way to it. */
export class GrpcError extends Error {
  /** See {@link grpcCodes}. */
  readonly code: number
  /** `/package.Service/Method`. */
  readonly path: string
  /** No server heard of the call: it can be made again whatever it does. */
  readonly unsent: boolean

  constructor(path: string, code: number, message: string, options: GrpcErrorOptions = {}) {
    super(message, options)
    this.unsent = options.unsent ?? false
    this.name = "GrpcError"
    this.path = path
    this.code = code
  }
}

/** What an HTTP status without a gRPC one means. Mirrors: grpc internal/transport/http_util.go HTTPStatusConvTab */
export function codeOfHttpStatus(status: number): number {
  switch (status) {
    case 400:
      return grpcCodes.internal
    case 401:
      return grpcCodes.unauthenticated
    case 403:
      return grpcCodes.permissionDenied
    case 404:
      return grpcCodes.unimplemented
    case 429:
    case 502:
    case 503:
    case 504:
      return grpcCodes.unavailable
    default:
      return grpcCodes.unknown
  }
}

/** What it means that the server reset a stream. Mirrors: grpc internal/transport/http_util.go http2ErrConvTab */
export function codeOfReset(http2Code: number): number {
  const refusedStream = 7
  const cancel = 8
  const enhanceYourCalm = 11
  const inadequateSecurity = 12
  switch (http2Code) {
    case refusedStream:
      return grpcCodes.unavailable
    case cancel:
      return grpcCodes.canceled
    case enhanceYourCalm:
      return grpcCodes.resourceExhausted
    case inadequateSecurity:
      return grpcCodes.permissionDenied
    default:
      return grpcCodes.internal
  }
}
