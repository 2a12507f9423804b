/** Deleting objects and waiting until they are gone. Mirrors: kubectl pkg/cmd/delete/delete.go, pkg/cmd/wait/delete.go */
import { StatusError, isNotFound, type Status } from "@knarr/apimachinery"
import { lines } from "@knarr/client"
import { type Clock, parseJson, withTimeout } from "@knarr/base"
import { resourcePath, type ApiClient } from "./api-client.ts"
import { at, type Obj } from "./object.ts"
import { fetchObject } from "./resources.ts"
import type { DryRun } from "./printers/printer.ts"
import type { Place } from "./writes.ts"

export type Cascade = "Background" | "Orphan" | "Foreground"

/** Reads `--cascade`. Throws with upstream's message. */
export function cascadeOf(text: string): Cascade {
  switch (text) {
    case "background":
    case "true":
      return "Background"
    case "foreground":
      return "Foreground"
    case "orphan":
    case "false":
      return "Orphan"
    default:
      throw new Error(`invalid cascade value (${text}). Must be "background", "foreground", or "orphan"`)
  }
}

export interface DeletionOptions {
  readonly gracePeriod: number
  readonly cascade: Cascade
  readonly dryRun: DryRun
}

/** Deletes one object. Resolves with the server's answer. */
export function deleteObject(api: ApiClient, place: Place, options: DeletionOptions): Promise<Obj> {
  const path = resourcePath(place.resource, place.namespace, place.name)
  return api.json("DELETE", path, {
    query: { dryRun: options.dryRun === "server" ? "All" : undefined },
    body: {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: options.cascade,
      ...(options.gracePeriod >= 0 ? { gracePeriodSeconds: options.gracePeriod } : {}),
      ...(options.dryRun === "server" ? { dryRun: ["All"] } : {}),
    },
  })
}

export interface WaitLimits {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Milliseconds. */
  readonly timeoutMs: number
}

/**
 * Watches one object: `check` sees it whenever it changes (undefined when it is gone) and returns true when
 * the wait is over. Throws a TimeoutError.
 */
export async function watchObject(
  api: ApiClient,
  place: Place,
  limits: WaitLimits,
  check: (obj: Obj | undefined) => boolean,
): Promise<void> {
  await withTimeout(limits.clock, limits.timeoutMs, place.name, limits.signal, async (signal) => {
    for (;;) {
      const query = { fieldSelector: `metadata.name=${place.name}` }
      const list = await api.json("GET", resourcePath(place.resource, place.namespace), { query, signal })
      const item = (list["items"] as Obj[] | undefined)?.[0]
      if (item) {
        item["apiVersion"] ??= list["apiVersion"]
        item["kind"] ??= place.resource.kind
      }
      if (check(item)) return
      if (await followOnce(api, place, list, signal, check)) return
      await limits.clock.sleep(200, signal)
    }
  })
}

async function followOnce(
  api: ApiClient,
  place: Place,
  list: Obj,
  signal: AbortSignal,
  check: (obj: Obj | undefined) => boolean,
): Promise<boolean> {
  const response = await api.send("GET", resourcePath(place.resource, place.namespace), {
    query: {
      fieldSelector: `metadata.name=${place.name}`,
      watch: true,
      resourceVersion: at(list, "metadata", "resourceVersion") as string,
    },
    signal,
    unlimited: true,
  })
  for await (const line of lines(response.body)) {
    const event = parseJson(line) as { type: string; object: Obj }
    if (event.type === "ERROR") {
      const failed = new StatusError(event.object as unknown as Status)
      if (failed.code === 410) return false
      throw failed
    }
    if (check(event.type === "DELETED" ? undefined : event.object)) return true
  }
  return false
}

/** Waits until the object (of that UID, when one is given) is gone. Throws a TimeoutError. */
export async function waitGone(
  api: ApiClient,
  place: Place,
  uid: string | undefined,
  limits: WaitLimits,
): Promise<void> {
  try {
    const now = await fetchObject(api, place)
    if (uid && at(now, "metadata", "uid") !== uid) return
  } catch (thrown) {
    if (isNotFound(thrown)) return
    throw thrown
  }
  await watchObject(
    api,
    place,
    limits,
    (obj) => !obj || (uid !== undefined && at(obj, "metadata", "uid") !== uid),
  )
}

export const weekMs = 168 * 3_600_000
