import assert from "node:assert/strict"
import { createPrivateKey, createPublicKey } from "node:crypto"
import { test } from "node:test"
import { setImmediate } from "node:timers/promises"
import {
  clusterTrustBundle,
  node as nodeKind,
  podCertificateRequest,
  type Pod,
  type PodCertificateRequest,
} from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { createCA, issueCertificate, parseCertificateRequest, readPem } from "@knarr/base"
import { createEventRecorder, createInformerFactory } from "@knarr/client"
import { withPlane, type TestPlane } from "../status/plane.test.ts"
import { PodCertificates } from "./pod-certificates.ts"
import { generateKey } from "./pod-keys.ts"
import { createObjectReader, type ObjectChange, type PodObjectReader } from "./object-reader.ts"

const never = new AbortController().signal
const day = 86_400_000
const hour = 3_600_000

function caAt(nowMs: number) {
  const subject = { commonName: "ca" }
  return createCA({
    ...{ subject, serial: Buffer.alloc(16, 1), notBeforeMs: nowMs - 1000, notAfterMs: nowMs + 400 * day },
  })
}

/** What a signer does: one condition, and for `Issued` the certificate. */
async function decide(
  { client, clock }: TestPlane,
  request: PodCertificateRequest,
  type: "Issued" | "Denied" | "Failed",
): Promise<void> {
  const now = Math.floor(clock.now() / 1000) * 1000
  const { publicKey } = parseCertificateRequest(Buffer.from(request.spec.stubPKCS10Request!, "base64"))
  const { cert } = issueCertificate(caAt(now), {
    ...{ subject: { commonName: "pod" }, serial: Buffer.alloc(16, 2), publicKey },
    ...{ notBeforeMs: now, notAfterMs: now + day, usages: ["clientAuth"] },
  })
  const times = { notBefore: now, notAfter: now + day, beginRefreshAt: now + 12 * hour }
  const issued = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, formatTime(ms)]))
  const condition = { type, status: "True", reason: "Because", message: 'a "reason"' }
  const status = {
    conditions: [{ ...condition, lastTransitionTime: formatTime(now) }],
    ...(type === "Issued" ? { ...issued, certificateChain: `a word before\n${cert}` } : {}),
  }
  const { namespace, name } = request.metadata
  await client.patch(
    podCertificateRequest,
    { namespace, name },
    "merge",
    { status },
    { subresource: "status" },
  )
}

interface Kubelet extends TestPlane {
  readonly reader: PodObjectReader
  readonly pod: Pod
  readonly changes: readonly ObjectChange[]
  requests(): Promise<readonly PodCertificateRequest[]>
}

/** A pod that asks for one certificate, of a reader with the rights of its node. */
function withPod(keyType: string, run: (kubelet: Kubelet) => Promise<void>): Promise<void> {
  return withPlane(async (plane) => {
    const { env, scope, client, nodeClient, createPod } = plane
    const node = await client.create(nodeKind, { metadata: { name: "n1" } } as never)
    const projection = { signerName: "example.com/s", keyType, credentialBundlePath: "bundle.pem" }
    const sources = [{ configMap: { name: "none" } }, { podCertificate: projection }]
    const pod = await createPod({ volumes: [{ name: "v", projected: { sources } }] })
    const events = createEventRecorder({ client: nodeClient, scope, env, component: "kubelet", host: "n1" })
    const reader = createObjectReader({
      ...{ env, scope, client: nodeClient },
      node: { name: "n1", uid: () => node.metadata.uid, events },
    })
    const changes: ObjectChange[] = []
    scope.use(reader.onChange((change) => changes.push(change)))
    reader.registerPod(pod)
    reader.registerPod(pod)
    const requests = async () => (await client.list(podCertificateRequest, {})).items
    await plane.until("a request", async () => (await requests()).length === 1)
    await run({ ...plane, reader, pod, changes, requests })
  })
}

for (const keyType of ["RSA3072", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"])
  test(`a pod gets the certificate for a key of its own, of type ${keyType}`, () =>
    withPod(keyType, async (kubelet) => {
      const { reader, pod, until, requests } = kubelet
      const [request] = await requests()
      assert.deepEqual(
        [request!.spec.podUID, request!.spec.nodeName, request!.spec.serviceAccountName],
        [pod.metadata.uid, "n1", "default"],
      )
      assert.equal(request!.metadata.ownerReferences?.[0]?.uid, pod.metadata.uid)
      await decide(kubelet, request!, "Issued")
      const got = reader.podCertificate(pod, "v", 1, never)
      await until("the certificate", () => kubelet.changes.length > 0)
      assert.deepEqual(kubelet.changes, [{ kind: "certificate", podUid: pod.metadata.uid }])
      const { key, chain } = await got
      assert.match(chain, /^-----BEGIN CERTIFICATE-----\n/)
      const { publicKey } = parseCertificateRequest(Buffer.from(request!.spec.stubPKCS10Request!, "base64"))
      assert.ok(createPublicKey(createPrivateKey(key)).equals(publicKey))
    }))

test("a certificate is renewed within its life, and the old one serves until then", () =>
  withPod("ED25519", async (kubelet) => {
    const { reader, pod, clock, until, requests } = kubelet
    await decide(kubelet, (await requests())[0]!, "Issued")
    await until("the certificate", () => kubelet.changes.length === 1)
    const first = await reader.podCertificate(pod, "v", 1, never)
    await clock.advance(12 * hour + 5 * 60_000)
    await until("the next request", async () => (await requests()).length === 2)
    assert.deepEqual(await reader.podCertificate(pod, "v", 1, never), first)
    const next = (await requests()).find(({ status }) => !status.conditions)
    await decide(kubelet, next!, "Issued")
    await until("the next certificate", () => kubelet.changes.length === 2)
    assert.notEqual((await reader.podCertificate(pod, "v", 1, never)).key, first.key)
  }))

for (const [type, state] of [
  ["Denied", "denied"],
  ["Failed", "failed"],
] as const)
  test(`a request that was ${state} is not made again`, () =>
    withPod("ED25519", async (kubelet) => {
      const { reader, pod, clock, until, requests } = kubelet
      await decide(kubelet, (await requests())[0]!, type)
      await until("the decision", () => kubelet.changes.length === 1)
      await assert.rejects(reader.podCertificate(pod, "v", 1, never), {
        message: `PodCertificateRequest was permanently ${state}: reason="Because" message="a \\"reason\\""`,
      })
      await clock.advance(hour)
      assert.equal((await requests()).length, 1)
    }))

test("a request that is taken away is made again; until it is answered a pod waits a moment and is told", () =>
  withPod("ED25519", async ({ reader, pod, client, clock, until, requests }) => {
    const [first] = await requests()
    const { namespace, name } = first!.metadata
    const told = assert.rejects(reader.podCertificate(pod, "v", 1, never), {
      message: "credential bundle is not issued yet",
    })
    await clock.advance(2000)
    await told
    await client.delete(podCertificateRequest, { namespace, name })
    await until("another request", async () => (await requests()).some((one) => one.metadata.name !== name))
    reader.unregisterPod(pod.metadata.uid)
    await assert.rejects(reader.podCertificate(pod, "v", 1, never), { message: "no credentials yet" })
  }))

test("keys are made one after another, and once however often a request fails", () =>
  withPlane(async ({ env, scope, client, nodeClient, createPod, clock }) => {
    const keyPath = "k"
    const projection = { podCertificate: { signerName: "example.com/s", keyType: "ED25519", keyPath } }
    const volume = (name: string) => ({ name, projected: { sources: [projection] } })
    const pod = await createPod({ volumes: ["a", "b", "c", "d"].map(volume) })
    const making = { now: 0, most: 0, all: 0 }
    let uid: string | undefined
    const certificates = new PodCertificates({
      ...{
        env,
        scope,
        client: nodeClient,
        informers: createInformerFactory({ client: nodeClient, scope, env }),
      },
      node: { name: "n1", uid: () => uid, events: { event() {} } },
      onIssued() {},
      async makeKey(type) {
        making.all++
        making.most = Math.max(making.most, ++making.now)
        await setImmediate()
        making.now--
        return await generateKey(type)
      },
    })
    certificates.register(pod)
    await clock.advance(60_000)
    assert.equal(making.all, 0, "without the node there is nothing to ask for")
    // Not the node's: what it asks for is refused.
    uid = "another"
    await client.create(nodeKind, { metadata: { name: "n1" } } as never)
    await clock.advance(3_600_000)
    assert.deepEqual(making, { now: 0, most: 1, all: 4 })
    assert.equal((await client.list(podCertificateRequest, {})).items.length, 0)
  }))

test("trust bundles are shown by name and by signer, each certificate once, in an order that stays", () =>
  withPlane(async (plane) => {
    const { env, scope, client, nodeClient, createPod, until } = plane
    const [one, two] = [caAt(env.clock.now()).cert, caAt(env.clock.now()).cert]
    const create = (name: string, signerName: string | undefined, trustBundle: string, labels = {}) =>
      client.create(clusterTrustBundle, {
        metadata: { name, labels },
        spec: { ...(signerName === undefined ? {} : { signerName }), trustBundle },
      } as never)
    await create("plain", undefined, one)
    await create("example.com:s:a", "example.com/s", `${one}${two}`, { a: "1" })
    await create("example.com:s:b", "example.com/s", two, { b: "1" })
    const reader = createObjectReader({ env, scope, client: nodeClient })
    const changes: ObjectChange[] = []
    scope.use(reader.onChange((change) => changes.push(change)))
    const sources = [{ clusterTrustBundle: { name: "plain", path: "p" } }]
    const pod = await createPod({ volumes: [{ name: "v", projected: { sources } }] })
    reader.registerPod(pod)
    const anchors = (projection: object) => reader.trustAnchors({ path: "p", ...projection }, never)
    const bytes = (text: string) =>
      readPem(text)
        .map((block) => block.bytes.toString("base64"))
        .sort()
    await until("the bundles", async () => (await anchors({ name: "plain" })) === one)
    const signer = { signerName: "example.com/s" }
    const all = await anchors({ ...signer, labelSelector: {} })
    assert.deepEqual(bytes(all), bytes(one + two))
    assert.equal(await anchors({ ...signer, labelSelector: {} }), all)
    assert.deepEqual(
      bytes(await anchors({ ...signer, labelSelector: { matchLabels: { b: "1" } } })),
      bytes(two),
    )
    const none = "combination of signerName and labelSelector matched zero ClusterTrustBundles"
    await assert.rejects(anchors(signer), { message: none })
    await assert.rejects(anchors({ signerName: "example.com/o", labelSelector: {} }), { message: none })
    assert.equal(await anchors({ ...signer, optional: true }), "")
    await assert.rejects(anchors({ name: "no" }), {
      message: 'while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "no" not found',
    })
    assert.equal(await anchors({ name: "no", optional: true }), "")
    await client.delete(clusterTrustBundle, { name: "plain" })
    await until("the change", () => changes.some(({ kind }) => kind === "trustBundle"))
    reader.unregisterPod(pod.metadata.uid)
    await assert.rejects(anchors({ name: "plain" }), /has not yet synced/)
  }))
