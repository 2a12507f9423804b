/**
 * Sends Events in the background: a spam filter per source and object, aggregation of similar events, and
 * counting up of repeated ones. Mirrors: client-go tools/record/events_cache.go, event.go
 */
import { Channel, randomInt, type Env, type Scope } from "@knarr/base"
import { formatTime, isAlreadyExists, isNotFound, type KubeObject, type Kind } from "@knarr/apimachinery"
import { event as eventKind, type Event } from "@knarr/api"
import type { Client } from "./client.ts"
import type { EventRecorder, EventSubject } from "./event-recorder.ts"

export interface EventRecorderOptions {
  readonly client: Client
  readonly scope: Scope
  readonly env: Env
  /** For example `default-scheduler`, `kubelet`. */
  readonly component: string
  /** The node, when the component belongs to one. */
  readonly host?: string
}

const queueBound = 1000
/** Events of one source about one object: so many at once, then one per this many seconds. */
const spamBurst = 25
const spamSecondsPerEvent = 300
/** This many different messages of one reason within the window become one combined event. */
const aggregateAfter = 10
const aggregateWindowMs = 600_000
/** How many objects and events are remembered. */
const cacheBound = 4096
const maxTries = 12

interface SpamBucket {
  tokens: number
  atMs: number
}
interface Aggregate {
  readonly messages: Set<string>
  lastMs: number
}
interface Seen {
  readonly name: string
  readonly firstTimestamp: string
  count: number
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, scope, env, component, host } = options
  const queue = new Channel<Event>(queueBound)
  const correlate = createCorrelator(env)
  // Recorders of one moment about objects of one name must not meet.
  let order = randomInt(env.random, 1_000_000)
  scope.defer(() => queue.close())
  scope.run(
    `events of ${component}`,
    async (signal) => {
      for (;;) {
        const next = await queue.next(signal)
        if (!next) return
        const what = correlate(next)
        if (what) await send(client, env, what.event, what.patchOf, signal)
      }
    },
    { restart: true },
  )
  return {
    event(regarding, type, reason, message) {
      const nowMs = env.clock.now()
      const now = formatTime(nowMs)
      const { metadata } = regarding
      const fieldPath = "fieldPath" in regarding ? regarding.fieldPath : undefined
      const source = host ? { component, host } : { component }
      // Upstream names events by nanoseconds; the low digits here are a counter.
      const stamp = BigInt(nowMs) * 1_000_000n + BigInt(order++ % 1_000_000)
      queue.push({
        apiVersion: "v1",
        kind: "Event",
        metadata: {
          name: `${metadata.name}.${stamp.toString(16)}`,
          namespace: metadata.namespace || "default",
        } as Event["metadata"],
        involvedObject: {
          kind: regarding.kind,
          ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
          name: metadata.name,
          uid: metadata.uid,
          apiVersion: regarding.apiVersion,
          ...(metadata.resourceVersion ? { resourceVersion: metadata.resourceVersion } : {}),
          ...(fieldPath ? { fieldPath } : {}),
        },
        reason,
        message: message.slice(0, 1024),
        source,
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
        type,
        reportingComponent: component,
        reportingInstance: host ?? "",
      })
    },
  }
}

type Correlated = { readonly event: Event; readonly patchOf: Seen | undefined }

function createCorrelator(env: Env): (event: Event) => Correlated | undefined {
  const spam = new Map<string, SpamBucket>()
  const aggregates = new Map<string, Aggregate>()
  const seen = new Map<string, Seen>()

  return (event) => {
    const nowMs = env.clock.now()
    const about = event.involvedObject
    const source = `${event.source?.component}|${event.source?.host ?? ""}|${about.kind}|${about.namespace}|${about.name}|${about.uid}`
    const bucket = remember(spam, source, () => ({ tokens: spamBurst, atMs: nowMs }))
    bucket.tokens = Math.min(spamBurst, bucket.tokens + (nowMs - bucket.atMs) / 1000 / spamSecondsPerEvent)
    bucket.atMs = nowMs
    if (bucket.tokens < 1) return undefined
    bucket.tokens -= 1

    const group = `${source}|${about.fieldPath ?? ""}|${about.apiVersion}|${event.type}|${event.reason}`
    const aggregate = remember(aggregates, group, () => ({ messages: new Set<string>(), lastMs: nowMs }))
    if (nowMs - aggregate.lastMs > aggregateWindowMs) aggregate.messages.clear()
    aggregate.lastMs = nowMs
    aggregate.messages.add(event.message ?? "")
    let id = `${group}|${event.message}`
    if (aggregate.messages.size >= aggregateAfter) {
      const [oldest] = aggregate.messages
      aggregate.messages.delete(oldest!)
      event.message = `(combined from similar events): ${event.message}`
      id = group
    }
    const before = seen.get(id)
    if (!before) {
      remember(seen, id, () => ({
        name: event.metadata.name,
        firstTimestamp: event.firstTimestamp!,
        count: 1,
      }))
      return { event, patchOf: undefined }
    }
    before.count++
    return {
      event: {
        ...event,
        count: before.count,
        firstTimestamp: before.firstTimestamp,
        metadata: { ...event.metadata, name: before.name },
      },
      patchOf: before,
    }
  }
}

/** Reads or makes an entry and keeps the newest {@link cacheBound}. */
function remember<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make()
  map.delete(key)
  map.set(key, value)
  if (map.size > cacheBound) map.delete(map.keys().next().value!)
  return value
}

async function send(
  client: Client,
  env: Env,
  event: Event,
  patchOf: Seen | undefined,
  signal: AbortSignal,
): Promise<void> {
  const kind = eventKind as Kind<Event & KubeObject>
  for (let attempt = 1; ; attempt++) {
    try {
      if (patchOf && attempt === 1) {
        const body = { count: event.count, lastTimestamp: event.lastTimestamp, message: event.message }
        await client.patch(kind, event.metadata, "strategic", body, { signal })
      } else await client.create(kind, event, { signal })
      return
    } catch (thrown) {
      if (signal.aborted || isAlreadyExists(thrown)) return
      // The event that was to be counted up has expired: it is made anew, once.
      if (patchOf && attempt === 1 && isNotFound(thrown)) continue
      const refused = thrown instanceof Error && thrown.name === "StatusError"
      if (refused || attempt >= maxTries) {
        env.log.warn("Server rejected event", {
          reason: event.reason,
          object: `${event.involvedObject.namespace}/${event.involvedObject.name}`,
          err: thrown,
        })
        return
      }
      await env.clock.sleep(10_000 * env.random.next(), signal)
    }
  }
}

/** Refers to a part of an object, for {@link EventRecorder.event}. */
export function partOf(obj: KubeObject, fieldPath: string): EventSubject {
  return { apiVersion: obj.apiVersion, kind: obj.kind, metadata: obj.metadata, fieldPath }
}
