import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  configMap as configMapKind,
  secret as secretKind,
  service as serviceKind,
  type Pod,
} from "@knarr/api"
import type { Client } from "@knarr/client"
import { withPlane } from "../status/plane.test.ts"
import { createObjectReader, type ObjectChange } from "./object-reader.ts"
import { podReferences } from "./references.ts"

const never = new AbortController().signal
const ref = { namespace: "default", name: "cm" }

/** Counts what goes to the API, by verb. */
function counting(client: Client): { client: Client; counts: Record<string, number> } {
  const counts: Record<string, number> = {}
  const counted = new Proxy(client, {
    get(target, name: keyof Client) {
      const member = target[name] as (...args: unknown[]) => unknown
      return (...args: unknown[]) => {
        const kind = args[0] as { plural?: string }
        if (kind.plural !== "services") counts[name] = (counts[name] ?? 0) + 1
        return member.apply(target, args)
      }
    },
  })
  return { client: counted, counts }
}

const body = { apiVersion: "v1", kind: "ConfigMap", metadata: ref, data: { a: "1" } }

describe("object reader", () => {
  it("watches an object once for all pods that refer to it, until the last is gone", () =>
    withPlane(async ({ env, scope, client: real, createPod, clock }) => {
      const { client, counts } = counting(real)
      const reader = createObjectReader({ env, scope, client })
      const changes: ObjectChange[] = []
      reader.onChange((change) => changes.push(change))
      await real.create(configMapKind, body as never)
      const spec = { volumes: [{ name: "v", configMap: { name: "cm" } }] }
      const first = await createPod(spec, "p1")
      const second = await createPod(spec, "p2")
      reader.registerPod(first)
      reader.registerPod(second)
      reader.registerPod(second)
      assert.equal((await reader.configMap("default", "cm", never))?.data?.["a"], "1")
      await clock.advance(1000)
      assert.deepEqual(counts, { list: 1, watch: 1 })
      await real.patch(configMapKind, ref, "merge", { data: { a: "2" } })
      await clock.advance(1)
      assert.deepEqual(changes, [{ kind: "configMap", namespace: "default", name: "cm" }])
      assert.equal((await reader.configMap("default", "cm", never))?.data?.["a"], "2")
      reader.unregisterPod(first.metadata.uid)
      await real.patch(configMapKind, ref, "merge", { data: { a: "3" } })
      await clock.advance(1)
      assert.equal(changes.length, 2)
      reader.unregisterPod(second.metadata.uid)
      await clock.advance(1)
      await real.patch(configMapKind, ref, "merge", { data: { a: "4" } })
      await clock.advance(1)
      assert.equal(changes.length, 2)
      assert.deepEqual(counts, { list: 1, watch: 1 })
      assert.equal((await reader.configMap("default", "cm", never))?.data?.["a"], "4", "asked for directly")
    }))

  it("asks again for what the watch has not seen", () =>
    withPlane(async ({ env, scope, client, createPod }) => {
      const reader = createObjectReader({ env, scope, client })
      const pod = await createPod({ volumes: [{ name: "v", configMap: { name: "cm" } }] })
      reader.registerPod(pod)
      assert.equal(await reader.configMap("default", "cm", never), undefined)
      assert.equal(
        await reader.secret("default", "never registered", never).catch(() => undefined),
        undefined,
      )
      await client.create(configMapKind, body as never)
      assert.equal((await reader.configMap("default", "cm", never))?.data?.["a"], "1")
    }))

  it("does not watch what cannot change", () =>
    withPlane(async ({ env, scope, client: real, nodeClient, createPod, clock }) => {
      const { client, counts } = counting(nodeClient)
      const reader = createObjectReader({ env, scope, client })
      await real.create(secretKind, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace: "default", name: "s" },
        immutable: true,
      } as never)
      reader.registerPod(await createPod({ volumes: [{ name: "v", secret: { secretName: "s" } }] }))
      await clock.advance(1000)
      assert.deepEqual(counts, { list: 1 })
      assert.ok(await reader.secret("default", "s", never))
    }))

  it("asks for one token at a time and keeps it", () =>
    withPlane(async ({ env, scope, nodeClient, createPod, clock }) => {
      const { client, counts } = counting(nodeClient)
      const reader = createObjectReader({ env, scope, client })
      const due: ObjectChange[] = []
      reader.onChange((change) => due.push(change))
      // A node is given tokens for the audiences of its pods' volumes alone.
      const sources = [{ path: "a" }, { path: "b", audience: "vault" }].map((serviceAccountToken) => ({
        serviceAccountToken,
      }))
      const pod = await createPod({ volumes: [{ name: "tokens", projected: { sources } }] })
      const get = (audience?: string) => reader.serviceAccountToken(pod, audience, 3600, never)
      const [one, two] = await Promise.all([get(), get()])
      assert.equal(one, two)
      assert.equal(counts["createSubresource"], 1)
      assert.notEqual(await get("vault"), one)
      await clock.advance(2_800_000)
      assert.equal(await get(), one)
      assert.deepEqual(due, [])
      await clock.advance(100_000)
      assert.equal(due.length, 2)
      assert.notEqual(await get(), one)
      const claims = JSON.parse(Buffer.from(one.split(".")[1]!, "base64url").toString()) as Record<
        string,
        never
      >
      assert.equal((claims["kubernetes.io"]!["pod"] as { uid: string }).uid, pod.metadata.uid)
    }))

  it("knows the services of a namespace", () =>
    withPlane(async ({ env, scope, client }) => {
      const reader = createObjectReader({ env, scope, client })
      await reader.servicesSynced(never)
      assert.deepEqual(
        reader.services("default").map(({ metadata }) => metadata.name),
        ["kubernetes"],
      )
      assert.deepEqual(reader.services("other"), [])
      assert.equal(
        (await client.get(serviceKind, { namespace: "default", name: "kubernetes" })).kind,
        "Service",
      )
    }))
})

describe("podReferences", () => {
  it("finds names everywhere", () => {
    const pod = {
      spec: {
        imagePullSecrets: [{ name: "pull" }],
        initContainers: [
          { name: "i", env: [{ name: "A", valueFrom: { secretKeyRef: { name: "init", key: "k" } } }] },
        ],
        containers: [
          {
            name: "c",
            envFrom: [{ configMapRef: { name: "from" } }, { secretRef: { name: "sfrom" } }],
            env: [{ name: "B", valueFrom: { configMapKeyRef: { name: "key", key: "k" } } }],
          },
        ],
        volumes: [
          { name: "1", secret: { secretName: "vol" } },
          { name: "2", configMap: { name: "cvol" } },
          {
            name: "3",
            projected: { sources: [{ secret: { name: "proj" } }, { configMap: { name: "cproj" } }] },
          },
        ],
      },
    } as unknown as Pod
    const { secrets, configMaps } = podReferences(pod)
    assert.deepEqual([...secrets].sort(), ["init", "proj", "pull", "sfrom", "vol"])
    assert.deepEqual([...configMaps].sort(), ["cproj", "cvol", "from", "key"])
  })
})
