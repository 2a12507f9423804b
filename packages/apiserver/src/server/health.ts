/** `/healthz`, `/livez`, `/readyz` and their parts. Mirrors: apiserver pkg/server/healthz */
import { goQuote } from "@knarr/apimachinery"
import { asError, Meter, trimOf, type Counter } from "@knarr/base"
import type { Exchange } from "../contract.ts"
import { respondNotFound, respondText } from "./respond.ts"

export interface HealthCheck {
  readonly name: string
  /** Whether its path stands in the index. Default true. */
  readonly listed?: boolean
  /** Throws, or rejects, with what is wrong. */
  check(): void | Promise<void>
}

export class Health {
  /** What `/metrics/slis` says: how often each part was well. Mirrors: component-base metrics/prometheus/slis */
  readonly meter = new Meter()
  readonly #well: Counter = this.meter.gauge({
    name: "kubernetes_healthcheck",
    help: "This metric records the result of a single healthcheck.",
    labels: ["name", "type"],
    stability: "STABLE",
  })
  readonly #asked: Counter = this.meter.counter({
    name: "kubernetes_healthchecks_total",
    help: "This metric records the results of all healthcheck.",
    labels: ["name", "type", "status"],
    stability: "STABLE",
  })
  readonly #checks: Readonly<Record<"healthz" | "livez" | "readyz", HealthCheck[]>> = {
    healthz: [],
    livez: [],
    readyz: [],
  }

  /** Adds a check to all three, or to those named. */
  add(
    check: HealthCheck,
    to: readonly ("healthz" | "livez" | "readyz")[] = ["healthz", "livez", "readyz"],
  ): void {
    for (const name of to) this.#checks[name].push(check)
  }

  /** All paths, for the index. */
  paths(): string[] {
    return (["healthz", "livez", "readyz"] as const).flatMap((name) => [
      `/${name}`,
      ...this.#checks[name].filter(({ listed = true }) => listed).map((check) => `/${name}/${check.name}`),
    ])
  }

  async respond(exchange: Exchange): Promise<void> {
    const path = trimOf(exchange.path, "/")
    const slash = path.indexOf("/")
    const name = (slash < 0 ? path : path.slice(0, slash)) as keyof Health["paths"] & string
    const checks = this.#checks[name as "healthz"]
    if (!checks || exchange.path.endsWith("/")) return respondNotFound(exchange)
    if (slash >= 0) {
      const one = checks.find((check) => check.name === path.slice(slash + 1))
      if (!one) return respondNotFound(exchange)
      const problem = await run(one)
      if (problem) return respondText(exchange, 500, `internal server error: ${problem.message}\n`)
      return respondText(exchange, 200, "ok")
    }
    const excluded = new Set(exchange.query.getAll("exclude"))
    let text = ""
    let failed = ""
    for (const check of checks) {
      if (excluded.delete(check.name)) {
        text += `[+]${check.name} excluded: ok\n`
        continue
      }
      const problem = await run(check)
      this.#well.set(problem ? 0 : 1, check.name, name)
      this.#asked.add(1, check.name, name, problem ? "error" : "success")
      if (problem) {
        text += `[-]${check.name} failed: reason withheld\n`
        failed = failed === "" ? check.name : `${failed},${check.name}`
      } else text += `[+]${check.name} ok\n`
    }
    if (excluded.size > 0)
      text += `warn: some health checks cannot be excluded: no matches for ${[...excluded].sort().map(goQuote).join(",")}\n`
    if (failed !== "") return respondText(exchange, 500, `${text}${name} check failed\n`)
    if (exchange.query.get("verbose") === null) return respondText(exchange, 200, "ok")
    respondText(exchange, 200, `${text}${name} check passed\n`)
  }
}

async function run(check: HealthCheck): Promise<Error | undefined> {
  try {
    await check.check()
    return undefined
  } catch (thrown) {
    return asError(thrown)
  }
}
