import assert from "node:assert/strict"
import { test } from "node:test"
import { certificateSigningRequest, pod, podDisruptionBudget, type Pod } from "@knarr/api"
import { isNotFound, isTooManyRequests, statusOf } from "@knarr/apimachinery"
import { startTestRegistry, type TestRegistry } from "../testing.ts"

const ns = "default"
const ref = { namespace: ns, name: "p" }

async function running(t: TestRegistry): Promise<Pod> {
  await t.client.create(pod, {
    metadata: { ...ref, labels: { app: "a" } },
    spec: { nodeName: "n", terminationGracePeriodSeconds: 5, containers: [{ name: "c", image: "i" }] },
  } as never)
  return t.client.patch(
    pod,
    ref,
    "merge",
    { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
    { subresource: "status" },
  )
}

async function budget(t: TestRegistry, status: Record<string, unknown>): Promise<void> {
  const at = { namespace: ns, name: "b" }
  await t.client.create(podDisruptionBudget, {
    metadata: at,
    spec: { minAvailable: 1, selector: { matchLabels: { app: "a" } } },
  } as never)
  await t.client.patch(
    podDisruptionBudget,
    at,
    "merge",
    { status: { observedGeneration: 1, ...status } },
    { subresource: "status" },
  )
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (thrown) {
    return thrown as Error
  }
  throw new assert.AssertionError({ message: "expected a rejection" })
}

test("a pod without a budget is evicted, and says why", async () => {
  await using t = await startTestRegistry()
  await running(t)
  await t.client.createSubresource(pod, ref, "eviction", { metadata: { name: "p" } })
  const going = await t.client.get(pod, ref)
  assert.ok(going.metadata.deletionTimestamp)
  const condition = going.status!.conditions!.find((c) => c.type === "DisruptionTarget")!
  assert.equal(condition.reason, "EvictionByEvictionAPI")
  const missing = await failure(
    t.client.createSubresource(pod, { ...ref, name: "x" }, "eviction", { metadata: { name: "x" } }),
  )
  assert.ok(isNotFound(missing))
})

test("a budget of nothing refuses an eviction", async () => {
  await using t = await startTestRegistry()
  await running(t)
  await budget(t, { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 })
  const error = await failure(t.client.createSubresource(pod, ref, "eviction", { metadata: { name: "p" } }))
  assert.ok(isTooManyRequests(error))
  assert.equal(error.message, "Cannot evict pod as it would violate the pod's disruption budget.")
  assert.deepEqual(statusOf(error)!.details!.causes, [
    {
      reason: "DisruptionBudget",
      message: "The disruption budget b needs 1 healthy pods and has 1 currently",
    },
  ])
})

test("an eviction spends the budget", async () => {
  await using t = await startTestRegistry()
  await running(t)
  await budget(t, { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 })
  await t.client.createSubresource(pod, ref, "eviction", { metadata: { name: "p" } }, { dryRun: true })
  assert.equal((await t.client.get(pod, ref)).metadata.deletionTimestamp, undefined)
  await t.client.createSubresource(pod, ref, "eviction", { metadata: { name: "p" } })
  const spent = await t.client.get(podDisruptionBudget, { namespace: ns, name: "b" })
  assert.equal(spent.status!.disruptionsAllowed, 0)
  assert.deepEqual(Object.keys(spent.status!.disruptedPods!), ["p"])
})

test("ephemeral containers are added and stay", async () => {
  await using t = await startTestRegistry()
  await running(t)
  const debug = { name: "d", image: "busybox" }
  const patch = { spec: { ephemeralContainers: [debug], nodeName: "other" } }
  const one = await t.client.patch(pod, ref, "strategic", patch, { subresource: "ephemeralcontainers" })
  assert.equal(one.spec.ephemeralContainers![0]!.name, "d")
  assert.equal(one.spec.nodeName, "n")
  for (const [ephemeralContainers, what] of [
    [[], "removed"],
    [[{ ...debug, image: "other" }], "changed"],
  ] as const) {
    const body = { spec: { ephemeralContainers } }
    const change = t.client.patch(pod, ref, "merge", body, { subresource: "ephemeralcontainers" })
    const error = await failure(change)
    assert.ok(error.message.includes(`existing ephemeral containers "d" may not be ${what}`), error.message)
  }
})

test("a resize changes resources alone", async () => {
  await using t = await startTestRegistry()
  await running(t)
  const resources = { requests: { cpu: "1" } }
  const error = await failure(
    t.client.patch(
      pod,
      ref,
      "strategic",
      { spec: { containers: [{ name: "c", resources }] } },
      { subresource: "resize" },
    ),
  )
  assert.match(error.message, /Pod QOS Class may not change as a result of resizing|QOS/)
})

const csr =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISk1IRUNBUUF3RHpFTk1Bc0dBMVVFQXd3RWRHVnpkREJa" +
  "TUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSApBMElBQk9tWC9ZUG0vVnMyQ0pIcEcyblB2cElna0M1OUlXOXhuWXlVRlFL" +
  "VEVYV1gwMHJtVDJzRVdIS3AvakEzClhsUHRuS3NSZ2Fmb3ozMVp4WDFLU2Y1OVNwQ2dBREFLQmdncWhrak9QUVFEQWdOSUFE" +
  "QkZBaUFEOE5Da1VoVVQKcXc2SWsvZGNxbFVNSExDQ1pVVzlZRWhmZjdjUkllQ0Q4Z0loQUtrK3lNblZWMEt1M3NpcC9GdnR2" +
  "SG1PRXN4MAo0dlNTdTYyUnFJZTN3ci9RCi0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo="

test("approval changes its own conditions alone", async () => {
  await using t = await startTestRegistry()
  const at = { name: "csr" }
  await t.client.create(certificateSigningRequest, {
    metadata: at,
    spec: { request: csr, signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"] },
  } as never)
  const status = { certificate: "eA==", conditions: [{ type: "Approved", status: "True", reason: "ok" }] }
  const approved = await t.client.patch(
    certificateSigningRequest,
    at,
    "merge",
    { status },
    { subresource: "approval" },
  )
  assert.equal(approved.status!.certificate, undefined)
  assert.deepEqual(
    approved.status!.conditions!.map((c) => [c.type, c.lastTransitionTime]),
    [["Approved", "2026-01-01T00:00:00Z"]],
  )
})
