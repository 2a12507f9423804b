import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { node, pod } from "@knarr/api"
import { seededRandom, silentLogger, systemClock } from "@knarr/base"
import type { Registry } from "../../registry/registry.ts"
import { parseRequestInfo } from "../../server/request-info.ts"
import { KubeletClient } from "./kubelet.ts"
import { proxyTarget } from "./proxy.ts"

const env = { clock: systemClock, random: seededRandom(1), log: silentLogger }

function target(path: string, podIP: string): unknown {
  const registry = {
    get: (kind: unknown) =>
      kind === pod
        ? {
            metadata: { name: "p" },
            spec: { containers: [{ name: "a", ports: [{ containerPort: 8080 }] }] },
            status: { podIP },
          }
        : kind === node
          ? { status: { addresses: [{ type: "InternalIP", address: "192.0.2.7" }] } }
          : undefined,
    list: () => [],
  } as unknown as Registry
  return proxyTarget(
    env,
    registry,
    new KubeletClient(registry, undefined),
    parseRequestInfo("GET", path, new URLSearchParams()),
  )
}

describe("proxyTarget", () => {
  it("finds pods, with and without scheme and port", () => {
    const base = "/api/v1/namespaces/default/pods"
    assert.deepEqual(target(`${base}/p/proxy/x`, "10.0.0.9"), {
      kubelet: false,
      tls: false,
      host: "10.0.0.9",
      port: 8080,
    })
    assert.deepEqual(target(`${base}/https:p:8443/proxy/x`, "10.0.0.9"), {
      kubelet: false,
      tls: true,
      host: "10.0.0.9",
      port: 8443,
    })
  })

  it("leads nodes to their kubelet", () => {
    assert.deepEqual(target("/api/v1/nodes/n1/proxy/stats", ""), {
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
    "localhost",
  ]) {
    it(`refuses ${address || "no address"}`, () => {
      assert.throws(() => target("/api/v1/namespaces/default/pods/p/proxy/", address), {
        message: "address not allowed",
      })
    })
  }

  it("refuses names that are none", () => {
    assert.throws(
      () => target("/api/v1/namespaces/default/pods/ftp:p:1/proxy/", "10.0.0.9"),
      /invalid pod request/,
    )
  })
})
