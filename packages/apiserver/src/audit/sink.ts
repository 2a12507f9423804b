/** Where events go, and what is counted about them. Mirrors: apiserver pkg/audit/{types,metrics,union}.go */
import { messageOf, type Counter, type Logger, type Meter } from "@knarr/base"
import type { AuditEvent } from "./event.ts"

/** Takes events one by one. */
export interface AuditSink {
  /**
   * A promise only where the request has to wait. False: the event is lost, and the request that it tells of must not go on.
   * Never throws or rejects.
   */
  take(event: AuditEvent): boolean | Promise<boolean>
}

export class AuditMetrics {
  readonly events: Counter
  readonly levels: Counter
  readonly rejected: Counter
  readonly #errors: Counter
  readonly #log: Logger

  constructor(meter: Meter, log: Logger) {
    this.#log = log
    this.events = meter.counter({
      name: "apiserver_audit_event_total",
      help: "Counter of audit events generated and sent to the audit backend.",
    })
    this.levels = meter.counter({
      name: "apiserver_audit_level_total",
      help: "Counter of policy levels for audit events (1 per request).",
      labels: ["level"],
    })
    this.rejected = meter.counter({
      name: "apiserver_audit_requests_rejected_total",
      help: "Counter of apiserver requests rejected due to an error in audit logging backend.",
    })
    this.#errors = meter.counter({
      name: "apiserver_audit_error_total",
      help: "Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.",
      labels: ["plugin"],
    })
    this.events.add(0)
    this.rejected.add(0)
  }

  /** Counts events that a plugin (`log`, `webhook`, `buffered`, `truncate`) has lost. */
  lost(plugin: string, why: unknown, count: number): void {
    this.#errors.add(count, plugin)
    this.#log.error("Audit events are lost", why, { plugin, events: count, err: messageOf(why) })
  }
}

/** Hands each event to all; the request waits for those that want it to. */
export function allOf(sinks: readonly AuditSink[]): AuditSink {
  if (sinks.length === 1) return sinks[0]!
  return {
    take(event) {
      const answers = sinks.map((sink) => sink.take(event))
      if (!answers.some((answer) => answer instanceof Promise)) return answers.every(Boolean)
      return Promise.all(answers.map(async (answer) => answer)).then((all) => all.every(Boolean))
    },
  }
}
