import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { kinds, service, serviceCIDR, type Service } from "@knarr/api"
import { createPrivateKeyPem, Scope } from "@knarr/base"
import type { Client } from "@knarr/client"
import { createMemoryStore } from "@knarr/store"
import { virtualEnv } from "@knarr/testkit"
import { createControlPlane } from "../../control-plane.ts"

async function withPlane(run: (client: Client) => Promise<void>): Promise<void> {
  const env = virtualEnv()
  await using scope = new Scope("test", { env })
  const plane = await createControlPlane({
    env,
    store: scope.use(createMemoryStore({ env })),
    kinds,
    scope,
    serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
    // Two addresses, of which the kubernetes Service has one.
    serviceCIDRs: ["10.96.0.0/30"],
  })
  await plane.bootstrap()
  await run(plane.client())
}

let made = 0
const create = (client: Client, clusterIP?: string): Promise<Service> =>
  client.create(service, {
    metadata: { namespace: "default", name: `s${made++}` },
    spec: { ports: [{ port: 80 }], ...(clusterIP ? { clusterIP } : {}) },
  } as never)

const setReady = async (client: Client, name: string, status: string): Promise<void> => {
  const object = await client.get(serviceCIDR, { name })
  const condition = {
    type: "Ready",
    status,
    reason: "",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  }
  await client.update(
    serviceCIDR,
    { ...object, status: { conditions: [condition] } },
    { subresource: "status" },
  )
}

describe("addresses of Services", () => {
  it("are of every range that is ready, as ranges come and go", () =>
    withPlane(async (client) => {
      assert.equal((await create(client)).spec.clusterIP, "10.96.0.2")
      const full = { message: "Internal error occurred: failed to allocate a serviceIP: range is full" }
      await assert.rejects(create(client), full)
      await client.create(serviceCIDR, {
        metadata: { name: "more", finalizers: ["example.com/kept"] },
        spec: { cidrs: ["10.200.0.0/24"] },
      } as never)
      await assert.rejects(create(client), full, "not ready yet")
      const outside =
        /failed to allocate IP 10\.200\.0\.5: the provided network does not match the current range/
      await assert.rejects(create(client, "10.200.0.5"), outside)
      await setReady(client, "more", "True")
      assert.match((await create(client)).spec.clusterIP!, /^10\.200\.0\./)
      assert.equal((await create(client, "10.200.0.5")).spec.clusterIP, "10.200.0.5")
      await client.delete(serviceCIDR, { name: "more" })
      await assert.rejects(create(client), full, "on its way out")
      await assert.rejects(create(client, "10.200.0.6"))
    }))
})
