/** Events as lines of a file, or of standard output. Mirrors: apiserver plugin/pkg/audit/log/backend.go */
import { writeSync } from "node:fs"
import { setImmediate } from "node:timers/promises"
import type { Env, Scope } from "@knarr/base"
import { batchSettings, BufferedSink, type BatchOptions } from "./buffered.ts"
import { eventJson, legacyLine, type AuditEvent } from "./event.ts"
import { RotatingFile, type RotationOptions } from "./rotating-file.ts"
import type { AuditMetrics, AuditSink } from "./sink.ts"
import { truncating, type TruncateOptions } from "./truncate.ts"

/** `batch`: no request waits. `blocking`: requests wait. `blocking-strict`: and fail when what they began is not recorded. */
export type AuditMode = "batch" | "blocking" | "blocking-strict"

export interface AuditBackendOptions {
  readonly mode?: AuditMode | undefined
  /** In the mode `batch`. */
  readonly batch?: BatchOptions | undefined
  /** Default: events are as long as they are. */
  readonly truncate?: TruncateOptions | undefined
}

export interface AuditLogOptions extends AuditBackendOptions, RotationOptions {
  /** "-" for standard output. */
  readonly path: string
  /** Default `json`. */
  readonly format?: "json" | "legacy" | undefined
}

/** The default mode is `blocking`: each line is handed to the kernel at once, which takes microseconds. */
export function createLogSink(
  options: AuditLogOptions,
  env: Pick<Env, "clock" | "log">,
  scope: Scope,
  metrics: AuditMetrics,
): AuditSink {
  const { path, format = "json", mode = "blocking", batch = {}, truncate } = options
  const file = path === "-" ? undefined : new RotatingFile(path, options, env, scope)
  const line = format === "json" ? eventJson : legacyLine
  const write = (events: readonly AuditEvent[]): boolean => {
    try {
      const text = events.map((event) => `${line(event)}\n`).join("")
      if (file) file.write(text)
      else writeSync(process.stdout.fd, text)
      return true
    } catch (thrown) {
      metrics.lost("log", thrown, events.length)
      return false
    }
  }
  const sink: AuditSink =
    mode === "batch"
      ? new BufferedSink(
          batchSettings(batch, {
            bufferSize: 10_000,
            maxBatchSize: 400,
            maxWaitMs: 0,
            throttle: false,
            throttleQps: 10,
            throttleBurst: 15,
          }),
          {
            ...{ clock: env.clock, scope, metrics, parallel: false },
            async send(events) {
              await setImmediate()
              write(events)
            },
          },
        )
      : { take: (event) => write([event]) || mode === "blocking" }
  return truncate ? truncating(truncate, metrics, sink) : sink
}
