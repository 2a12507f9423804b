/** Events that are too large lose their documents, or are lost. Mirrors: apiserver plugin/pkg/audit/truncate */
import { eventJson } from "./event.ts"
import type { AuditMetrics, AuditSink } from "./sink.ts"

export interface TruncateOptions {
  /** Default 102,400. */
  readonly maxEventBytes?: number | undefined
  /** Default 10,485,760; must not be less than the other. Events are handed on one by one: no batch is longer. */
  readonly maxBatchBytes?: number | undefined
}

/** Says in an event that its documents were left out. */
export const truncatedAnnotation = "audit.k8s.io/truncated"

export function truncating(options: TruncateOptions, metrics: AuditMetrics, next: AuditSink): AuditSink {
  const { maxEventBytes = 100 * 1024, maxBatchBytes = 10 * 1024 * 1024 } = options
  if (maxBatchBytes < maxEventBytes)
    throw new Error(
      `invalid audit truncate max batch size ${maxBatchBytes}, must be greater than max event size (${maxEventBytes})`,
    )
  const isTooLarge = (json: string): boolean =>
    json.length * 3 > maxEventBytes && Buffer.byteLength(json) > maxEventBytes
  return {
    take(event) {
      if (!isTooLarge(eventJson(event))) return next.take(event)
      if (event.level === "Request" || event.level === "RequestResponse") {
        const annotations = new Map(event.annotations).set(truncatedAnnotation, "true")
        const short = { ...event, annotations, requestObject: undefined, responseObject: undefined }
        if (!isTooLarge(eventJson(short))) return next.take(short)
      }
      metrics.lost("truncate", new Error("event is too large even after truncating"), 1)
      return true
    },
  }
}
