import assert from "node:assert/strict"
import { it } from "node:test"
import { defineKind, type KubeObject } from "@knarr/apimachinery"
import { createRestClient, type HttpRequest, type Transport } from "@knarr/client"
import type { ReconcileContext } from "@knarr/controller-kit"
import { scaleTargetOf } from "./scale-target.ts"

const scale = { kind: "Scale", apiVersion: "autoscaling/v1", metadata: { name: "x" }, spec: { replicas: 3 } }

/** A network on which everything has a scale. */
function networkOf(asked: string[]): Transport {
  return {
    server: "http://test",
    async request({ path }: HttpRequest) {
      asked.push(path)
      const bytes = Buffer.from(JSON.stringify(scale))
      async function* body(): AsyncGenerator<Buffer> {
        yield bytes
      }
      return { status: 200, headers: {}, body: body(), buffer: () => Promise.resolve(bytes) }
    },
    webSocket: () => Promise.reject(new Error("there are no WebSockets here")),
    [Symbol.dispose]() {},
  }
}

for (const [what, namespaced, path, said] of [
  ["in its namespace", true, "/apis/e.io/v1/namespaces/mine/fleets/x/scale", undefined],
  [
    "in no namespace, which is not its own",
    false,
    undefined,
    "the server could not find the requested resource",
  ],
] as const)
  it(`an autoscaler that names something ${what} ${path ? "has its scale" : "is told that it is not there"}`, async () => {
    const asked: string[] = []
    const kind = defineKind<KubeObject>({
      group: "e.io",
      version: "v1",
      kind: "Fleet",
      plural: "fleets",
      namespaced,
    } as never)
    const context = {
      client: createRestClient({ transport: networkOf(asked) }),
      served: { find: () => kind },
      signal: new AbortController().signal,
    } as unknown as ReconcileContext
    const found = scaleTargetOf({ apiVersion: "e.io/v1", kind: "Fleet", name: "x" }, "mine", context)
    if (said === undefined) assert.equal((await found).scale.spec?.replicas, 3)
    else await assert.rejects(found, { name: "Error", said, isSpec: false })
    assert.deepEqual(asked, path ? [path] : [])
  })
