import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { node, pod } from "@knarr/api"
import { startTestRegistry } from "../../registry/testing.ts"
import { parseRequestInfo } from "../../server/request-info.ts"
import { KubeletClient } from "./kubelet.ts"
import { proxyTarget } from "./proxy.ts"

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
    await assert.rejects(
      target("/api/v1/namespaces/default/pods/ftp:p:1/proxy/", "10.0.0.9"),
      /invalid pod request/,
    )
  })
})
