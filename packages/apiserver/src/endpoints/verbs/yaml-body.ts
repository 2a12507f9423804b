/**
 * Reads YAML that clients send. That takes microseconds a byte, so what is long, or may stand for much more than its
 * length, is read in a thread of its own, one text of a user at a time: a body of three megabytes delays no other request.
 */
import { Worker } from "node:worker_threads"
import { loadYaml } from "@knarr/apimachinery"
import { deferred } from "@knarr/base"
import type { RequestContext } from "../../contract.ts"
import { UserTurns } from "./user-turns.ts"

/** A tenth of a second at the worst. */
const longChars = 32 * 1024
/** What is nested deeper takes many times as long as it is long. */
const deepLevels = 100
const deepIndent = 300
/** Of the thread: what takes more has aliases that grow without end. */
const maxHeapMB = 512

/** Threads at once. */
const turns = new UserTurns(2)

/** What the thread answers. */
export type YamlAnswer =
  | { readonly value: unknown; readonly duplicates: readonly string[] }
  | { readonly error: string }

/** The value of the first document; keys that occur twice are told in `duplicates`. Throws in go-yaml's words; the signal's reason when it is aborted meanwhile. */
export async function parseYamlBody(
  text: string,
  { user, signal }: Pick<RequestContext, "user" | "signal">,
  duplicates: string[] = [],
): Promise<unknown> {
  const aliases = text.includes("&") && text.includes("*")
  if (text.length <= longChars && !aliases && !mayBeDeep(text))
    return (await loadYaml()).parse(text, { duplicates })
  using _turn = await turns.acquire(user, signal)
  signal.throwIfAborted()
  const answer = await readAside(text, signal)
  if ("error" in answer) throw new Error(answer.error)
  duplicates.push(...answer.duplicates)
  return answer.value
}

/** Whether brackets or what begins a line may nest deep: more than they do where brackets stand in strings. */
function mayBeDeep(text: string): boolean {
  let depth = 0
  let indent = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === "\n") indent = 0
    else if (indent >= 0 && (char === " " || char === "-" || char === "?" || char === ":")) {
      if (++indent > deepIndent) return true
    } else {
      indent = -1
      if (char === "[" || char === "{") {
        if (++depth > deepLevels) return true
      } else if (depth > 0 && (char === "]" || char === "}")) depth--
    }
  }
  return false
}

/** Beside the sources in development, and beside the bundle that it is built with. */
function workerFile(): URL {
  const here = import.meta.url
  if (here.endsWith(".ts")) return new URL("./yaml-worker.ts", here)
  return new URL(here.includes("/chunks/") ? "../yaml-worker.mjs" : "./yaml-worker.mjs", here)
}

async function readAside(text: string, signal: AbortSignal): Promise<YamlAnswer> {
  const done = deferred<YamlAnswer>()
  const worker = new Worker(workerFile(), {
    workerData: text,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMB },
  })
  worker.once("message", done.resolve)
  worker.once("error", (error: NodeJS.ErrnoException) =>
    error.code === "ERR_WORKER_OUT_OF_MEMORY"
      ? done.resolve({ error: "yaml: document contains excessive aliasing" })
      : done.reject(error),
  )
  worker.once("exit", () => done.reject(new Error("Cannot read YAML: the thread ended without an answer")))
  const onAbort = (): void => done.reject(signal.reason)
  signal.addEventListener("abort", onAbort, { once: true })
  try {
    return await done.promise
  } finally {
    signal.removeEventListener("abort", onAbort)
    await worker.terminate()
  }
}
