/** Requests to the resource handler without a connection, for tests. */
import { CancelledError } from "@knarr/base"
import type { Exchange, ResponseStream, UserInfo } from "../contract.ts"
import type { Encodings } from "../encoding/encodings.ts"
import type { TestRegistry } from "../registry/testing.ts"
import { respondError } from "../server/respond.ts"
import { parseRequestInfo } from "../server/request-info.ts"
import { refusalOfRoute } from "../server/routes.ts"
import { createResourceHandler } from "./resources.ts"

export interface Answer {
  readonly code: number
  readonly type: string
  readonly headers: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
  /** Grows while a watch goes on. */
  readonly chunks: readonly Buffer[]
  readonly text: string
  json<T = Record<string, any>>(): T
  readonly done: Promise<void>
  abort(): void
}

export interface RequestOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly user?: UserInfo
  /** In which answers may be; default: the built-in ones. */
  readonly encodings?: Encodings
  /** Do not wait for the end of the answer. */
  readonly streaming?: boolean
}

const admin: UserInfo = { name: "admin", groups: ["system:masters", "system:authenticated"] }

/** Sends a request as it would come from a connection, and collects the answer. */
export async function request(
  t: TestRegistry,
  method: string,
  url: string,
  options: RequestOptions = {},
): Promise<Answer> {
  const { encodings } = options
  const handler = createResourceHandler(t.registry, undefined, encodings)
  const controller = new AbortController()
  const [path = "", search = ""] = url.split("?")
  const body = options.body
  const bytes =
    body === undefined ? Buffer.alloc(0) : Buffer.from(typeof body === "string" ? body : JSON.stringify(body))
  const headers = new Map<string, string>()
  const chunks: Buffer[] = []
  let code = 0
  let type = ""
  const exchange: Exchange = {
    method,
    path,
    query: new URLSearchParams(search),
    headers: { "user-agent": "test/1.0", ...options.headers },
    signal: controller.signal,
    body: async () => bytes,
    setHeader: (name, value) => void headers.set(name, value),
    respond(status, contentType, content) {
      code = status
      type = contentType
      chunks.push(Buffer.from(content as string))
    },
    stream(status, contentType): ResponseStream {
      code = status
      type = contentType
      return {
        write(chunk, sent) {
          chunks.push(chunk)
          // It is kept here: nobody may write over it.
          sent?.(new CancelledError("The copy"))
          return true
        },
        pendingBytes: 0,
        async drained() {},
        end() {},
        abort() {},
      }
    },
  }
  const warnings: string[] = []
  const info = parseRequestInfo(method, path, exchange.query)
  const ctx = {
    user: options.user ?? admin,
    info,
    userAgent: exchange.headers["user-agent"] as string,
    signal: controller.signal,
    warnings,
  }
  const done = (async () => {
    try {
      const kind = t.registry.find(info.apiGroup, info.apiVersion, info.resource)?.kind
      const refusal = refusalOfRoute(kind, method, info)
      if (refusal) throw refusal
      await handler(exchange, ctx)
    } catch (thrown) {
      if (!controller.signal.aborted) respondError(exchange, thrown, encodings)
    }
  })()
  if (!options.streaming) await done
  return {
    get code() {
      return code
    },
    get type() {
      return type
    },
    headers,
    warnings,
    chunks,
    get text() {
      return Buffer.concat(chunks).toString()
    },
    json: <T>() => JSON.parse(Buffer.concat(chunks).toString()) as T,
    done,
    abort: () => controller.abort(new CancelledError("The request")),
  }
}
