import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import type { TLSSocket } from "node:tls"
import { Meter, systemClock } from "@knarr/base"
import { prepareWebhooks } from "../admission/webhook/webhook-configuration.ts"
import type { OutboundTarget } from "../contract.ts"
import { testCertificates } from "../testing.ts"
import { createOutbound } from "./call.ts"

test("each webhook is told who asks by what the kubeconfig has for its host", async (t) => {
  const { ca, server: own, client } = testCertificates()
  const server = createServer(
    { ...own, ca: ca.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate()
      response.end(JSON.stringify([subject?.CN ?? "", request.headers.authorization ?? ""]))
    },
  )
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const dir = mkdtempSync(join(tmpdir(), "knarr-webhook-users-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "kubeconfig")
  const base64 = (text: string): string => Buffer.from(text).toString("base64")
  const { cert, key } = client("knarr")
  const certificate = { "client-certificate-data": base64(cert), "client-key-data": base64(key) }
  const users = [
    { name: "localhost", user: { token: "none" } },
    { name: `localhost:${port}`, user: { token: "exact" } },
    { name: "*.svc", user: certificate },
    { name: "*.a.svc", user: { username: "u", password: "p" } },
    { name: "b.c.svc", user: { token: "without port" } },
    { name: "*", user: { token: "any" } },
  ]
  writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "Config", clusters: [], contexts: [], users }))

  const known = await prepareWebhooks({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "WebhookAdmissionConfiguration",
    kubeConfigFile: file,
  })
  using outbound = createOutbound({
    clock: systemClock,
    meter: new Meter(),
    resolve: () => ({ host: "localhost", port }),
  })
  const call = known.users!.identified(async (target, body, options, signal) =>
    // The certificate is for one name only.
    outbound.call({ url: `https://localhost:${port}/` }, body, { ...options, caBundle: ca.cert }, signal),
  )
  const ask = async (target: OutboundTarget): Promise<unknown> => {
    const { body } = await call(target, "{}", { timeoutMs: 10_000 }, new AbortController().signal)
    return JSON.parse(body.toString())
  }
  const service = (name: string, namespace: string, at?: number): OutboundTarget => ({
    service: { name, namespace, ...(at === undefined ? {} : { port: at }) },
  })
  assert.deepEqual(await ask({ url: `https://localhost:${port}/x` }), ["", "Bearer exact"])
  assert.deepEqual(await ask(service("x", "a")), ["", `Basic ${base64("u:p")}`])
  assert.deepEqual(await ask(service("b", "c")), ["", "Bearer without port"])
  assert.deepEqual(await ask(service("x", "b")), ["knarr", ""])
  assert.deepEqual(await ask(service("b", "c", 8443)), ["", "Bearer any"])
})

test("what a configuration of webhooks asks for in vain is refused", async () => {
  for (const [own, message] of [
    [{ kubeConfigFile: "a/b" }, 'kubeConfigFile: Invalid value: "a/b": must be an absolute file path'],
    [{ staticManifestsDir: "a" }, 'staticManifestsDir: Invalid value: "a": must be an absolute file path'],
  ] as const) {
    const type = { apiVersion: "apiserver.config.k8s.io/v1", kind: "WebhookAdmissionConfiguration" }
    await assert.rejects(prepareWebhooks({ ...type, ...own }), { message })
  }
})
