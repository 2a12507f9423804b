/** How many seats a request takes. Mirrors: apiserver pkg/util/flowcontrol/request/list_work_estimator.go */
import type { RequestInfo } from "../contract.ts"
import type { WatchCache } from "../registry/watch-cache.ts"

const bytesPerSeat = 100_000
/** Lists are sent in slices: more than this of one is never held. */
const listBytes = 1_000_000

/**
 * One, or more for what reads many objects: a list, and the beginning of a watch that tells what there is. `cache` has the
 * objects; undefined when there is no such resource.
 */
export function seatsOf(
  { verb, name }: RequestInfo,
  query: () => URLSearchParams,
  cache: Pick<WatchCache, "size" | "bytes"> | undefined,
  maxSeats: number,
): number {
  if ((verb !== "list" && verb !== "watch") || !cache || cache.size === 0) return 1
  const asked = query()
  if (verb === "watch") {
    const version = asked.get("resourceVersion") ?? ""
    const initial = asked.get("sendInitialEvents") === "true"
    if (!initial && version !== "" && version !== "0") return 1
  }
  const limit = Number(asked.get("limit") ?? 0)
  const objects = name !== "" ? 1 : limit > 0 && limit < cache.size ? limit : cache.size
  const bytes = Math.min((objects * cache.bytes) / cache.size, listBytes)
  return Math.max(1, Math.min(Math.ceil(bytes / bytesPerSeat), maxSeats))
}
