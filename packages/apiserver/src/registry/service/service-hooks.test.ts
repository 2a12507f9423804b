import assert from "node:assert/strict"
import { test } from "node:test"
import { service, type Service } from "@knarr/api"
import { isInvalid } from "@knarr/apimachinery"
import { startTestRegistry, type TestRegistry } from "../testing.ts"

const ns = "default"

function svc(name: string, spec: Record<string, unknown> = {}): Service {
  return {
    metadata: { name, namespace: ns },
    spec: { selector: { app: "a" }, ports: [{ port: 80 }], ...spec },
  } as unknown as Service
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (thrown) {
    return thrown as Error
  }
  throw new assert.AssertionError({ message: "expected a rejection" })
}

const change = (t: TestRegistry, name: string, spec: Record<string, unknown>): Promise<Service> =>
  t.client.patch(service, { namespace: ns, name }, "merge", { spec })

test("a service gets an address, keeps it, and gives it back", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.create(service, svc("a"))
  const ip = made.spec.clusterIP!
  assert.match(ip, /^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/)
  assert.deepEqual(made.spec.clusterIPs, [ip])
  assert.deepEqual(made.spec.ipFamilies, ["IPv4"])
  assert.equal(made.spec.ipFamilyPolicy, "SingleStack")
  assert.equal(made.spec.internalTrafficPolicy, "Cluster")
  const next = await t.client.update(service, svc("a", { ports: [{ port: 81 }] }))
  assert.equal(next.spec.clusterIP, ip)
  const taken = await failure(t.client.create(service, svc("b", { clusterIP: ip })))
  assert.ok(isInvalid(taken))
  assert.equal(
    taken.message,
    `Service "b" is invalid: spec.clusterIPs: Invalid value: ["${ip}"]: failed to allocate IP ${ip}: provided IP is already allocated`,
  )
  await t.client.delete(service, { namespace: ns, name: "a" })
  assert.equal((await t.client.create(service, svc("b", { clusterIP: ip }))).spec.clusterIP, ip)
  const outside = await failure(t.client.create(service, svc("c", { clusterIP: "1.2.3.4" })))
  assert.match(
    outside.message,
    /failed to allocate IP 1\.2\.3\.4: the provided network does not match the current range$/,
  )
})

test("addresses are known after a restart", async () => {
  const first = await startTestRegistry()
  await first.client.create(service, svc("a", { clusterIP: "10.96.0.10" }))
  await using t = await first.restart()
  const error = await failure(t.client.create(service, svc("b", { clusterIP: "10.96.0.10" })))
  assert.match(error.message, /provided IP is already allocated$/)
})

test("headless and external services have no address", async () => {
  await using t = await startTestRegistry()
  const headless = await t.client.create(service, svc("h", { clusterIP: "None" }))
  assert.equal(headless.spec.clusterIP, "None")
  assert.deepEqual(headless.spec.clusterIPs, ["None"])
  const external = await t.client.create(
    service,
    svc("e", { type: "ExternalName", externalName: "x.example.com" }),
  )
  assert.equal(external.spec.clusterIP, undefined)
  assert.equal(external.spec.ipFamilies, undefined)
  const selectorless = await t.client.create(service, svc("s", { clusterIP: "None", selector: {} }))
  assert.equal(selectorless.spec.ipFamilyPolicy, "RequireDualStack")
})

test("types change, and node ports and addresses come and go", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.create(service, svc("a", { type: "NodePort" }))
  const port = made.spec.ports![0]!.nodePort!
  assert.ok(port >= 30000 && port <= 32767)
  const taken = await failure(
    t.client.create(service, svc("b", { type: "NodePort", ports: [{ port: 80, nodePort: port }] })),
  )
  assert.equal(
    taken.message,
    `Service "b" is invalid: spec.ports[0].nodePort: Invalid value: ${port}: provided port is already allocated`,
  )
  const range = await failure(
    t.client.create(service, svc("b", { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] })),
  )
  assert.match(
    range.message,
    /provided port is not in the valid range\. The range of valid ports is 30000-32767$/,
  )
  const plain = await change(t, "a", { type: "ClusterIP" })
  assert.equal(plain.spec.ports![0]!.nodePort, undefined)
  const b = await t.client.create(
    service,
    svc("b", { type: "NodePort", ports: [{ port: 80, nodePort: port }] }),
  )
  assert.equal(b.spec.ports![0]!.nodePort, port)
  const external = await change(t, "a", { type: "ExternalName", externalName: "x.example.com" })
  assert.equal(external.spec.clusterIP, undefined)
  const again = await change(t, "a", {
    type: "ClusterIP",
    externalName: null,
    clusterIP: made.spec.clusterIP,
  })
  assert.equal(again.spec.clusterIP, made.spec.clusterIP)
})

test("one number serves TCP and UDP; a failed write takes nothing; a dry run neither", async () => {
  await using t = await startTestRegistry()
  const ports = [
    { name: "t", port: 53, protocol: "TCP" },
    { name: "u", port: 53, protocol: "UDP" },
  ]
  const dns = await t.client.create(service, svc("dns", { type: "NodePort", ports }))
  assert.equal(dns.spec.ports![0]!.nodePort, dns.spec.ports![1]!.nodePort)
  const wanted = { type: "NodePort", clusterIP: "10.96.0.77", ports: [{ port: 1, nodePort: 31000 }] }
  await failure(t.client.create(service, svc("Bad_Name", wanted)))
  await t.client.create(service, svc("ok", wanted), { dryRun: true })
  assert.equal((await t.client.create(service, svc("ok", wanted))).spec.clusterIP, "10.96.0.77")
})

test("a load balancer with local traffic has a health check port", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.create(
    service,
    svc("lb", { type: "LoadBalancer", externalTrafficPolicy: "Local" }),
  )
  assert.ok(made.spec.healthCheckNodePort! >= 30000)
  assert.notEqual(made.spec.healthCheckNodePort, made.spec.ports![0]!.nodePort)
  const cluster = await change(t, "lb", { externalTrafficPolicy: "Cluster" })
  assert.equal(cluster.spec.healthCheckNodePort, undefined)
})
