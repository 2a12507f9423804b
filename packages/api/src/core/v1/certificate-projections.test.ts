import assert from "node:assert/strict"
import { test } from "node:test"
import { applySchemaDefaults, decodeObject, fieldErrorMessage } from "@knarr/apimachinery"
import { pod, type Pod, type VolumeProjection } from "../../index.ts"

const certificate = { signerName: "example.com/s", keyType: "ED25519", keyPath: "key" }
const bundle = { path: "p" }
const at = "spec.volumes[0].projected.sources[0]"

// The texts are what the published API server answers.
const table: readonly [what: string, source: VolumeProjection, problems: readonly string[]][] = [
  ["a certificate", { podCertificate: { ...certificate, maxExpirationSeconds: 7862400 } }, []],
  [
    "one for too long",
    { podCertificate: { ...certificate, maxExpirationSeconds: 7862401 } },
    [
      `${at}.podCertificate.maxExpirationSeconds: Invalid value: 7862401: if provided, maxExpirationSeconds must be <= 7862400`,
    ],
  ],
  [
    "one of Kubernetes itself for too long",
    { podCertificate: { ...certificate, signerName: "kubernetes.io/s", maxExpirationSeconds: 86401 } },
    [
      `${at}.podCertificate.maxExpirationSeconds: Invalid value: 86401: if provided, maxExpirationSeconds must be <= 86400`,
    ],
  ],
  [
    "one for too short",
    { podCertificate: { ...certificate, maxExpirationSeconds: 3599 } },
    [
      `${at}.podCertificate.maxExpirationSeconds: Invalid value: 3599: if provided, maxExpirationSeconds must be >= 3600`,
    ],
  ],
  [
    "a signer without a domain",
    { podCertificate: { ...certificate, signerName: "s" } },
    [
      `${at}.podCertificate.signerName: Invalid value: "s": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
    ],
  ],
  [
    "annotations without a domain",
    { podCertificate: { ...certificate, userAnnotations: { plain: "1" } } },
    [
      `${at}.podCertificate.userAnnotations: Invalid value: "plain": must be a domain-prefixed key (such as "acme.io/foo")`,
    ],
  ],
  [
    "a certificate at no path",
    { podCertificate: { signerName: "example.com/s", keyType: "ED25519" } },
    [
      `${at}.podCertificate: Required value: specify at least one of credentialBundlePath, keyPath, and certificateChainPath`,
    ],
  ],
  [
    "a path twice",
    { podCertificate: { ...certificate, certificateChainPath: "key" } },
    ['spec.volumes[0].projected: Invalid value: "key": conflicting duplicate paths'],
  ],
  ["a bundle by its name", { clusterTrustBundle: { ...bundle, name: "b" } }, []],
  ["a bundle of a signer by its name", { clusterTrustBundle: { ...bundle, name: "example.com:s:b" } }, []],
  [
    "a name that is none",
    { clusterTrustBundle: { ...bundle, name: "example.com:s:B" } },
    [
      `${at}.clusterTrustBundle.name: Invalid value: "example.com:s:B": not a valid clustertrustbundlename: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
  ],
  [
    "a signer that is none",
    { clusterTrustBundle: { ...bundle, signerName: "s" } },
    [
      `${at}.clusterTrustBundle.signerName: Invalid value: "s": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
    ],
  ],
  [
    "neither",
    { clusterTrustBundle: bundle },
    [`${at}.clusterTrustBundle: Required value: either name or signerName must be specified`],
  ],
]

for (const [what, source, problems] of table)
  test(`volumes ${problems.length > 0 ? "cannot" : "can"} show ${what}`, () => {
    const volumes = [{ name: "v", projected: { sources: [source] } }]
    const spec = { containers: [{ name: "c", image: "i" }], volumes }
    const one = decodeObject<Pod>(pod.schema, {
      ...{ apiVersion: "v1", kind: "Pod", metadata: { namespace: "n", name: "p" }, spec },
    }).object
    applySchemaDefaults(pod.schema, one)
    pod.setDefaults!(one, 0)
    assert.deepEqual(pod.validate!(one).map(fieldErrorMessage), problems)
  })
