/** What the scheduler's last decisions were made of, for those who may `get` the path. */
import type { PathHandler } from "@knarr/apiserver"
import type { DecisionLog, DecisionRecord } from "@knarr/scheduler"

/** `?namespace=` and `?pod=` narrow it down. */
export const decisionsPath = "/knarr/scheduler/decisions"

/** What is answered. */
export interface SchedulerDecisions {
  /** The latest first. None where another server schedules. */
  readonly decisions: readonly DecisionRecord[]
}

/** What the server answers at {@link decisionsPath}. */
export function serveDecisions(log: DecisionLog): PathHandler {
  return (exchange) => {
    if (exchange.method !== "GET") {
      exchange.setHeader("Allow", "GET")
      return exchange.respond(405, "text/plain; charset=utf-8", "Method Not Allowed\n")
    }
    const given = (name: string): string | undefined => exchange.query.get(name) ?? undefined
    const answer: SchedulerDecisions = { decisions: log.list(given("namespace"), given("pod")) }
    exchange.respond(200, "application/json", JSON.stringify(answer))
  }
}
