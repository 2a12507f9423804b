import assert from "node:assert/strict"
import { test } from "node:test"
import { createCertificateRequest, createPrivateKeyPem, parseCertificateRequest, readPem } from "./index.ts"

/** Requests for `O=system:masters, CN=eve`, the organisation as each type of string. */
const requests: Readonly<Record<string, string>> = {
  utf8: "MIHiMIGJAgEAMCcxFzAVBgNVBAoMDnN5c3RlbTptYXN0ZXJzMQwwCgYDVQQDDANldmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASj+LsH90ZsKyK1UJQJvU1/ylY/eI+k7iLeWxVt41V60GC7OeHL318IfF85D1fQBe17jexZBV++H0Xpk1KnhDKToAAwCgYIKoZIzj0EAwIDSAAwRQIgICQvUnq0T2DImrBQQQTNVg09DVg4erl/rhkNJCHF5RoCIQDWEy72NsKFj4VSt/xA6+Ga+gglFYNIO+cjYUksBy38Kw==",
  printable:
    "MIHiMIGJAgEAMCcxFzAVBgNVBAoTDnN5c3RlbTptYXN0ZXJzMQwwCgYDVQQDDANldmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASj+LsH90ZsKyK1UJQJvU1/ylY/eI+k7iLeWxVt41V60GC7OeHL318IfF85D1fQBe17jexZBV++H0Xpk1KnhDKToAAwCgYIKoZIzj0EAwIDSAAwRQIgQ+YXwwCslZwOkdfAmzDtC22V+NVsJmflTzohW4YkvzwCIQDMCnMKJUAYUFtPr9F4088Os4jfRgbCQVG6otjWoU6Uiw==",
  t61: "MIHiMIGJAgEAMCcxFzAVBgNVBAoUDnN5c3RlbTptYXN0ZXJzMQwwCgYDVQQDDANldmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASj+LsH90ZsKyK1UJQJvU1/ylY/eI+k7iLeWxVt41V60GC7OeHL318IfF85D1fQBe17jexZBV++H0Xpk1KnhDKToAAwCgYIKoZIzj0EAwIDSAAwRQIgbOf0U5NSCQzxEe/JNdNO5mfbVJcjiSXLkfabuLBLG2cCIQC4yiENZOCQyGrvPxhrKwMtu5khxcdw7WNBofuPewMq7g==",
  ia5: "MIHjMIGJAgEAMCcxFzAVBgNVBAoWDnN5c3RlbTptYXN0ZXJzMQwwCgYDVQQDDANldmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASj+LsH90ZsKyK1UJQJvU1/ylY/eI+k7iLeWxVt41V60GC7OeHL318IfF85D1fQBe17jexZBV++H0Xpk1KnhDKToAAwCgYIKoZIzj0EAwIDSQAwRgIhAK3D9yDQ7VdajzGTZ6GZfbqT8/+B6IHOErhhmCToz1NiAiEAuh6lJNKLBmrFnt4bCaqNFWy6H81sROYvdr97C0IJa6k=",
  bmp: "MIHwMIGXAgEAMDUxJTAjBgNVBAoeHABzAHkAcwB0AGUAbQA6AG0AYQBzAHQAZQByAHMxDDAKBgNVBAMMA2V2ZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKP4uwf3RmwrIrVQlAm9TX/KVj94j6TuIt5bFW3jVXrQYLs54cvfXwh8XzkPV9AF7XuN7FkFX74fRemTUqeEMpOgADAKBggqhkjOPQQDAgNIADBFAiAU6Gme8ApLCxOg21tClcZC5YjIS2K6s9srW9KI5BSWdgIhAPXsJ7cwT/1LZ0FJC0pONp57V0gRlmGt82RW+5sIsjxh",
  universal:
    "MIIBDDCBswIBADBRMUEwPwYDVQQKHDgAAABzAAAAeQAAAHMAAAB0AAAAZQAAAG0AAAA6AAAAbQAAAGEAAABzAAAAdAAAAGUAAAByAAAAczEMMAoGA1UEAwwDZXZlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEo/i7B/dGbCsitVCUCb1Nf8pWP3iPpO4i3lsVbeNVetBguznhy99fCHxfOQ9X0AXte43sWQVfvh9F6ZNSp4Qyk6AAMAoGCCqGSM49BAMCA0gAMEUCIQDwG6F57b8hfpVSIEGKUsQ7PciI+YbDneUkZYmCwVyLRgIgaQOdjK43AQsdeOr8Q3V4LUbtc8C/FP7fnPas3hx2eUY=",
}

for (const [type, der] of Object.entries(requests)) {
  test(`an organisation as ${type} string is read`, () => {
    const request = parseCertificateRequest(Buffer.from(der, "base64"))
    assert.deepEqual(request.organizations, ["system:masters"])
    assert.equal(request.commonName, "eve")
    assert.equal(request.signatureProblem(), undefined)
  })
}

const made = readPem(
  createCertificateRequest({ commonName: "a", organizations: ["b", "c"] }, createPrivateKeyPem()),
)[0]!

test("a request that is made here is read here", () => {
  assert.equal(made.type, "CERTIFICATE REQUEST")
  const request = parseCertificateRequest(made.bytes)
  assert.deepEqual([request.commonName, ...request.organizations], ["a", "b", "c"])
  assert.equal(request.signatureProblem(), undefined)
})

test("a request that was changed is not its key's", () => {
  const bytes = Buffer.from(made.bytes)
  const at = bytes.lastIndexOf(Buffer.from([0x0c, 0x01, 0x62])) + 2
  bytes[at] = 0x7a
  const request = parseCertificateRequest(bytes)
  assert.deepEqual(request.organizations, ["z", "c"])
  assert.equal(request.signatureProblem(), "x509: ECDSA verification failure")
})

test("bytes that are cut off or changed anywhere give an error or a request, never anything else", () => {
  for (let length = 0; length < made.bytes.length; length++)
    assert.throws(() => parseCertificateRequest(made.bytes.subarray(0, length)), Error, `${length} bytes`)
  for (let at = 0; at < made.bytes.length; at++) {
    for (const value of [0, 0x30, 0x7f, 0x80, 0x84, 0xff]) {
      const bytes = Buffer.from(made.bytes)
      bytes[at] = value
      try {
        parseCertificateRequest(bytes).signatureProblem()
      } catch (thrown) {
        assert.ok(thrown instanceof Error)
      }
    }
  }
})

test("PEM blocks are found among other text, without an end they are not", () => {
  const text = "hello\n-----BEGIN A-----\nK: v\n\nAAAA\n-----END A-----\n-----BEGIN B-----\nAAAA\n"
  assert.deepEqual(
    readPem(text).map(({ type, headers, bytes }) => [type, headers, bytes.length]),
    [["A", ["K: v"], 3]],
  )
})
