import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { test } from "node:test"
import { connect } from "node:tls"
import { issueCertificate } from "@knarr/base"
import { testCertificates, testEnv } from "../testing.ts"
import { listen, type ListenerOptions } from "./listener.ts"
import { respondText } from "./respond.ts"

const { ca, server } = testCertificates()
const named = issueCertificate(ca, {
  subject: { commonName: "named" },
  dnsNames: ["*.example.com"],
  serial: randomBytes(16),
  notBeforeMs: Date.UTC(2026, 0),
  notAfterMs: Date.UTC(2030, 0),
  usages: ["serverAuth"],
})

type Settings = Pick<ListenerOptions, "tls" | "http2">

/** What handshakes agree on, one after the other. */
async function handshakes(settings: Settings, asked: readonly object[]): Promise<string[]> {
  const listener = await listen({
    ...testEnv,
    ...settings,
    bindAddresses: ["127.0.0.1"],
    port: 0,
    certificates: server,
    onRequest: (exchange) => respondText(exchange, 200, ""),
    takesUpgrade: () => false,
  })
  listener.setNamedCertificates(["*.example.com"], named)
  const one = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ port: listener.port, host: "127.0.0.1", ca: ca.cert, ...options }, () => {
        const { CN } = socket.getPeerCertificate().subject
        resolve(
          `${String(CN)} ${socket.getProtocol()} ${socket.alpnProtocol || "none"} ${socket.getCipher().name}`,
        )
        socket.destroy()
      }).on("error", () => resolve("refused"))
    })
  try {
    const out = []
    for (const options of asked) out.push(await one(options))
    return out
  } finally {
    await listener.close(0)
  }
}

const ALPNProtocols = ["h2", "http/1.1"]
const old = { maxVersion: "TLSv1.2", servername: "localhost" } as const

test("a name has the certificate that is its own", async () => {
  const answers = await handshakes({}, [
    { servername: "a.example.com", ALPNProtocols },
    { servername: "localhost", ALPNProtocols },
  ])
  assert.deepEqual(
    answers.map((answer) => answer.split(" ").slice(0, 3)),
    [
      ["named", "TLSv1.3", "h2"],
      ["kube-apiserver", "TLSv1.3", "h2"],
    ],
  )
})

test("the least version, the ciphers and the protocols are the operator's", async () => {
  assert.deepEqual(await handshakes({ tls: { minVersion: "TLSv1.3" } }, [old]), ["refused"])
  const ciphers = ["TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]
  const [chosen, other, latest] = await handshakes({ tls: { ciphers }, http2: { enabled: false } }, [
    { ...old, ALPNProtocols },
    { ...old, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" },
    { servername: "localhost" },
  ])
  assert.equal(chosen, "kube-apiserver TLSv1.2 http/1.1 ECDHE-ECDSA-AES256-GCM-SHA384")
  assert.equal(other, "refused")
  assert.match(latest!, /^kube-apiserver TLSv1\.3 none TLS_AES_128_GCM_SHA256$/)
})
