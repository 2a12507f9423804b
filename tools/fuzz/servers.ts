/** What targets that start servers share: keys, and requests over a socket with what must hold for every answer. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http"
import { request as httpsRequest } from "node:https"
import { createPrivateKeyPem } from "@knarr/base"
import { expect } from "./target.ts"

let key: string | undefined

/** One for all: making it is slow. */
export function signingKey(): string {
  return (key ??= createPrivateKeyPem())
}

export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/**
 * The answer to a request; undefined when Node's client refuses to send it. The status is 0 when the connection was
 * broken off instead.
 */
export function ask(
  options: RequestOptions & { readonly secure: boolean; readonly encoding?: BufferEncoding },
  { method, path, headers, body }: Sent,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const broken = (): void => resolve({ status: 0, headers: {}, body: "" })
    try {
      const bytes = body === undefined ? undefined : Buffer.from(String(body), options.encoding ?? "utf8")
      const length = bytes === undefined ? {} : { "content-length": String(bytes.length) }
      const start = options.secure ? httpsRequest : httpRequest
      const request = start(
        { ...options, method: String(method), path: String(path), headers: { ...headers, ...length } },
        (response) => {
          const chunks: Buffer[] = []
          response.on("data", (chunk: Buffer) => chunks.push(chunk))
          response.on("error", broken)
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8")
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
          })
        },
      )
      request.on("upgrade", (response, socket) => {
        socket.destroy()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: "" })
      })
      request.on("error", broken)
      request.end(bytes)
    } catch {
      resolve(undefined)
    }
  })
}

/** A refusal of the API server is a Status that says why; nothing is its own fault. */
export function expectApiAnswer(answer: Answer, sent: Sent): void {
  const { status, headers, body } = answer
  expect(status !== 0, "the connection is broken off", sent.method, sent.path)
  const explained =
    isAboutNodes(sent.path) ||
    (status === 504 && body.includes("ResourceVersionTooLarge")) ||
    // What the reference has no better answer for has no reason; what is our own fault is logged, and has one.
    (status === 500 && body.includes('"code":500') && !body.includes('"reason":"InternalError"'))
  expect(status < 500 || explained, `answers ${status}`, sent, body.slice(0, 500))
  const type = headers["content-type"] ?? ""
  if (!type.includes("json") || body === "" || type.includes("stream=watch")) return
  let value: { kind?: unknown; status?: unknown; code?: unknown; message?: unknown; reason?: unknown }
  try {
    value = JSON.parse(body) as typeof value
  } catch {
    // A watch is many.
    if (!/[?&]watch=|\/watch\//.test(sent.path))
      expect(false, "an answer is no JSON", sent, body.slice(0, 300))
    return
  }
  if (status < 400) return
  expect(
    value.kind === "Status" && value.status === "Failure",
    "a refusal is no Status",
    sent,
    body.slice(0, 300),
  )
  expect(value.code === status, "the code of a Status is another", sent, body.slice(0, 300))
  expect(typeof value.message === "string" && value.message !== "", "a Status says nothing", sent, body)
}

/** Whoever asks for something of a node that is not there is told so with 503. */
function isAboutNodes(path: string): boolean {
  return /(?:^|\/)(?:log|exec|attach|portforward|proxy)(?:$|[/?])/.test(path)
}
