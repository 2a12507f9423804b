/** What becomes of requests for certificates; the answers are those of a published cluster. */
import assert from "node:assert/strict"
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import {
  certificateSigningRequest,
  clusterRoleBinding,
  clusterTrustBundle,
  type CertificateSigningRequestSpec,
} from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { createCertificateRequest, createPrivateKeyPem } from "@knarr/base"
import { startCluster, type TestCluster } from "./cluster.ts"

interface Case {
  readonly what: string
  readonly spec: CertificateSigningRequestSpec
  readonly answer: {
    readonly condition?: string
    readonly seconds?: number
    readonly purposes?: readonly string[]
    readonly names?: string | null
  }
}

const vectors = new URL("../testdata/certificates.json", import.meta.url)
const cases = JSON.parse(readFileSync(vectors, "utf8")) as readonly Case[]

async function approve({ client, clock }: TestCluster, name: string): Promise<void> {
  const found = await client.get(certificateSigningRequest, { name })
  // Who made it may have a kubelet's by himself.
  if (found.status.conditions) return
  const condition = {
    type: "Approved",
    status: "True",
    reason: "Test",
    lastUpdateTime: formatTime(clock.now()),
  }
  const status = { ...found.status, conditions: [condition] }
  await client.update(certificateSigningRequest, { ...found, status }, { subresource: "approval" })
}

test("what is approved is signed, or fails for the reason that it has", async () => {
  await using cluster = await startCluster()
  const { client, clock } = cluster
  const names = cases.map((_, at) => `c${at}`)
  for (const [at, { spec }] of cases.entries())
    await client.create(certificateSigningRequest, { metadata: { name: names[at]! }, spec, status: {} })
  await clock.advance(1000)
  for (const name of names) await approve(cluster, name)
  await clock.advance(1000)
  for (const [at, { what, answer }] of cases.entries()) {
    const { status } = await client.get(certificateSigningRequest, { name: names[at]! })
    const other = status.conditions?.find(({ type }) => type !== "Approved")
    const condition = other && `${other.type} ${other.status} ${other.reason} ${other.message}`
    assert.equal(condition, answer.condition, what)
    assert.equal(status.certificate !== undefined, answer.seconds !== undefined, what)
    if (status.certificate === undefined) continue
    const cert = new X509Certificate(Buffer.from(status.certificate, "base64"))
    const seconds = (Date.parse(cert.validTo) - Date.parse(cert.validFrom)) / 1000
    assert.deepEqual(
      { seconds, purposes: cert.keyUsage, names: cert.subjectAltName ?? null },
      { seconds: answer.seconds, purposes: answer.purposes, names: answer.names },
      what,
    )
  }

  // The authority is published, and what was not published by us is taken back.
  const [bundle, ...others] = cluster.list(clusterTrustBundle)
  assert.equal(others.length, 0)
  assert.match(bundle!.metadata.name!, /^kubernetes\.io:kube-apiserver-serving:[0-9a-f]{24}$/)
  const stale = { ...bundle!, metadata: { name: "kubernetes.io:kube-apiserver-serving:old" } }
  await client.create(clusterTrustBundle, stale)
  await clock.advance(1000)
  assert.deepEqual(
    cluster.list(clusterTrustBundle).map(({ metadata }) => metadata.name),
    [bundle!.metadata.name],
  )
})

test("a kubelet's request is approved when whoever asks may have it by himself", async () => {
  await using cluster = await startCluster()
  const { client, clock, plane } = cluster
  const name = "system:node:n1"
  const subject = { commonName: name, organizations: ["system:nodes"] }
  const request = Buffer.from(createCertificateRequest(subject, createPrivateKeyPem())).toString("base64")
  const spec = {
    request,
    signerName: "kubernetes.io/kube-apiserver-client-kubelet",
    usages: ["digital signature", "client auth"],
  }
  const ask = (as: string, called: string): Promise<unknown> =>
    plane
      .client({ name: as, groups: ["system:authenticated"] })
      .create(certificateSigningRequest, { metadata: { name: called }, spec, status: {} })
  const apiGroup = "rbac.authorization.k8s.io"
  const bind = (role: string, kind: string, user: string): Promise<unknown> =>
    client.create(clusterRoleBinding, {
      metadata: { name: `test:${role}` },
      roleRef: { apiGroup, kind: "ClusterRole", name: role },
      subjects: [{ kind, apiGroup, name: user }],
    })
  const messageOf = async (called: string): Promise<string | undefined> => {
    const { status } = await client.get(certificateSigningRequest, { name: called })
    assert.equal(status.certificate !== undefined, status.conditions !== undefined)
    return status.conditions?.[0]?.message
  }
  await bind("system:node-bootstrapper", "Group", "system:authenticated")
  await ask(name, "own")
  await ask("boot", "other")
  await clock.advance(15_000)
  assert.deepEqual([await messageOf("own"), await messageOf("other")], [undefined, undefined])
  await bind("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "User", name)
  await bind("system:certificates.k8s.io:certificatesigningrequests:nodeclient", "User", "boot")
  await clock.advance(15_000)
  assert.deepEqual(
    [await messageOf("own"), await messageOf("other")],
    [
      "Auto approving self kubelet client certificate after SubjectAccessReview.",
      "Auto approving kubelet client certificate after SubjectAccessReview.",
    ],
  )
})
