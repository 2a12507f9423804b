/** Sends the requests of a script to a server, one after the other, and gathers the answers. */
import { readFileSync } from "node:fs"
import { Agent, request } from "node:https"
import { setTimeout as sleep } from "node:timers/promises"
import { normaliseAnswer, type Answer } from "./normalise.ts"
import { isProtobuf } from "./protobuf-text.ts"
import { edited, type RawAnswer, type Script, type Step } from "./script.ts"

export interface Target {
  readonly port: number
  readonly agent: Agent
}

export interface ClientFiles {
  readonly ca: string
  readonly clientCert: string
  readonly clientKey: string
}

export function connectTo(port: number, files: ClientFiles): Target {
  return targetOf(port, {
    ca: readFileSync(files.ca, "utf8"),
    cert: readFileSync(files.clientCert, "utf8"),
    key: readFileSync(files.clientKey, "utf8"),
  })
}

export function targetOf(port: number, tls: { ca: string; cert: string; key: string }): Target {
  return { port, agent: new Agent({ keepAlive: true, maxSockets: 16, ...tls }) }
}

/** Step to answer; a step that is `quiet` has none. */
export type RawAnswers = Readonly<Record<string, RawAnswer>>

async function runScript(target: Target, script: Script): Promise<RawAnswers> {
  const saved = new Map<string, unknown>()
  const answers: Record<string, RawAnswer> = {}
  for (const step of script.steps) {
    const raw = await send(target, step, saved)
    if (!step.quiet) answers[step.name] = raw
  }
  return answers
}

/** Scripts at a time: watches wait a second each, which others can use. */
const concurrency = 6

export async function runScripts(
  target: Target,
  scripts: readonly Script[],
  done: (script: Script, answers: RawAnswers) => void,
): Promise<void> {
  const waiting = [...scripts]
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let script = waiting.shift(); script; script = waiting.shift())
        done(script, await runScript(target, script))
    }),
  )
}

/** What is compared. */
export function normaliseAnswers(script: Script, raw: RawAnswers): Record<string, Answer> {
  const answers: Record<string, Answer> = {}
  for (const step of script.steps) {
    const answer = raw[step.name]
    if (answer && !step.quiet) answers[step.name] = normaliseAnswer(answer, step.pieces, step.metrics)
  }
  return answers
}

async function send(target: Target, step: Step, saved: Map<string, unknown>): Promise<RawAnswer> {
  const body = bodyOf(step, saved)
  const headers: Record<string, string | number> = {
    accept: "application/json",
    "user-agent": "diff/1.0",
    ...step.headers,
  }
  if (body !== undefined) headers["content-length"] = body.length
  const ask = (): Promise<RawAnswer> =>
    exchange(target, step.method, filled(step.path, saved).replaceAll(" ", "%20"), headers, body)
  let raw = await ask()
  const waits = (): boolean =>
    raw.status === step.whileStatus || (step.untilText !== undefined && !raw.body.includes(step.untilText))
  for (let tries = 0; waits() && tries < 100; tries++) {
    await sleep(100)
    raw = await ask()
  }
  if (step.save && raw.status < 300) {
    let value: unknown
    try {
      value = JSON.parse(raw.body)
    } catch {
      value = undefined
    }
    for (const [name, path] of Object.entries(step.save))
      saved.set(name, path === "" ? value : path.split(".").reduce<any>((from, key) => from?.[key], value))
  }
  return raw
}

function bodyOf(step: Step, saved: ReadonlyMap<string, unknown>): Buffer | undefined {
  if (step.from) return Buffer.from(JSON.stringify(edited(saved.get(step.from.saved) ?? {}, step.from.edits)))
  if (step.body === undefined) return undefined
  return Buffer.from(filled(typeof step.body === "string" ? step.body : JSON.stringify(step.body), saved))
}

function filled(text: string, saved: ReadonlyMap<string, unknown>): string {
  if (saved.size === 0) return text
  return text.replace(/\$\{(\w+)\}/g, (whole, name: string) =>
    saved.has(name) ? String(saved.get(name)) : whole,
  )
}

/** A broken connection, or one that is silent for 15 s, is an answer with status 0. Rejects when nobody listens. */
function exchange(
  { port, agent }: Target,
  method: string,
  path: string,
  headers: Record<string, string | number>,
  body: Buffer | undefined,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const broken = (error: Error & { code?: string }): void => {
      if (error.code === "ECONNREFUSED") return reject(error)
      resolve({ status: 0, type: "", warnings: [], body: `connection: ${error.message}` })
    }
    const call = request(
      { host: "127.0.0.1", port, path, method, headers, agent, timeout: 15_000 },
      (response) => {
        const chunks: Buffer[] = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.once("error", broken)
        response.once("end", () => {
          const bytes = Buffer.concat(chunks)
          const type = response.headers["content-type"] ?? ""
          resolve({
            status: response.statusCode!,
            type,
            warnings: warningsOf(response.rawHeaders),
            body: bytes.toString(isProtobuf(type) ? "base64" : "utf8"),
          })
        })
      },
    )
    call.once("timeout", () => call.destroy(new Error("silent for 15 s")))
    call.once("error", broken)
    call.end(body)
  })
}

function warningsOf(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === "warning")
}
