import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, event, eventsEvent } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import { Scope } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import type { Client } from "./client.ts"
import { createRestClient } from "./rest-client.ts"
import { Replies, type Reply } from "./scripted-replies.ts"
import { createServedKinds, type ServedKinds } from "./served-kinds.ts"
import { createInformerFactory } from "./shared-informer.ts"

type Version = readonly [group: string, version: string, kinds: string | "Stale"]

/** The two documents of a server that serves these; a kind's plural is its name in lower case and an s. */
function documents(versions: readonly Version[]): Reply[] {
  const of = (isCore: boolean): Reply => ({
    body: {
      kind: "APIGroupDiscoveryList",
      items: versions
        .filter(([group]) => (group === "") === isCore)
        .map(([group, version, kinds]) => ({
          metadata: group === "" ? {} : { name: group },
          versions: [
            kinds === "Stale"
              ? { version, freshness: "Stale" }
              : {
                  version,
                  resources: kinds.split(" ").map((kind) => ({
                    resource: `${kind.toLowerCase()}s`,
                    responseKind: { kind },
                    scope: "Namespaced",
                    verbs: ["list", "watch", "delete"],
                  })),
                },
          ],
        })),
    },
  })
  return [of(true), of(false)]
}

const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" })
const core: Version = ["", "v1", "ConfigMap"]
const widgets: Version = ["toys", "v1", "Widget"]

/** Follows a server that gives one answer after the other, each half a minute after the one before. */
async function follow(
  answers: readonly (readonly (Reply | Error)[])[],
  look: (served: ServedKinds, next: () => Promise<string[]>) => Promise<void>,
): Promise<void> {
  const env = virtualEnv()
  const { clock } = env
  await using scope = new Scope("test", { env })
  // Definitions and API services are listed elsewhere: nothing hints at a change here.
  const quiet = createRestClient({ transport: new Replies("never", "never"), env })
  const informers = createInformerFactory({ client: quiet, scope: scope.child("informers"), env })
  const client: Client = createRestClient({ transport: new Replies(...answers.flat()), env })
  const log: string[] = []
  const served = createServedKinds({ client, informers, env, scope: scope.child("served") })
  served.subscribe({
    added: ({ id }: Kind) => log.push(`+${id}`),
    removed: ({ id }: Kind) => log.push(`-${id}`),
  })
  await clock.advance(1)
  await look(served, async () => {
    await clock.advance(30_000)
    return log.splice(0)
  })
}

const ids = (served: ServedKinds): string[] => served.list().map(({ id }) => id)

test("only what a whole answer leaves out is removed", async () => {
  await follow(
    [
      documents([core, widgets]),
      documents([core, ["toys", "v1", "Stale"]]),
      [refused, refused],
      documents([]),
      documents([core]),
    ],
    async (served, next) => {
      assert.deepEqual(ids(served), ["v1/ConfigMap", "toys/v1/Widget"])
      const widget = served.find("toys/v1", "Widget")
      assert.deepEqual(await next(), ["+v1/ConfigMap", "+toys/v1/Widget"])
      assert.deepEqual([...served.failures()], [["toys/v1", "stale GroupVersion discovery: toys/v1"]])
      assert.equal(served.find("toys/v1", "Widget"), widget)
      assert.deepEqual([await next(), await next()], [[], []])
      assert.equal(served.find("toys/v1", "Widget"), widget)
      assert.deepEqual(await next(), ["-toys/v1/Widget"])
      assert.equal(served.find("toys/v1", "Widget"), undefined)
      assert.equal(served.failures().size, 0)
    },
  )
})

test("a resource is one kind, in the version that is preferred; owner references may name any", async () => {
  await follow(
    [
      documents([core, ["toys", "v2", "Widget"], ["toys", "v1", "Widget Ball"]]),
      documents([core, ["toys", "v1", "Widget Ball"]]),
    ],
    async (served, next) => {
      assert.deepEqual(ids(served), ["v1/ConfigMap", "toys/v2/Widget", "toys/v1/Ball"])
      assert.equal(served.find("toys/v1", "Widget")!.id, "toys/v1/Widget")
      assert.equal(served.find("toys/v9", "Widget")!.id, "toys/v2/Widget")
      await next()
      assert.deepEqual(ids(served), ["v1/ConfigMap", "toys/v1/Widget", "toys/v1/Ball"])
    },
  )
})

test("a kind that is declared here is that kind, and objects that two groups serve are one resource", async () => {
  const events: Version = ["events.k8s.io", "v1", "Event"]
  await follow([documents([["", "v1", "ConfigMap Event"], events])], async (served) => {
    assert.deepEqual(served.list(), [configMap, event])
    assert.equal(served.find("events.k8s.io/v1", "Event"), eventsEvent)
  })
})
