import assert from "node:assert/strict"
import { X509Certificate, createPrivateKey } from "node:crypto"
import { test } from "node:test"
import { parseCertificateRequest, readPem } from "./certificate-request.ts"
import {
  certifyRequest,
  createCA,
  createCertificateRequest,
  createPrivateKeyPem,
  issueCertificate,
} from "./x509.ts"

const now = Date.UTC(2026, 0, 1)
const serial = Uint8Array.from({ length: 16 }, (_, i) => 200 + i)
const span = { serial, notBeforeMs: now, notAfterMs: now + 365 * 86_400_000 }

test("issueCertificate makes a certificate that its CA verifies", () => {
  const ca = createCA({ subject: { commonName: "test-ca" }, ...span })
  const { cert, key } = issueCertificate(ca, {
    subject: { commonName: "system:node:a", organizations: ["system:nodes", "b"] },
    dnsNames: ["localhost", "kubernetes.default"],
    ipAddresses: ["127.0.0.1", "fd00::1"],
    usages: ["serverAuth", "clientAuth"],
    ...span,
  })
  const authority = new X509Certificate(ca.cert)
  const leaf = new X509Certificate(cert)
  assert.equal(authority.ca, true)
  assert.equal(leaf.ca, false)
  assert.equal(leaf.verify(authority.publicKey), true)
  assert.equal(leaf.checkIssued(authority), true)
  assert.equal(leaf.checkPrivateKey(createPrivateKey(key)), true)
  assert.equal(leaf.subject, "O=system:nodes\nO=b\nCN=system:node:a")
  assert.equal(
    leaf.subjectAltName,
    "DNS:localhost, DNS:kubernetes.default, IP Address:127.0.0.1, IP Address:FD00:0:0:0:0:0:0:1",
  )
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"])
  assert.equal(Date.parse(leaf.validTo), now + 365 * 86_400_000)
})

test("every serial number gives a certificate that can be read", () => {
  const serials = [
    [0, 0, 1],
    [0, 0x80, 1],
    [0x80, 0],
    [0, 0, 0],
    [0x7f, 0xff],
  ]
  for (const bytes of serials) {
    const { cert } = createCA({ subject: { commonName: "a" }, ...span, serial: Uint8Array.from(bytes) })
    const expected = BigInt(`0x${Buffer.from(bytes).toString("hex")}`)
    assert.equal(BigInt(`0x${new X509Certificate(cert).serialNumber}`), expected)
  }
})

test("what somebody asks for is certified as it is, for what it may be used", () => {
  const ca = createCA({ subject: { commonName: "test-ca" }, ...span })
  const names = {
    dnsNames: Array.from({ length: 5000 }, (_, i) => `host-${i}.example.com`),
    emailAddresses: ["a@example.com"],
    ipAddresses: ["10.0.0.1", "fd00::1"],
    uris: ["spiffe://a/b"],
  }
  const pem = createCertificateRequest(
    { commonName: "a", organizations: ["b"] },
    createPrivateKeyPem(),
    names,
  )
  const request = parseCertificateRequest(readPem(pem)[0]!.bytes)
  assert.deepEqual(request.names, { ...names, ipAddresses: ["10.0.0.1", "fd00:0:0:0:0:0:0:1"] })
  const cert = certifyRequest(ca, request, {
    ...span,
    keyUsageBits: [0, 2, 8],
    extendedKeyUsages: ["1.3.6.1.5.5.7.3.1"],
  })
  const leaf = new X509Certificate(cert)
  assert.equal(leaf.verify(new X509Certificate(ca.cert).publicKey), true)
  assert.equal(leaf.publicKey.equals(request.publicKey), true)
  assert.deepEqual([leaf.ca, leaf.subject], [false, "O=b\nCN=a"])
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1"])
  // Key usage: three bytes of which the last uses one bit.
  assert.ok(leaf.raw.includes(Buffer.from("0603551d0f0101ff0405030307a080", "hex")))
  const alternatives = leaf.subjectAltName!.split(", ")
  assert.equal(alternatives.length, 5004)
  assert.deepEqual(alternatives.slice(-4), [
    "email:a@example.com",
    "IP Address:10.0.0.1",
    "IP Address:FD00:0:0:0:0:0:0:1",
    "URI:spiffe://a/b",
  ])
})
