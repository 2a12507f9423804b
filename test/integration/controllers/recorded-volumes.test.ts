/** What the published kube-controller-manager made of some volumes and claims, step by step: recorded, and made again here. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { event, persistentVolume, persistentVolumeClaim, pod, storageClass } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import { startCluster, type TestCluster } from "./cluster.ts"

type Json = any
interface Step {
  readonly create?: readonly Json[]
  readonly delete?: readonly (readonly [plural: string, name: string])[]
  /** Whose finalizers go. */
  readonly unkeep?: readonly (readonly [plural: string, name: string])[]
  /** Pods that end in a phase. */
  readonly finish?: readonly (readonly [name: string, phase: string])[]
  readonly settle?: number
}
const file = new URL("../testdata/persistent-volumes.json", import.meta.url)
const recorded = JSON.parse(readFileSync(file, "utf8")) as {
  steps: readonly Step[]
  claims: Record<string, Json>
  volumes: Record<string, Json>
}
const namespace = "default"
const kindOf = (plural: string): Kind =>
  plural === "persistentvolumes" ? persistentVolume : persistentVolumeClaim

const withoutNull = (obj: Json): Json => Object.fromEntries(Object.entries(obj).filter(([, v]) => v !== null))

async function create({ client }: TestCluster, obj: Json): Promise<unknown> {
  const accessModes = ["ReadWriteOnce"]
  const storage = "1Gi"
  if (obj.pv) {
    const hostPath = { path: `/mnt/${obj.pv}` }
    const spec = withoutNull({ accessModes, capacity: { storage }, hostPath, ...obj.spec })
    return client.create(persistentVolume, { metadata: { name: obj.pv, annotations: obj.annotations }, spec })
  }
  if (!obj.pvc) return client.create(storageClass, obj)
  const spec = { accessModes, resources: { requests: { storage } }, ...obj.spec }
  return client.create(persistentVolumeClaim, { metadata: { namespace, name: obj.pvc }, spec })
}

async function perform(cluster: TestCluster, step: Step): Promise<void> {
  const { client, clock } = cluster
  for (const obj of step.create ?? []) await create(cluster, obj)
  for (const [plural, name] of step.delete ?? []) await client.delete(kindOf(plural), { namespace, name })
  for (const [plural, name] of step.unkeep ?? [])
    await client.patch(kindOf(plural), { namespace, name }, "merge", { metadata: { finalizers: null } })
  for (const [name, phase] of step.finish ?? [])
    await client.patch(pod, { namespace, name }, "merge", { status: { phase } }, { subresource: "status" })
  await clock.advance((step.settle ?? 0) * 1000)
}

/** As JSON has it, without what differs from run to run. */
function plain(value: Json): Json {
  return JSON.parse(
    JSON.stringify(value, (key, one: unknown) =>
      ["uid", "resourceVersion", "lastTransitionTime", "lastProbeTime"].includes(key) ? undefined : one,
    ),
  )
}

function eventsOf(cluster: TestCluster, kind: string, name: string): string[] {
  const found = cluster
    .list(event)
    .filter(({ involvedObject }) => involvedObject.kind === kind && involvedObject.name === name)
  return [...new Set(found.map((one) => `${one.type} ${one.reason}: ${one.message}`))].sort()
}

test("volumes and claims become what the published controllers made of them", async () => {
  await using cluster = await startCluster()
  for (const step of recorded.steps) await perform(cluster, step)
  const claims = cluster.list(persistentVolumeClaim).map(({ metadata, spec, status }) => [
    metadata.name,
    {
      annotations: metadata.annotations,
      volumeName: spec.volumeName,
      status,
      events: eventsOf(cluster, "PersistentVolumeClaim", metadata.name),
    },
  ])
  assert.deepEqual(plain(Object.fromEntries(claims)), plain(recorded.claims))
  const volumes = cluster.list(persistentVolume).map(({ metadata, spec, status }) => [
    metadata.name,
    {
      annotations: metadata.annotations,
      finalizers: metadata.finalizers,
      claim: spec.claimRef && { ...spec.claimRef, bound: spec.claimRef.uid !== undefined },
      phase: status.phase,
      message: status.message,
      events: eventsOf(cluster, "PersistentVolume", metadata.name),
    },
  ])
  assert.deepEqual(plain(Object.fromEntries(volumes)), plain(recorded.volumes))
})
