import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { configMap, deployment, namespace, node, pod } from "@knarr/api"
import { VirtualClock, Meter, TimeoutError } from "@knarr/base"
import * as predicates from "@knarr/apimachinery"
import type { Client } from "./client.ts"
import { createRestClient } from "./rest-client.ts"
import { Replies, type Reply } from "./scripted-replies.ts"
import type { Transport } from "./transport.ts"

const ref = { namespace: "n", name: "a" }
const some = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { ...ref, resourceVersion: "7" },
  data: {},
} as never
const signal = new AbortController().signal

interface Verb {
  readonly ask: (client: Client) => unknown
  readonly line: string
  readonly type?: string
  readonly body?: unknown
}

const drain = async (events: AsyncIterable<unknown>): Promise<void> => {
  for await (const event of events) assert.ok(event)
}

const verbs: Record<string, Verb> = {
  get: { ask: (c) => c.get(configMap, ref), line: "GET /api/v1/namespaces/n/configmaps/a" },
  "get at a revision": {
    ask: (c) => c.get(configMap, ref, { resourceVersion: "7" }),
    line: "GET /api/v1/namespaces/n/configmaps/a?resourceVersion=7",
  },
  "get in no namespace": { ask: (c) => c.get(node, { name: "x/y" }), line: "GET /api/v1/nodes/x%2Fy" },
  "list everywhere": { ask: (c) => c.list(deployment), line: "GET /apis/apps/v1/deployments" },
  "list a selection": {
    ask: (c) =>
      c.list(pod, {
        namespace: "n",
        labelSelector: "a in (b,c)",
        fieldSelector: "spec.nodeName=x",
        limit: 5,
        continue: "t=",
        resourceVersion: "0",
        resourceVersionMatch: "NotOlderThan",
      }),
    line:
      "GET /api/v1/namespaces/n/pods?labelSelector=a%20in%20(b%2Cc)&fieldSelector=spec.nodeName%3Dx&limit=5" +
      "&continue=t%3D&resourceVersion=0&resourceVersionMatch=NotOlderThan",
  },
  watch: {
    ask: (c) =>
      drain(c.watch(pod, { signal, resourceVersion: "7", allowWatchBookmarks: true, timeoutSeconds: 9 })),
    line: "GET /api/v1/pods?watch=true&resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=9",
  },
  "watch from the first objects on": {
    ask: (c) => drain(c.watch(pod, { signal, sendInitialEvents: true, allowWatchBookmarks: true })),
    line: "GET /api/v1/pods?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan",
  },
  create: {
    ask: (c) => c.create(configMap, { metadata: ref, data: { k: "v" } } as never, { dryRun: true }),
    line: "POST /api/v1/namespaces/n/configmaps?fieldManager=m&dryRun=All",
    body: { metadata: ref, data: { k: "v" }, apiVersion: "v1", kind: "ConfigMap" },
  },
  update: {
    ask: (c) => c.update(configMap, some, { fieldManager: "me", fieldValidation: "Strict" }),
    line: "PUT /api/v1/namespaces/n/configmaps/a?fieldManager=me&fieldValidation=Strict",
    body: some,
  },
  "update a subresource": {
    ask: (c) => c.update(configMap, some, { subresource: "status" }),
    line: "PUT /api/v1/namespaces/n/configmaps/a/status?fieldManager=m",
    body: some,
  },
  "patch as JSON": {
    ask: (c) => c.patch(configMap, ref, "json", [{ op: "test", path: "/a", value: 1 }]),
    line: "PATCH /api/v1/namespaces/n/configmaps/a?fieldManager=m",
    type: "application/json-patch+json",
    body: [{ op: "test", path: "/a", value: 1 }],
  },
  "patch by merging": {
    ask: (c) => c.patch(configMap, ref, "merge", {}),
    line: "PATCH /api/v1/namespaces/n/configmaps/a?fieldManager=m",
    type: "application/merge-patch+json",
    body: {},
  },
  "patch strategically": {
    ask: (c) => c.patch(configMap, ref, "strategic", {}, { subresource: "status" }),
    line: "PATCH /api/v1/namespaces/n/configmaps/a/status?fieldManager=m",
    type: "application/strategic-merge-patch+json",
    body: {},
  },
  apply: {
    ask: (c) => c.patch(configMap, ref, "apply", {}, { force: true }),
    line: "PATCH /api/v1/namespaces/n/configmaps/a?fieldManager=m&force=true",
    type: "application/apply-patch+yaml",
    body: {},
  },
  delete: {
    ask: (c) =>
      c.delete(configMap, ref, { propagationPolicy: "Orphan", dryRun: true, preconditions: { uid: "u" } }),
    line: "DELETE /api/v1/namespaces/n/configmaps/a",
    body: {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Orphan",
      preconditions: { uid: "u" },
      dryRun: ["All"],
    },
  },
  "delete a collection": {
    ask: (c) =>
      c.deleteCollection(configMap, { namespace: "n", labelSelector: "a=b" }, { gracePeriodSeconds: 0 }),
    line: "DELETE /api/v1/namespaces/n/configmaps?labelSelector=a%3Db",
    body: { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0 },
  },
  "create a subresource": {
    ask: (c) => c.createSubresource(pod, ref, "binding", { target: {} }),
    line: "POST /api/v1/namespaces/n/pods/a/binding?fieldManager=m",
    body: { target: {} },
  },
  "get a subresource": {
    ask: (c) => c.getSubresource(deployment, ref, "scale"),
    line: "GET /apis/apps/v1/namespaces/n/deployments/a/scale",
  },
}

const clientOf = (transport: Transport, clock = new VirtualClock()): Client =>
  createRestClient({ transport, fieldManager: "m", env: { clock, meter: new Meter() } })

describe("what the REST client asks to", () => {
  for (const [what, { ask, line, type, body }] of Object.entries(verbs))
    test(what, async () => {
      const network = new Replies()
      const isWatch = what.startsWith("watch")
      const client = clientOf(isWatch ? new Replies({ body: "" }) : network)
      const transport = isWatch ? new Replies({ body: "" }) : network
      await ask(isWatch ? clientOf(transport) : client)
      const [asked] = transport.asked
      assert.equal(`${asked!.method} ${asked!.path}`, line)
      assert.equal(asked!.headers?.["accept"], "application/json")
      assert.deepEqual(asked!.body === undefined ? undefined : JSON.parse(asked!.body as string), body)
      assert.equal(
        asked!.headers?.["content-type"],
        body === undefined ? undefined : (type ?? "application/json"),
      )
    })

  test("what has no name is not asked for: that would be the collection", () => {
    assert.throws(
      () => clientOf(new Replies()).get(configMap, { namespace: "n", name: "" }),
      /name may not be empty/,
    )
  })

  test("of a kind in no namespace no subresource is asked for in one: it would be that of an object outside", () => {
    const replies = new Replies()
    const client = clientOf(replies)
    for (const ask of [
      () => client.getSubresource(node, ref, "scale"),
      () => client.createSubresource(node, ref, "proxy", {}),
      () => client.update(node, some, { subresource: "status" }),
      () => client.patch(node, ref, "merge", {}, { subresource: "status" }),
    ])
      assert.throws(ask, { code: 404, message: "the server could not find the requested resource" })
    assert.deepEqual(replies.asked, [])
  })

  test("act as another user", async () => {
    const network = new Replies()
    await clientOf(network)
      .as({ name: "u", groups: ["g", "h"], userAgent: "x" })
      .get(namespace, { name: "a" })
    assert.deepEqual(network.asked[0]!.headers, {
      accept: "application/json",
      "impersonate-user": "u",
      "impersonate-group": ["g", "h"],
      "user-agent": "x",
    })
  })
})

describe("what the REST client makes of an answer outside 2xx", () => {
  const statuses: [code: number, reason: string, is: (error: unknown) => boolean][] = [
    [400, "BadRequest", predicates.isBadRequest],
    [401, "Unauthorized", predicates.isUnauthorized],
    [403, "Forbidden", predicates.isForbidden],
    [404, "NotFound", predicates.isNotFound],
    [405, "MethodNotAllowed", predicates.isMethodNotSupported],
    [406, "NotAcceptable", predicates.isNotAcceptable],
    [409, "AlreadyExists", predicates.isAlreadyExists],
    [409, "Conflict", predicates.isConflict],
    [410, "Gone", predicates.isGone],
    [410, "Expired", predicates.isExpired],
    [413, "RequestEntityTooLarge", predicates.isRequestEntityTooLarge],
    [415, "UnsupportedMediaType", predicates.isUnsupportedMediaType],
    [422, "Invalid", predicates.isInvalid],
    [429, "TooManyRequests", predicates.isTooManyRequests],
    [500, "InternalError", predicates.isInternalError],
    [500, "ServerTimeout", predicates.isServerTimeout],
    [503, "ServiceUnavailable", predicates.isServiceUnavailable],
    [504, "Timeout", predicates.isTimeout],
  ]
  for (const [code, reason, is] of statuses)
    test(`${code} ${reason}`, async () => {
      const body = { kind: "Status", apiVersion: "v1", status: "Failure", reason, code, message: "m" }
      await assert.rejects(clientOf(new Replies({ status: code, body })).get(configMap, ref), is)
    })

  // Without a Status only the code tells; what is not a client's reason of its own is an unknown one.
  for (const [code, is] of [
    [401, predicates.isUnauthorized],
    [403, predicates.isForbidden],
    [404, predicates.isNotFound],
    [503, predicates.isServiceUnavailable],
  ] as const)
    test(`${code} from another program`, async () => {
      const network = new Replies({ status: code, body: "<html>no</html>" })
      await assert.rejects(clientOf(network).get(configMap, ref), is)
    })
})

describe("the REST client sends a request again", () => {
  const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" })
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" })
  const busy: Reply = { status: 429, retryAfter: "3", body: "busy" }
  const get = (c: Client): Promise<unknown> => c.get(configMap, ref)
  const create = (c: Client): Promise<unknown> => c.create(configMap, { metadata: ref } as never)
  const watch = (c: Client): Promise<unknown> => drain(c.watch(configMap, { signal }))
  const cases: Record<
    string,
    [ask: (c: Client) => Promise<unknown>, replies: (Reply | Error)[], times: number, ms: number]
  > = {
    "as late as a busy server says": [get, [busy, busy, {}], 3, 6000],
    "that writes, when a busy server says so": [create, [busy, {}], 2, 3000],
    "that watches, when a busy server says so": [watch, [busy, { body: "" }], 2, 3000],
    "when a server that fails says so": [create, [{ status: 503, retryAfter: "1" }, {}], 2, 1000],
    "ten times at the most": [get, Array.from({ length: 20 }, () => busy), 11, 30_000],
    "not without being told to": [get, [{ status: 429, body: "busy" }], 1, 0],
    "not for what is wrong with it": [get, [{ status: 404, retryAfter: "1" }], 1, 0],
    "that reads, after its connection was lost": [get, [reset, {}], 2, 1000],
    "not when it writes and the connection was lost": [create, [reset, {}], 1, 0],
    "not when it watches and the connection was lost": [watch, [reset, {}], 1, 0],
    "not when there is no server": [get, [refused, {}], 1, 0],
  }
  for (const [what, [ask, replies, times, ms]] of Object.entries(cases))
    test(what, async () => {
      const clock = new VirtualClock()
      const network = new Replies(...replies)
      let isEnded = false
      const end = (): void => void (isEnded = true)
      ask(clientOf(network, clock)).then(end, end)
      await clock.runUntil(() => isEnded, { what: "the answer", limitMs: 100_000 })
      assert.equal(network.asked.length, times)
      assert.equal(clock.monotonic(), ms)
    })

  test("and stops waiting with its signal", async () => {
    const clock = new VirtualClock()
    const network = new Replies(busy, busy)
    const stop = new AbortController()
    const asked = clientOf(network, clock).get(configMap, ref, { signal: stop.signal })
    asked.catch(() => {})
    await clock.advance(1000)
    stop.abort(new Error("enough"))
    await assert.rejects(asked, /enough/)
    assert.equal(network.asked.length, 1)
  })
})

test("a request that is not answered ends after its time; a watch has none", async () => {
  const clock = new VirtualClock()
  const asked = clientOf(new Replies("never"), clock).get(configMap, ref)
  asked.catch(() => {})
  const stop = new AbortController()
  let isWatching = true
  drain(clientOf(new Replies("never"), clock).watch(configMap, { signal: stop.signal })).catch(
    () => (isWatching = false),
  )
  await clock.advance(70_000)
  await assert.rejects(asked, TimeoutError)
  await clock.advance(600_000)
  assert.ok(isWatching)
  stop.abort()
})
