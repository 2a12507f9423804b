import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { pod, type Event } from "@knarr/api"
import { Scope, VirtualClock } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createEventRecorder, partOf } from "./event-broadcaster.ts"
import type { EventRecorder, EventSubject } from "./event-recorder.ts"
import { Replies, type Reply } from "./scripted-replies.ts"
import { createRestClient } from "./rest-client.ts"

const subject: EventSubject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "n", name: "p", uid: "u", resourceVersion: "7" },
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly event: Event
}

/** Lets `fn` record, then all of it be sent; answers what was asked of the server. */
async function recorded(
  fn: (recorder: EventRecorder, clock: VirtualClock) => Promise<void> | void,
  replies: readonly (Reply | Error)[] = [],
): Promise<Sent[]> {
  const env = virtualEnv()
  const { clock } = env
  await using scope = new Scope("test", { env })
  const network = new Replies(...replies)
  const client = createRestClient({ transport: network, env })
  await fn(createEventRecorder({ client, scope, env, component: "kubelet", host: "node-0" }), clock)
  await clock.advance(600_000)
  return network.asked.map(({ method, path, body }) => ({
    method,
    path,
    event: JSON.parse(body as string) as Event,
  }))
}

const counts = (sent: readonly Sent[]): (string | number | undefined)[] =>
  sent.map(({ method, event }) => (method === "POST" ? event.message : event.count))

describe("events", () => {
  test("tell who says what about which part of which object", async () => {
    const whole = { ...subject, spec: {} } as never
    const [sent] = await recorded((recorder) =>
      recorder.event(partOf(whole, "spec.containers{app}"), "Warning", "Failed", "x".repeat(2000)),
    )
    assert.deepEqual([sent!.method, sent!.path], ["POST", "/api/v1/namespaces/n/events"])
    const { metadata, message, firstTimestamp, lastTimestamp, ...event } = sent!.event
    assert.match(metadata.name, /^p\.[0-9a-f]+$/)
    assert.equal(message!.length, 1024)
    assert.equal(firstTimestamp, lastTimestamp)
    assert.deepEqual(event, {
      apiVersion: "v1",
      kind: "Event",
      involvedObject: {
        apiVersion: "v1",
        kind: "Pod",
        namespace: "n",
        name: "p",
        uid: "u",
        resourceVersion: "7",
        fieldPath: "spec.containers{app}",
      },
      reason: "Failed",
      source: { component: "kubelet", host: "node-0" },
      count: 1,
      type: "Warning",
      reportingComponent: "kubelet",
      reportingInstance: "node-0",
    })
  })

  test("about what is in no namespace are in the default one", async () => {
    const metadata = { name: "node-0", uid: "node-0" }
    const [sent] = await recorded((recorder) =>
      recorder.event({ apiVersion: "v1", kind: "Node", metadata }, "Normal", "Starting", "m"),
    )
    assert.equal(sent!.path, "/api/v1/namespaces/default/events")
    assert.equal(sent!.event.involvedObject.namespace, undefined)
  })

  test("that repeat are counted up, and made anew when the first has expired", async () => {
    const expired = {
      status: 404,
      body: { kind: "Status", status: "Failure", reason: "NotFound", code: 404 },
    }
    const sent = await recorded(
      (recorder) => {
        for (let i = 0; i < 3; i++) recorder.event(subject, "Warning", "BackOff", "m")
      },
      [{}, {}, expired, {}],
    )
    assert.deepEqual(
      sent.map(({ method, event }) => [method, event.count]),
      [
        ["POST", 1],
        ["PATCH", 2],
        ["PATCH", 3],
        ["POST", 3],
      ],
    )
    assert.equal(sent[1]!.path, `/api/v1/namespaces/n/events/${sent[0]!.event.metadata.name}`)
  })

  test("of one reason with ever other words become one combined event", async () => {
    const sent = await recorded((recorder) => {
      for (let i = 1; i <= 12; i++) recorder.event(subject, "Warning", "Failed", `try ${i}`)
    })
    const single = Array.from({ length: 9 }, (_, i) => `try ${i + 1}`)
    assert.deepEqual(counts(sent), [...single, "(combined from similar events): try 10", 2, 3])
  })

  test("are so many at once about one object, then one in five minutes; other objects have their own measure", async () => {
    const other = { ...subject, metadata: { ...subject.metadata, uid: "v" } }
    const sent = await recorded(async (recorder, clock) => {
      for (let i = 0; i < 40; i++) recorder.event(subject, "Normal", "Pulled", "m")
      recorder.event(other, "Normal", "Pulled", "m")
      await clock.advance(299_000)
      recorder.event(subject, "Normal", "Pulled", "m")
      await clock.advance(2_000)
      recorder.event(subject, "Normal", "Pulled", "m")
    })
    const of = (uid: string): number =>
      sent.filter(({ method, event }) => method === "POST" && event.involvedObject.uid === uid).length
    assert.deepEqual([of("u"), of("v")], [1, 1])
    assert.deepEqual(
      sent
        .filter(({ method }) => method === "PATCH")
        .map(({ event }) => event.count)
        .at(-1),
      26,
    )
  })

  const trouble: Record<string, [replies: (Reply | Error)[], times: number]> = {
    "are sent again while the server is not there": [
      Array.from({ length: 3 }, () => Object.assign(new Error("refused"), { code: "ECONNREFUSED" })),
      4,
    ],
    "are given up after twelve tries": [
      Array.from({ length: 30 }, () => Object.assign(new Error("refused"), { code: "ECONNREFUSED" })),
      12,
    ],
    "are dropped when the server refuses them": [
      [{ status: 403, body: { kind: "Status", status: "Failure", reason: "Forbidden", code: 403 } }],
      1,
    ],
    "are there already when they were sent twice": [
      [{ status: 409, body: { kind: "Status", status: "Failure", reason: "AlreadyExists", code: 409 } }],
      1,
    ],
  }
  for (const [what, [replies, times]] of Object.entries(trouble))
    test(what, async () => {
      const sent = await recorded((recorder) => recorder.event(subject, "Normal", "Pulled", "m"), replies)
      assert.equal(sent.length, times)
    })

  test("beyond a thousand that wait are dropped, and nobody waits", async () => {
    const sent = await recorded((recorder) => {
      for (let i = 0; i < 1500; i++) {
        const metadata = { namespace: "n", name: `p${i}`, uid: `u${i}` }
        recorder.event({ apiVersion: "v1", kind: pod.kind, metadata }, "Normal", "Pulled", "m")
      }
    })
    assert.equal(sent.length, 1000)
  })
})
