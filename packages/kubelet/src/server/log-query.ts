/** The query of a log request as options. Mirrors: pkg/kubelet/server/server.go (getContainerLogs) */
import type { ContainerLogOptions } from "./container-logs.ts"
import { HttpError } from "./http-error.ts"

export interface LogQuery extends ContainerLogOptions {
  /** The log of the container's previous instance. */
  readonly previous: boolean
}

/** Throws an {@link HttpError} for a query that the API would refuse. `nowMs` is the wall time. */
export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const tailLines = integer(query, "tailLines")
  const limitBytes = integer(query, "limitBytes")
  const sinceSeconds = integer(query, "sinceSeconds")
  const sinceTime = query.get("sinceTime") || undefined
  const sinceTimeMs = sinceTime === undefined ? undefined : Date.parse(sinceTime)
  if (Number.isNaN(sinceTimeMs)) throw new HttpError(400, '{"message": "Unable to decode query."}')
  const stream = query.get("stream") || "All"
  const invalid =
    (tailLines !== undefined && tailLines < 0) ||
    (limitBytes !== undefined && limitBytes < 1) ||
    (sinceSeconds !== undefined && sinceSeconds < 1) ||
    (sinceSeconds !== undefined && sinceTime !== undefined) ||
    !["All", "Stdout", "Stderr"].includes(stream) ||
    (stream !== "All" && tailLines !== undefined)
  if (invalid) throw new HttpError(422, '{"message": "Invalid request."}')
  return {
    follow: boolean(query, "follow"),
    previous: boolean(query, "previous"),
    timestamps: boolean(query, "timestamps"),
    tailLines,
    limitBytes,
    sinceMs: sinceSeconds === undefined ? sinceTimeMs : nowMs - sinceSeconds * 1000,
    stream: stream === "All" ? undefined : stream === "Stdout" ? "stdout" : "stderr",
  }
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === "") return undefined
  if (!/^[+-]?\d+$/.test(text)) throw new HttpError(400, '{"message": "Unable to decode query."}')
  return Number(text)
}

/** As conversion of query parameters reads it: everything but `false` and `0` is true. */
function boolean(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  return text !== null && text.toLowerCase() !== "false" && text !== "0"
}
