import assert from "node:assert/strict"
import { setImmediate } from "node:timers/promises"
import { describe, it } from "node:test"
import { clusterRole, customResourceDefinition, kinds, type CustomResourceDefinition } from "@knarr/api"
import { isNotFound, type Kind, type KubeObject } from "@knarr/apimachinery"
import { Scope, VirtualClock, createPrivateKeyPem } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createMemoryStore } from "@knarr/store"
import { createControlPlane, type ControlPlane } from "../control-plane.ts"
import { refusalOf, withTestPlane } from "../testing.ts"

interface Thing extends KubeObject {
  spec?: Record<string, unknown>
}

const group = "things.example"

const definition = (
  plural = "things",
  properties: object = {},
  names: object = {},
): CustomResourceDefinition =>
  ({
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural, kind: plural[0]!.toUpperCase() + plural.slice(1, -1), ...names },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties } } },
          },
        },
      ],
    },
  }) as never

async function until(what: () => boolean): Promise<void> {
  for (let turns = 0; turns < 500; turns++) {
    if (what()) return
    await setImmediate()
  }
  assert.fail("it does not happen")
}

const served = (plane: ControlPlane, plural = "things"): Kind<Thing> | undefined =>
  plane.registry.find(group, "v1", plural)?.kind

const conditions = (plane: ControlPlane, plural = "things"): string[] =>
  (
    plane.registry.get(customResourceDefinition, { name: `${plural}.${group}` })?.status?.conditions ?? []
  ).map(({ type, status, reason }) => `${type}=${status} ${reason}`)

const thing = (name: string, spec: object): Thing =>
  ({ metadata: { name, namespace: "default" }, spec }) as never

describe("custom resources", () => {
  it("are served when their names are accepted, by the rules of their schema", async () => {
    await withTestPlane(async (plane) => {
      const client = plane.client()
      await client.create(
        customResourceDefinition,
        definition("things", {
          color: { type: "string", default: "red" },
          size: { type: "integer", maximum: 3 },
        }),
      )
      await until(() => conditions(plane).includes("Established=True InitialNamesAccepted"))
      assert.deepEqual(conditions(plane), [
        "NamesAccepted=True NoConflicts",
        "Established=True InitialNamesAccepted",
      ])
      const kind = served(plane)!
      const made = await client.create(kind, thing("one", { size: 2, unknown: 1 }))
      assert.deepEqual(made.spec, { size: 2, color: "red" })
      const refused = await refusalOf(client.create(kind, thing("two", { size: 4 })))
      assert.equal(
        refused?.message,
        'Thing.things.example "two" is invalid: spec.size: Invalid value: 4: spec.size in body should be less than or equal to 3',
      )
    })
  })

  it("have the defaults of their present schema, whenever they were written, and are there after a restart", async () => {
    const env = virtualEnv()
    await using scope = new Scope("test")
    const store = scope.use(createMemoryStore({ env }))
    const serviceAccounts = { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] }
    const start = async (within: Scope): Promise<ControlPlane> => {
      const plane = await createControlPlane({ env, store, kinds, scope: within, serviceAccounts })
      await plane.bootstrap()
      return plane
    }
    const first = scope.child("first")
    const plane = await start(first)
    const client = plane.client()
    await client.create(customResourceDefinition, definition("things", { a: { type: "string" } }))
    await until(() => conditions(plane).length === 2 && served(plane) !== undefined)
    await client.create(served(plane)!, thing("old", { a: "x" }))
    const before = served(plane)
    await client.patch(customResourceDefinition, { name: `things.${group}` }, "json", [
      {
        op: "add",
        path: "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/b",
        value: { type: "string", default: "new" },
      },
    ])
    await until(() => served(plane) !== undefined && served(plane) !== before)
    const ref = { namespace: "default", name: "old" }
    assert.deepEqual((await client.get(served(plane)!, ref)).spec, { a: "x", b: "new" })
    await first.close()
    const again = await start(scope.child("second"))
    assert.deepEqual((await again.client().get(served(again)!, ref)).spec, { a: "x", b: "new" })
  })

  it("go with their definition, which stays until they have gone", async () => {
    await withTestPlane(async (plane) => {
      const client = plane.client()
      await client.create(customResourceDefinition, definition())
      await until(() => served(plane) !== undefined && conditions(plane).length === 2)
      const kind = served(plane)!
      await client.create(kind, thing("held", {}))
      await client.patch(kind, { namespace: "default", name: "held" }, "merge", {
        metadata: { finalizers: ["example.com/held"] },
      })
      await client.delete(customResourceDefinition, { name: `things.${group}` })
      await until(() => conditions(plane).includes("Terminating=True InstanceDeletionInProgress"))
      const ref = { namespace: "default", name: "held" }
      await until(() => plane.registry.get(kind, ref)?.metadata.deletionTimestamp !== undefined)
      assert.ok(served(plane))
      await client.patch(kind, ref, "merge", {
        metadata: { finalizers: null },
      })
      for (let seconds = 0; seconds < 5; seconds++) {
        await (plane.registry.env.clock as VirtualClock).advance(1000)
        await setImmediate()
      }
      await until(() => served(plane) === undefined)
      await assert.rejects(client.get(customResourceDefinition, { name: `things.${group}` }), isNotFound)
    })
  })

  // As the published API server does.
  for (const isFormer of [false, true])
    it(`${isFormer ? "keep their definition when they cannot be" : "go with their definition when they need not be"} converted to the version that is stored`, async () => {
      await withTestPlane(async (plane) => {
        const client = plane.client()
        const two = definition()
        two.spec.versions.push({ ...two.spec.versions[0]!, name: "v2", storage: false })
        const clientConfig = { url: "https://127.0.0.1:1/convert" }
        two.spec.conversion = {
          strategy: "Webhook",
          webhook: { conversionReviewVersions: ["v1"], clientConfig },
        }
        await client.create(customResourceDefinition, two)
        await until(() => served(plane) !== undefined && conditions(plane).length === 2)
        await client.create(served(plane)!, thing("kept", {}))
        const ref = { name: `things.${group}` }
        if (isFormer) {
          const before = served(plane)
          const there = await client.get(customResourceDefinition, ref)
          const versions = there.spec.versions.map((one) => ({ ...one, storage: one.name === "v2" }))
          await client.update(customResourceDefinition, { ...there, spec: { ...there.spec, versions } })
          await until(() => served(plane) !== undefined && served(plane) !== before)
        }
        await client.delete(customResourceDefinition, ref)
        if (isFormer) await until(() => conditions(plane).includes("Terminating=True InstanceDeletionFailed"))
        else await until(() => plane.registry.get(customResourceDefinition, ref) === undefined)
        const { kvs } = await plane.registry.store.range({ prefix: `/registry/${group}/` })
        assert.equal(kvs.length, isFormer ? 1 : 0)
      })
    })

  it("keep their definition when one of them cannot be read, until it is gone", async () => {
    await withTestPlane(async (plane) => {
      const client = plane.client()
      await client.create(customResourceDefinition, definition())
      await until(() => served(plane) !== undefined && conditions(plane).length === 2)
      const key = `/registry/${group}/things/default/bad`
      await plane.registry.store.put(key, Buffer.from("bad"))
      await until(() => plane.registry.storage(served(plane)!).cache.unreadable === 1)
      const ref = { name: `things.${group}` }
      await client.delete(customResourceDefinition, ref)
      await until(() => conditions(plane).includes("Terminating=True InstanceDeletionFailed"))
      await plane.registry.store.delete(key)
      for (let seconds = 0; seconds < 5; seconds++) {
        await (plane.registry.env.clock as VirtualClock).advance(1000)
        await setImmediate()
      }
      await until(() => plane.registry.get(customResourceDefinition, ref) === undefined)
    })
  })

  it("go with their definition when no version of it is served any more", async () => {
    await withTestPlane(async (plane) => {
      const client = plane.client()
      await client.create(customResourceDefinition, definition())
      await until(() => served(plane) !== undefined && conditions(plane).length === 2)
      await client.create(served(plane)!, thing("left", {}))
      const ref = { name: `things.${group}` }
      const hidden = await client.get(customResourceDefinition, ref)
      await client.update(customResourceDefinition, {
        ...hidden,
        spec: { ...hidden.spec, versions: hidden.spec.versions.map((one) => ({ ...one, served: false })) },
      })
      await until(() => served(plane) === undefined)
      await client.delete(customResourceDefinition, ref)
      await until(() => plane.registry.get(customResourceDefinition, ref) === undefined)
      await client.create(customResourceDefinition, definition())
      await until(() => served(plane) !== undefined && conditions(plane).length === 2)
      assert.deepEqual(plane.registry.list(served(plane)!), [])
    })
  })

  it("wait for names that another has, and get them when it goes", async () => {
    await withTestPlane(async (plane) => {
      const client = plane.client()
      await client.create(customResourceDefinition, definition("things", {}, { shortNames: ["t"] }))
      await until(() => served(plane) !== undefined && conditions(plane).length === 2)
      await client.create(customResourceDefinition, definition("others", {}, { shortNames: ["t"] }))
      await until(() => conditions(plane, "others").length === 2)
      assert.deepEqual(conditions(plane, "others"), [
        "NamesAccepted=False ShortNamesConflict",
        "Established=False NotAccepted",
      ])
      assert.equal(served(plane, "others"), undefined)
      await client.delete(customResourceDefinition, { name: `things.${group}` })
      await until(() => served(plane, "others") !== undefined)
    })
  })

  for (const { what, group: taken, plural, kind, version } of [
    {
      what: "a built-in resource",
      group: "networking.k8s.io",
      plural: "ingresses",
      kind: "Ingress",
      version: "v1",
    },
    {
      what: "another version of one",
      group: "networking.k8s.io",
      plural: "ingresses",
      kind: "Ingress",
      version: "v2",
    },
    {
      what: "a group and version of the server's own",
      group: "rbac.authorization.k8s.io",
      plural: "gadgets",
      kind: "Role",
      version: "v1",
    },
    {
      what: "definitions themselves",
      group: "apiextensions.k8s.io",
      plural: "customresourcedefinitions",
      kind: "CustomResourceDefinition",
      version: "v1",
    },
  ])
    it(`do not take the place of ${what}, nor its objects with them when they go`, async () => {
      await withTestPlane(async (plane) => {
        const client = plane.client()
        const before = plane.registry.kinds
        const roles = plane.registry.list(clusterRole).length
        const crd = definition(plural, {}, { kind, singular: kind.toLowerCase() })
        Object.assign(crd.metadata, {
          name: `${plural}.${taken}`,
          annotations: { "api-approved.kubernetes.io": "https://example.com/approved" },
        })
        crd.spec.group = taken
        crd.spec.versions[0]!.name = version
        await client.create(customResourceDefinition, crd)
        const ref = { name: `${plural}.${taken}` }
        const status = (): string =>
          JSON.stringify(plane.registry.get(customResourceDefinition, ref)?.status?.conditions ?? [])
        await until(() => status().includes('"InitialNamesAccepted"'))
        assert.deepEqual(plane.registry.kinds, before)
        await client.delete(customResourceDefinition, ref)
        await until(() => plane.registry.get(customResourceDefinition, ref) === undefined)
        assert.deepEqual(plane.registry.kinds, before)
        assert.equal(plane.registry.list(clusterRole).length, roles)
      })
    })
})
