import assert from "node:assert/strict"
import { test } from "node:test"
import { ipAddress, kinds, service } from "@knarr/api"
import { Scope, createPrivateKeyPem } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createMemoryStore } from "@knarr/store"
import { createControlPlane, type ControlPlane } from "../../control-plane.ts"

const env = virtualEnv()
const { clock } = env

/** The parents of the address objects, when they are `wanted` at last. */
async function settled(plane: ControlPlane, wanted: Record<string, string>): Promise<void> {
  const now = (): Record<string, string> =>
    Object.fromEntries(
      plane.registry
        .list(ipAddress)
        .map(({ metadata, spec }) => [
          metadata.name,
          `${spec.parentRef?.resource}/${spec.parentRef?.namespace}/${spec.parentRef?.name}`,
        ]),
    )
  for (let i = 0; i < 1000 && JSON.stringify(now()) !== JSON.stringify(wanted); i++)
    await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(now(), wanted)
}

test("every address of a Service is an object", async () => {
  await using scope = new Scope("test")
  const store = scope.use(createMemoryStore({ env }))
  const serviceAccounts = { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] }
  const serviceCIDRs = ["10.96.0.0/24", "fd00::/120"]
  const start = async (of: Scope): Promise<ControlPlane> => {
    const plane = await createControlPlane({ env, store, kinds, scope: of, serviceAccounts, serviceCIDRs })
    await plane.bootstrap()
    return plane
  }
  const first = new Scope("first")
  const plane = await start(first)
  const client = plane.client()
  const kubernetes = { "10.96.0.1": "services/default/kubernetes" }
  await settled(plane, kubernetes)
  assert.deepEqual(plane.registry.get(ipAddress, { name: "10.96.0.1" })?.metadata.labels, {
    "ipaddress.kubernetes.io/ip-family": "IPv4",
    "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
  })

  const create = async (name: string, spec: object): Promise<void> => {
    await client.create(service, {
      metadata: { name, namespace: "default" },
      spec: { ports: [{ port: 80 }], ...spec },
    } as never)
  }
  await create("a", {
    clusterIP: "10.96.0.5",
    clusterIPs: ["10.96.0.5", "fd00::5"],
    ipFamilyPolicy: "RequireDualStack",
  })
  await create("headless", { clusterIP: "None" })
  const both = { "10.96.0.5": "services/default/a", "fd00::5": "services/default/a" }
  await settled(plane, { ...kubernetes, ...both })

  await client.delete(ipAddress, { name: "fd00::5" })
  await settled(plane, { ...kubernetes, ...both })

  await client.delete(service, { name: "a", namespace: "default" })
  await create("b", { clusterIP: "10.96.0.5" })
  await settled(plane, { ...kubernetes, "10.96.0.5": "services/default/b" })

  const left = { name: "10.96.0.9", labels: { "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" } }
  await client.create(ipAddress, {
    metadata: left,
    spec: { parentRef: { resource: "services", namespace: "default", name: "gone" } },
  })
  await clock.advance(61_000)
  await first.close()
  const again = await start(scope)
  await settled(again, { ...kubernetes, "10.96.0.5": "services/default/b" })
})
