/**
 * Lists a kind, then watches it, for ever: after the watch ends it goes on from the last resourceVersion, and
 * lists again only when that is too old. Mirrors: client-go tools/cache/reflector.go
 */
import type { Env } from "@knarr/base"
import { isGone, isExpired, statusErrorFrom, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { Client } from "./client.ts"

export interface ReflectorTarget<T> {
  /** All objects there are now. */
  replace(items: readonly T[]): void
  changed(obj: T): void
  deleted(obj: T): void
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client
  readonly kind: Kind<T>
  readonly env: Env
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly target: ReflectorTarget<T>
}

const firstBackoffMs = 800
const maxBackoffMs = 30_000
/** Between an expired watch and the next list: short, since the list is wanted, and not none. */
const expiredPauseMs = 10

/** Runs until the signal is aborted. Failures are logged once each and retried with back-off and jitter. */
export async function runReflector<T extends KubeObject>(
  options: ReflectorOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  const { client, kind, env, target, namespace, labelSelector, fieldSelector } = options
  const scope = { namespace, labelSelector, fieldSelector }
  let resourceVersion: string | undefined
  let backoffMs = firstBackoffMs
  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) {
        const list = await client.list(kind, { ...scope, resourceVersion: "0", signal })
        target.replace(list.items)
        resourceVersion = list.metadata.resourceVersion!
      }
      const events = client.watch(kind, { ...scope, resourceVersion, allowWatchBookmarks: true, signal })
      for await (const event of events) {
        if (event.type === "ERROR") throw statusErrorFrom(event.object)
        backoffMs = firstBackoffMs
        resourceVersion = event.object.metadata.resourceVersion
        if (event.type === "DELETED") target.deleted(event.object)
        else if (event.type !== "BOOKMARK") target.changed(event.object)
      }
      // An orderly end; a short pause keeps a server that ends every watch at once from being flooded.
      await env.clock.sleep(10, signal)
    } catch (thrown) {
      if (signal.aborted) return
      if (isGone(thrown) || isExpired(thrown)) {
        resourceVersion = undefined
        await env.clock.sleep(expiredPauseMs, signal).catch(() => {})
        continue
      }
      env.log.warn("Watch failed, retrying", { kind: kind.kind, err: thrown })
      await env.clock.sleep(backoffMs * (1 + env.random.next()), signal).catch(() => {})
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs)
    }
  }
}
