import assert from "node:assert/strict"
import { generateKeyPairSync } from "node:crypto"
import { test } from "node:test"
import { field, fieldErrorMessage } from "@knarr/apimachinery"
import {
  createCA,
  createCertificateRequest,
  createPrivateKeyPem,
  issueCertificate,
  parseCertificateRequest,
  readPem,
} from "@knarr/base"
import { clusterTrustBundle } from "./clustertrustbundle.kind.ts"
import { podCertificateRequest } from "./podcertificaterequest.kind.ts"
import type { ClusterTrustBundle, PodCertificateRequest } from "./types.gen.ts"

const notBeforeMs = Date.UTC(2026, 0, 1)
const hours = (n: number): number => notBeforeMs + n * 3_600_000
const serial = new Uint8Array(16).fill(7)
const caOf = (commonName: string): ReturnType<typeof createCA> =>
  createCA({ subject: { commonName }, serial, notBeforeMs, notAfterMs: hours(9999) })
const ca = caOf("ca")
const leafOf = (options: object = {}): string =>
  issueCertificate(ca, {
    subject: { commonName: "leaf" },
    serial,
    notBeforeMs,
    notAfterMs: hours(2),
    ...options,
  }).cert

const bundleOf = (name: string, trustBundle: string, signerName?: string): ClusterTrustBundle =>
  ({ metadata: { name }, spec: { trustBundle, signerName } }) as ClusterTrustBundle

test("a trust bundle is named by its signer and holds authorities alone", () => {
  const entry = 'spec.trustBundle: Invalid value: "<value omitted>": '
  for (const [bundle, expected] of [
    [bundleOf("a", ca.cert), []],
    [bundleOf("example.com:s:a", ca.cert, "example.com/s"), []],
    [
      bundleOf("a", ca.cert, "example.com/s"),
      [
        'metadata.name: Invalid value: "a": ClusterTrustBundle for signerName example.com/s must be named with prefix example.com:s:',
      ],
    ],
    [
      bundleOf("example.com:s:a", ca.cert, "example.com/t"),
      [
        'metadata.name: Invalid value: "example.com:s:a": ClusterTrustBundle for signerName example.com/t must be named with prefix example.com:t:',
      ],
    ],
    [
      bundleOf("b:a", ca.cert),
      [
        'metadata.name: Invalid value: "b:a": ClusterTrustBundle without signer name must not have ":" in its name',
      ],
    ],
    [bundleOf("a", ""), [`${entry}at least one trust anchor must be provided`]],
    [bundleOf("a", ca.cert + ca.cert), [`${entry}duplicate trust anchor (indices [0 1])`]],
    [bundleOf("a", ca.cert + leafOf()), [`${entry}entry 1 does not have the CA bit set`]],
    [bundleOf("a", ca.key), [`${entry}entry 0 has bad block type: PRIVATE KEY`]],
    [
      bundleOf("a", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
      [`${entry}entry 0 does not parse as X.509`],
    ],
    [bundleOf("a", ca.cert.replace("\n", "\nK: v\n\n")), [`${entry}entry 0 has PEM block headers`]],
  ] as const)
    assert.deepEqual(
      [
        ...clusterTrustBundle.validateName!(bundle.metadata.name, false, bundle).map((why) =>
          field.invalid("metadata.name", bundle.metadata.name, why),
        ),
        ...clusterTrustBundle.validate!(bundle),
      ].map(fieldErrorMessage),
      expected,
    )
  const before = bundleOf("example.com:s:a", ca.cert, "example.com/s")
  for (const signerName of ["", undefined, "example.com/t"])
    assert.equal(
      clusterTrustBundle.validateUpdate!(bundleOf("example.com:s:a", ca.cert, signerName), before).length,
      1,
    )
})

const pemBytes = (pem: string): Buffer => readPem(pem)[0]!.bytes
const key = createPrivateKeyPem()
const stub = pemBytes(createCertificateRequest({ commonName: "" }, key))
const publicKey = parseCertificateRequest(stub).publicKey
const small = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
  type: "pkcs8",
  format: "pem",
})

const requestOf = (spec: object = {}, status: object = {}): PodCertificateRequest =>
  ({
    metadata: { name: "r", namespace: "n" },
    spec: {
      signerName: "example.com/s",
      podName: "p",
      podUID: "1",
      serviceAccountName: "s",
      serviceAccountUID: "2",
      nodeName: "n",
      nodeUID: "3",
      maxExpirationSeconds: 86_400,
      stubPKCS10Request: stub.toString("base64"),
      ...spec,
    },
    status,
  }) as PodCertificateRequest

test("a pod's certificate is asked for with a good key, for a known pod, account and node", () => {
  const forged = Buffer.from(stub)
  forged[forged.length - 1]! ^= 1
  for (const [spec, expected] of [
    [{}, []],
    [{ podName: "P" }, [/^spec.podName: Invalid value: "P"/]],
    [{ podUID: "" }, [/^spec.podUID: Invalid value: "": must not be empty/]],
    [{ nodeUID: "x".repeat(129) }, [/^spec.nodeUID: Too long: may not be more than 128 bytes/]],
    [{ signerName: "x" }, [/^spec.signerName: Invalid value: "x"/]],
    [{ maxExpirationSeconds: undefined }, [/^spec.maxExpirationSeconds: Required value: must be set/]],
    [{ maxExpirationSeconds: 3599 }, [/must be in the range \[3600, 7862400\]/]],
    [{ maxExpirationSeconds: 90_000 }, []],
    [
      { maxExpirationSeconds: 90_000, signerName: "kubernetes.io/s" },
      [/must be in the range \[3600, 86400\]/],
    ],
    [{ stubPKCS10Request: "" }, [/exactly one of/]],
    [{ stubPKCS10Request: "AAAA" }, [/^spec.stubPKCS10Request: Invalid value: must be a valid PKCS#10 CSR/]],
    [
      { stubPKCS10Request: forged.toString("base64") },
      [/^spec.stubPKCS10Request: Invalid value: invalid signature/],
    ],
    [
      {
        stubPKCS10Request: pemBytes(createCertificateRequest({ commonName: "" }, small as string)).toString(
          "base64",
        ),
      },
      [/2048-bit modulus": RSA keys must have modulus size 3072 or 4096/],
    ],
    [{ unverifiedUserAnnotations: { plain: "v" } }, [/must be a domain-prefixed key/]],
    [{ unverifiedUserAnnotations: { "a.example.com/k": "v" } }, []],
  ] as const) {
    const found = podCertificateRequest.validate!(requestOf(spec)).map(fieldErrorMessage)
    assert.equal(found.length, expected.length, JSON.stringify(found))
    expected.forEach((pattern, i) => assert.match(found[i]!, pattern))
  }
  assert.equal(podCertificateRequest.validateUpdate!(requestOf({ podName: "q" }), requestOf()).length, 1)
})

test("a pod's certificate is issued once, to the key that asked", () => {
  const condition = (type: string, status = "True"): object => ({
    type,
    status,
    reason: "R",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  })
  const times = {
    notBefore: "2026-01-01T00:00:00Z",
    notAfter: "2026-01-01T02:00:00Z",
    beginRefreshAt: "2026-01-01T01:00:00Z",
  }
  const issued = (certificateChain: string, more: object = {}): object => ({
    conditions: [condition("Issued")],
    certificateChain,
    ...times,
    ...more,
  })
  const good = leafOf({ publicKey })
  for (const [what, status, expected, old] of [
    ["good", issued(good), undefined],
    ["with its authority", issued(good + ca.cert), undefined],
    ["denied", { conditions: [condition("Denied")] }, undefined],
    ["another key", issued(leafOf()), /not issued to the requested public key/],
    ["no certificate", issued(""), /must contain at least one certificate/],
    ["a key", issued(ca.key), /must consist entirely of CERTIFICATE/],
    [
      "no times",
      { conditions: [condition("Issued")], certificateChain: good },
      /status.notBefore: Required value/,
    ],
    ["a wrong time", issued(good, { notAfter: "2026-01-01T03:00:00Z" }), /must be set to the NotAfter time/],
    ["a late refresh", issued(good, { beginRefreshAt: "2026-01-01T01:55:00Z" }), /10 minutes before/],
    [
      "too short",
      issued(leafOf({ publicKey, notAfterMs: hours(0.5) }), { notAfter: "2026-01-01T00:30:00Z" }),
      /Invalid value: 1800000000000: leaf certificate lifetime must be >= 1 hour/,
    ],
    [
      "too long",
      issued(leafOf({ publicKey, notAfterMs: hours(48) }), { notAfter: "2026-01-03T00:00:00Z" }),
      /<= spec.maxExpirationSeconds/,
    ],
    [
      "too old",
      issued(leafOf({ publicKey, notBeforeMs: hours(0) - 1000 }), { notBefore: "2025-12-31T23:59:59Z" }),
      /status.notBefore: Invalid value: "2025-12-31T23:59:59Z": must be set to within 5 minutes of/,
    ],
    [
      "names that are none",
      issued(leafOf({ publicKey, dnsNames: ["a..b", ".c", "d.", "e"] })),
      /"a\.\.b": .*not contain '\.\.'; .*"\.c": .*start or end with '\.'; .*"d\.": .*start or end/,
    ],
    ["two answers", { conditions: [condition("Issued"), condition("Denied")] }, /at most one condition/],
    ["an unknown answer", { conditions: [condition("X")] }, /Unsupported value: "X"/],
    ["not true", { conditions: [condition("Issued", "False")] }, /Unsupported value: "False"/],
    [
      "denied with a certificate",
      { ...issued(good), conditions: [condition("Denied")] },
      /must be empty when denying/,
    ],
    ["a certificate alone", { certificateChain: good }, /status is immutable unless transitioning/],
    [
      "after it was denied",
      issued(good),
      /immutable after PodCertificateRequest/,
      { conditions: [condition("Denied")] },
    ],
  ] as const) {
    const found = podCertificateRequest.validateStatusUpdate!(
      requestOf({}, status),
      requestOf({}, old),
      Date.parse("2026-01-01T00:05:00Z"),
    )
    const text = found.map(fieldErrorMessage).join("; ")
    if (expected === undefined) assert.equal(text, "", what)
    else assert.match(text, expected, what)
  }
})
