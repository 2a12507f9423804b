/** A network for tests of clients: what the server will answer is written down before. */
import { deferred } from "@knarr/base"
import type { Transport } from "./transport.ts"
import type { HttpRequest, HttpResponse } from "./http-exchange.ts"

/** What the server answers to one request: a list, a failure, or a watch with its lines. */
interface WatchAnswer {
  readonly watch: readonly string[]
  /** After the lines. Default: at once. */
  readonly end?: "at once" | "never" | "lost"
}

export type Answer =
  | { readonly list: readonly string[]; readonly version: string; readonly next?: string }
  | { readonly status: number; readonly reason: string; readonly cause?: string }
  | WatchAnswer

const object = (text: string): object => {
  const [name, resourceVersion] = text.split("@")
  return { metadata: { name, namespace: "n", uid: name, resourceVersion } }
}

/** `+a@1`, `~a@2`, `-a@3`, `=@4` (a bookmark), `!@5` (the bookmark that ends the initial events), `410`. */
function line(text: string): string {
  if (text === "410") {
    const status = { kind: "Status", status: "Failure", reason: "Expired", code: 410, message: "too old" }
    return JSON.stringify({ type: "ERROR", object: status })
  }
  const type = { "+": "ADDED", "~": "MODIFIED", "-": "DELETED", "=": "BOOKMARK", "!": "BOOKMARK" }[text[0]!]
  const value = object(text.slice(1)) as { metadata: Record<string, unknown> }
  if (text[0] === "!") value.metadata["annotations"] = { "k8s.io/initial-events-end": "true" }
  return JSON.stringify({ type, object: value })
}

/** A network behind which answers lie ready. What is asked is noted as the query's words. */
export class ScriptedNetwork implements Transport {
  readonly server = "http://scripted"
  readonly asked: string[] = []
  /** Watches from the script that somebody reads. */
  open = 0
  readonly #answers: Answer[]
  readonly #drained = deferred()

  constructor(answers: readonly Answer[]) {
    this.#answers = [...answers]
  }

  /** When everything was asked for. */
  get drained(): Promise<void> {
    return this.#drained.promise
  }

  async request({ path, signal }: HttpRequest): Promise<HttpResponse> {
    signal?.throwIfAborted()
    const query = new URL(path, this.server).searchParams
    this.asked.push(
      [
        query.has("watch") ? "watch" : "list",
        ...["resourceVersion", "continue", "sendInitialEvents"].flatMap((name) => query.get(name) ?? []),
      ].join(" "),
    )
    const answer = this.#answers.shift()
    if (!answer) {
      this.#drained.resolve()
      return respond(200, hang(signal!))
    }
    if ("list" in answer) {
      const metadata = { resourceVersion: answer.version, continue: answer.next }
      return respond(200, once(JSON.stringify({ metadata, items: answer.list.map(object) })))
    }
    if ("status" in answer) {
      const { status: code, reason, cause } = answer
      const details = cause ? { causes: [{ reason: cause }] } : undefined
      const status = {
        kind: "Status",
        apiVersion: "v1",
        status: "Failure",
        message: reason,
        reason,
        code,
        details,
      }
      return respond(code, once(JSON.stringify(status)))
    }
    return respond(200, counted(this, lines(answer, signal!)))
  }

  webSocket(): Promise<never> {
    return Promise.reject(new Error("there are no WebSockets here"))
  }

  [Symbol.dispose](): void {}
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

async function* hang(signal: AbortSignal): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)))
  yield Buffer.alloc(0)
}

async function* counted(network: { open: number }, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  network.open++
  try {
    yield* body
  } finally {
    network.open--
  }
}

async function* lines(answer: WatchAnswer, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (const text of answer.watch) yield Buffer.from(`${line(text)}\n`)
  if (answer.end === "lost") throw Object.assign(new Error("lost"), { code: "ECONNRESET" })
  if (answer.end === "never") yield* hang(signal)
}

function respond(status: number, body: AsyncIterable<Buffer>): HttpResponse {
  return {
    status,
    headers: {},
    body,
    async buffer() {
      const chunks: Buffer[] = []
      for await (const chunk of body) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
  }
}
