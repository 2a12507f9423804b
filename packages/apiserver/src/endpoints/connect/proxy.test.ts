import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { endpointSlice, node, pod, service } from "@knarr/api"
import { ipv4Network } from "@knarr/apimachinery"
import { startTestRegistry } from "../../registry/testing.ts"
import { parseRequestInfo } from "../../server/request-info.ts"
import { KubeletClient } from "./kubelet.ts"
import { proxyTarget } from "./proxy.ts"
import { AddressNotAllowed, Destinations } from "./proxyable.ts"

const podRef = { namespace: "default", name: "p" }
const address = { type: "InternalIP", address: "192.0.2.7" }

/** Where a request leads, when the pod has that address. */
async function target(path: string, podIP: string): Promise<unknown> {
  await using test = await startTestRegistry()
  const { client, registry, env } = test
  const containers = [{ name: "a", image: "i", ports: [{ containerPort: 8080 }] }]
  await client.create(pod, { metadata: podRef, spec: { containers } })
  await client.patch(pod, podRef, "merge", { status: { podIP } }, { subresource: "status" })
  await client.create(node, { metadata: { name: "n1" }, spec: {} })
  const status = { addresses: [address] }
  await client.patch(node, { name: "n1" }, "merge", { status }, { subresource: "status" })
  return proxyTarget(
    env,
    registry,
    new KubeletClient(registry, undefined),
    parseRequestInfo("GET", path, new URLSearchParams()),
  )
}

describe("proxyTarget", () => {
  it("finds pods, with and without scheme and port", async () => {
    const base = "/api/v1/namespaces/default/pods"
    assert.deepEqual(await target(`${base}/p/proxy/x`, "10.0.0.9"), {
      kubelet: false,
      tls: false,
      host: "10.0.0.9",
      port: 8080,
    })
    assert.deepEqual(await target(`${base}/https:p:8443/proxy/x`, "10.0.0.9"), {
      kubelet: false,
      tls: true,
      host: "10.0.0.9",
      port: 8443,
    })
  })

  it("leads nodes to their kubelet", async () => {
    assert.deepEqual(await target("/api/v1/nodes/n1/proxy/stats", ""), {
      kubelet: true,
      tls: true,
      host: "192.0.2.7",
      port: 10250,
    })
  })

  for (const address of [
    "",
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "0:0:0:0:0:0:0:1",
    "169.254.169.254",
    "fe80::1",
    "::ffff:127.0.0.1",
  ]) {
    it(`refuses ${address || "no address"}`, async () => {
      await assert.rejects(target("/api/v1/namespaces/default/pods/p/proxy/", address), {
        message: "address not allowed",
      })
    })
  }

  it("refuses names that are none", async () => {
    for (const name of ["ftp:p:1", "a:b:c:d", ":80", "https::80"])
      await assert.rejects(
        target(`/api/v1/namespaces/default/pods/${name}/proxy/`, "10.0.0.9"),
        /invalid pod request/,
        name,
      )
  })

  it("leads services to pods of their own namespace, by the port's number or name", async () => {
    await using test = await startTestRegistry()
    const { client, registry, env } = test
    await client.create(pod, { metadata: podRef, spec: { containers: [{ name: "a", image: "i" }] } })
    const ips = { podIP: "10.0.0.9", podIPs: [{ ip: "10.0.0.9" }, { ip: "fd00::9" }] }
    await client.patch(pod, podRef, "merge", { status: ips }, { subresource: "status" })
    const metadata = { namespace: "default", name: "s" }
    await client.create(service, {
      metadata,
      spec: { clusterIP: "None", ports: [{ name: "web", port: 80 }] },
    })
    const ref = { kind: "Pod", ...podRef }
    let slices = 0
    const slice = async (targetRef: object | undefined, address: string, ready = true): Promise<void> => {
      await client.create(endpointSlice, {
        metadata: {
          namespace: "default",
          name: `s${slices++}`,
          labels: { "kubernetes.io/service-name": "s" },
        },
        addressType: "IPv4",
        ports: [{ name: "web", port: 8080 }],
        endpoints: [{ addresses: [address], conditions: { ready }, ...(targetRef ? { targetRef } : {}) }],
      })
    }
    const ask = (name: string): unknown =>
      proxyTarget(
        env,
        registry,
        new KubeletClient(registry, undefined),
        parseRequestInfo("GET", `/api/v1/namespaces/default/services/${name}/proxy/`, new URLSearchParams()),
      )
    const none = { message: 'no endpoints available for service "s"' }
    assert.throws(() => ask("s:web"), none)
    await slice(undefined, "10.0.0.8")
    await slice({ ...ref, namespace: "other" }, "10.0.0.9")
    await slice(ref, "10.0.0.7")
    await slice(ref, "10.0.0.9", false)
    assert.throws(() => ask("s:web"), none, "nothing of these is a pod that is ready")
    await slice(ref, "10.0.0.9")
    const found = { kubelet: false, tls: false, host: "10.0.0.9", port: 8080 }
    assert.deepEqual(ask("s:web"), found)
    assert.deepEqual(ask("s:80"), found)
    assert.deepEqual(ask("https:s:web"), { ...found, tls: true })
    assert.throws(() => ask("s"), none, "the port has a name")
    assert.throws(() => ask("s:81"), { message: 'no service port 81 found for service "s"' })
    assert.throws(() => ask("t:80"), { message: 'services "t" not found' })
  })
})

describe("networks of others", () => {
  // Of another cluster: its pods, its services and its nodes.
  const forbidden = ["10.245.0.0/16", "10.97.0.0/16", "10.90.0.0/24"].map(ipv4Network)
  const destinations = new Destinations(() => forbidden)
  const others = [
    "10.245.0.0",
    "10.245.255.255",
    "10.97.0.1",
    "10.90.0.1",
    "::ffff:10.90.0.1",
    "::FFFF:10.97.0.10",
    "::ffff:a5a:1",
    "0:0:0:0:0:ffff:0af5:0007",
    "0000:0000:0000:0000:0000:ffff:10.245.3.4",
  ]
  const free = [
    "10.244.255.255",
    "10.246.0.0",
    "10.98.0.1",
    "10.90.1.0",
    "192.0.2.7",
    "::ffff:10.244.0.9",
    "fd00::a5a:1",
  ]
  const base = "/api/v1/namespaces/default"

  it("are refused however the address of a pod, a service's endpoint or a node is spelled", async () => {
    await using test = await startTestRegistry()
    const { client, registry, env } = test
    const kubelet = new KubeletClient(registry, undefined, destinations)
    const ask = (path: string): unknown =>
      proxyTarget(env, registry, kubelet, parseRequestInfo("GET", path, new URLSearchParams()))
    await client.create(pod, { metadata: podRef, spec: { containers: [{ name: "a", image: "i" }] } })
    await client.create(node, { metadata: { name: "n1" }, spec: {} })
    await client.create(service, {
      metadata: { namespace: "default", name: "s" },
      spec: { clusterIP: "None", ports: [{ port: 80 }] },
    })
    for (const [i, text] of [...others, ...free].entries()) {
      const ips = { podIP: text, podIPs: [{ ip: text }] }
      await client.patch(pod, podRef, "merge", { status: ips }, { subresource: "status" })
      const status = { addresses: [{ type: "InternalIP", address: text }] }
      await client.patch(node, { name: "n1" }, "merge", { status }, { subresource: "status" })
      const metadata = { namespace: "default", name: `s${i}`, labels: { "kubernetes.io/service-name": "s" } }
      const addressType = text.includes(":") ? "IPv6" : "IPv4"
      // Slices take addresses only as they are written best.
      const slice = {
        metadata,
        addressType,
        ports: [{ port: 80 }],
        endpoints: [{ addresses: [text], targetRef: { kind: "Pod", ...podRef } }],
      }
      const isStored = await client.create(endpointSlice, slice).then(
        () => true,
        () => false,
      )
      const paths = [`${base}/pods/p/proxy/`, `${base}/pods/https:p:8443/proxy/`, "/api/v1/nodes/n1/proxy/"]
      paths.push("/api/v1/nodes/n1:10255/proxy/")
      if (isStored) paths.push(`${base}/services/s/proxy/`, `${base}/services/https:s:80/proxy/`)
      for (const path of paths)
        if (others.includes(text))
          assert.throws(() => ask(path), { message: "address not allowed" }, `${path} ${text}`)
        else assert.equal((ask(path) as { host: string }).host, text, path)
      // Logs, exec and the others.
      if (others.includes(text)) assert.throws(() => kubelet.locate("n1"), { message: "address not allowed" })
      else assert.equal(kubelet.locate("n1").host, text)
      if (isStored) await client.delete(endpointSlice, { namespace: "default", name: `s${i}` })
    }
  })

  it("are refused as what a name leads to, and as an address that looks like a name", async () => {
    for (const [name, allowed] of [
      ["10.245.7", false],
      ["0x0a.0x5a.0.1", false],
      ["173670401", false],
      ["0x0af50001", false],
      ["012.0141.0.5", false],
      ["10.244.7", true],
    ] as const)
      for (const lookup of [destinations.proxyableLookup, destinations.permittedLookup]) {
        const failed = await new Promise((resolve) => lookup(name, {}, resolve))
        assert.equal(failed instanceof AddressNotAllowed, !allowed, name)
      }
  })

  it("are those of the moment", () => {
    const networks = [ipv4Network("10.1.0.0/16")]
    const changing = new Destinations(() => networks)
    assert.equal(changing.isProxyable("10.2.0.1"), true)
    networks.push(ipv4Network("10.2.0.0/16"))
    assert.equal(changing.isProxyable("10.2.0.1"), false)
    // Kubelets may be on loopback; who asks for a proxy may not be led there.
    assert.equal(changing.isPermitted("127.0.0.1"), true)
    assert.equal(changing.isProxyable("127.0.0.1"), false)
  })
})
