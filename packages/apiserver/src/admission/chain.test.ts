import assert from "node:assert/strict"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { test } from "node:test"
import { configMap, eventsEvent, type ConfigMap } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import type { AdmissionDeps, AdmissionHooks, AdmissionPlugin } from "../contract.ts"
import { testCertificates, testEnv, withTestPlane } from "../testing.ts"

const plugin = (name: string, create: (deps: AdmissionDeps) => AdmissionHooks): AdmissionPlugin => ({
  name,
  enabledByDefault: true,
  create,
})
const ns = "default"
const made = (name: string, data: Record<string, string>): ConfigMap =>
  ({ metadata: { name, namespace: ns }, data }) as unknown as ConfigMap

test("a plugin that asks a program outside puts its answer in the object's place, on create and update", async () => {
  const { server: credentials, ca } = testCertificates()
  const server = createServer({ ...credentials }, (request: IncomingMessage, response: ServerResponse) => {
    let text = ""
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    request.on("end", () => {
      const object = JSON.parse(text) as ConfigMap
      if (object.data!["say"] === "nonsense") return void response.end('{"data":7}')
      response.end(
        JSON.stringify({
          ...object,
          data: { ...object.data, seen: String(object.metadata.generation ?? "x") },
        }),
      )
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/mutate`
  const asking = plugin("Asking", (deps) => ({
    handles: (a) => a.kind.plural === "configmaps" && a.namespace === ns && a.operation !== "DELETE",
    async admit(a) {
      const options = { caBundle: ca.cert, timeoutMs: 10_000 }
      const { body } = await deps.call(
        { url },
        JSON.stringify(a.object),
        options,
        a.signal ?? new AbortController().signal,
      )
      a.annotate("asking/answered", String(body.length))
      return deps.decode(a.kind, JSON.parse(body.toString()))
    },
  }))
  const judged: unknown[] = []
  const judging = plugin("Judging", () => ({
    handles: (a) => a.kind.plural === "configmaps" && a.namespace === ns,
    validate: (a) => void judged.push((a.object as ConfigMap).data),
  }))
  try {
    await withTestPlane(
      async (plane) => {
        const client = plane.client()
        const created = await client.create(configMap, made("a", { x: "1" }))
        assert.deepEqual(created.data, { x: "1", seen: "x" })
        const updated = await client.update(configMap, { ...created, data: { x: "2" } })
        assert.deepEqual(updated.data, { x: "2", seen: "x" })
        assert.deepEqual(plane.registry.get(configMap, { namespace: ns, name: "a" })?.data, updated.data)
        assert.deepEqual(judged, [created.data, updated.data])
        await assert.rejects(client.create(configMap, made("b", { say: "nonsense" })), /data/)
      },
      // Time-outs of what is outside are in real time.
      { env: testEnv, admission: { plugins: (own) => [...own, asking, judging] } },
    )
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test("a plugin that changed the object has all of them look once more, and only once", async () => {
  const rounds: string[] = []
  const early = plugin("Early", () => ({
    handles: (a) => a.kind.plural === "configmaps" && a.name === "again",
    admit: (a) =>
      void rounds.push(`early ${a.reinvocation.again} ${Object.keys((a.object as ConfigMap).data!).join()}`),
  }))
  const late = plugin("Late", () => {
    const hooks: AdmissionHooks = {
      handles: (a) => a.kind.plural === "configmaps" && a.name === "again",
      admit(a) {
        rounds.push(`late ${a.reinvocation.again} ${a.reinvocation.memory.get(hooks) ?? "nothing"}`)
        a.reinvocation.memory.set(hooks, "changed")
        a.reinvocation.request()
        const object = a.object as ConfigMap
        return { ...object, data: { ...object.data, late: "1" } } as KubeObject
      },
    }
    return hooks
  })
  await withTestPlane(
    async (plane) => {
      await plane.client().create(configMap, made("again", { x: "1" }))
      assert.deepEqual(rounds, [
        "early false x",
        "late false nothing",
        "early true x,late",
        "late true changed",
      ])
    },
    { admission: { plugins: (own) => [early, ...own, late] } },
  )
})

test("a plugin hears what the client spoke, and sees the object in another version of its kind", async () => {
  const seen: unknown[] = []
  const core = { group: "", version: "v1", kind: "Event" }
  const curious = plugin("Curious", (deps) => ({
    handles: (a) => a.kind.kind === "Event" && a.operation === "CREATE",
    async validate(a) {
      const old = (await deps.convert(a.object!, core)) as unknown as { apiVersion: string; message: string }
      const back = (await deps.convert(old as unknown as KubeObject, a.requestKind)) as unknown as {
        note: string
      }
      seen.push([a.requestKind, a.requestResource, old.apiVersion, old.message, back.note])
      assert.throws(() => deps.convert(a.object!, { ...core, kind: "Pod" }), /they are not one resource/)
    },
  }))
  await withTestPlane(
    async (plane) => {
      await plane.client().create(eventsEvent, {
        metadata: { name: "e", namespace: ns },
        eventTime: "2026-01-01T00:00:00.000000Z",
        reportingController: "c",
        reportingInstance: "i",
        action: "a",
        reason: "r",
        type: "Normal",
        note: "hello",
        regarding: { namespace: ns },
      } as never)
      const spoken = { group: "events.k8s.io", version: "v1" }
      assert.deepEqual(seen, [
        [{ ...spoken, kind: "Event" }, { ...spoken, resource: "events" }, "v1", "hello", "hello"],
      ])
    },
    { admission: { plugins: (own) => [...own, curious] } },
  )
})
