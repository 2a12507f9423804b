/**
 * What a node says of its health, on the kubelet's server and, without TLS, on a port of the loopback address.
 * Mirrors: apiserver pkg/server/healthz, pkg/kubelet/kubelet.go (ListenAndServe of the healthz server)
 */
import { createServer, type Server } from "node:http"
import { messageOf, type Env, type TaskTrouble } from "@knarr/base"

export interface HealthCheck {
  readonly name: string
  /** Undefined when all is well, else what is wrong. */
  check(): string | undefined
}

/** What is asked at `/healthz`, and at `/readyz`. */
export interface Health {
  readonly health: readonly HealthCheck[]
  readonly readiness: readonly HealthCheck[]
}

export interface HealthAnswer {
  readonly status: number
  readonly text: string
}

const address = "127.0.0.1"
/** Another process has the port: it may end. */
const retryMs = 5_000

/** What failed and waits for its next start, of the tasks that `troubles` tells. */
export function taskCheck(troubles: () => readonly TaskTrouble[]): HealthCheck {
  const check = (): string | undefined =>
    troubles()
      .filter(({ waiting }) => waiting)
      .map(({ task, restarts, error }) => `${task} ${failedTimes(restarts)}: ${error}`)
      .join("; ") || undefined
  return { name: "tasks", check }
}

/** `failed once`, `failed 3 times`. */
export function failedTimes(count: number): string {
  return `failed ${count === 1 ? "once" : `${count} times`}`
}

/** The answer to `/healthz` (or the path that `path` names), or to `/healthz/NAME`; undefined when there is no such check. */
export function healthAnswer(
  healthChecks: readonly HealthCheck[],
  name: string | undefined,
  isVerbose: boolean,
  path: "healthz" | "readyz" = "healthz",
): HealthAnswer | undefined {
  const all = [{ name: "ping", check: () => undefined }, ...healthChecks]
  const checks = name === undefined ? all : all.filter((one) => one.name === name)
  if (checks.length === 0) return undefined
  const results = checks.map((one) => ({ name: one.name, problem: one.check() }))
  // Who asks for one check is told why, as upstream.
  const [first] = results
  if (name !== undefined)
    return first!.problem === undefined
      ? { status: 200, text: "ok" }
      : { status: 500, text: `internal server error: ${first!.problem}\n` }
  const lines = results
    .map((one) =>
      one.problem === undefined ? `[+]${one.name} ok\n` : `[-]${one.name} failed: reason withheld\n`,
    )
    .join("")
  if (results.some(({ problem }) => problem !== undefined))
    return { status: 500, text: `${lines}${path} check failed\n` }
  return { status: 200, text: isVerbose ? `${lines}${path} check passed\n` : "ok" }
}

/** Serves `/healthz` and `/readyz` on the port of the loopback address until it is aborted. Waits for a port that is taken. */
export async function serveHealthz(
  env: Env,
  port: number,
  health: Health,
  signal: AbortSignal,
): Promise<void> {
  for (let isSaid = false; ; isSaid = true) {
    const server = createHealthServer(health)
    try {
      await listen(server, port, signal)
      return
    } catch (thrown) {
      signal.throwIfAborted()
      if (!isSaid) env.log.warn("Nobody is told of the node's health", { port, err: messageOf(thrown) })
    }
    await env.clock.sleep(retryMs, signal)
  }
}

function createHealthServer({ health, readiness }: Health): Server {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    const [path, query = ""] = (request.url ?? "/").split("?")
    const [first, name] = path!.split("/").filter(Boolean)
    const isVerbose = new URLSearchParams(query).has("verbose")
    const isKnown = first === "healthz" || first === "readyz"
    const checks = first === "readyz" ? readiness : health
    const answer = isKnown ? healthAnswer(checks, name, isVerbose, first) : undefined
    const { status, text } = answer ?? { status: 404, text: "404 page not found\n" }
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text)
  })
  server.maxConnections = 32
  return server
}

/** Resolves when the abort has closed the server; rejects when it cannot listen. */
function listen(server: Server, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      server.close(() => resolve())
      server.closeAllConnections()
    }
    signal.throwIfAborted()
    signal.addEventListener("abort", onAbort, { once: true })
    server.once("error", (error) => {
      signal.removeEventListener("abort", onAbort)
      reject(error)
    })
    server.listen(port, address)
  })
}
