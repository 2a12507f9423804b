/** Static pods and their mirrors: files on the real disk, and so the system's clock. */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { Scope, systemClock, systemRandom, Meter } from "@knarr/base"
import { createRestClient, createTransport } from "@knarr/client"
import { SimulatedHost, createSimulatedMachine, createSimulatedRuntime, startKubelet } from "@knarr/kubelet"
import { startControlPlane } from "knarr/testing"
import { nodeClient, nodeName, PodApi, testLog } from "./kubelet-world.ts"

const mirrorName = `static-${nodeName}`
const manifest = (image: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: static\nspec:\n  containers:\n  - name: app\n    image: ${image}\n`

test("static pods run and are mirrored; a mirror that is deleted comes again", async () => {
  await using cluster = await startControlPlane({ log: testLog })
  const { env, scope } = cluster
  const manifestDir = mkdtempSync("/tmp/knarr-static-pods-")
  scope.defer(() => rmSync(manifestDir, { recursive: true, force: true }))
  const signal = AbortSignal.timeout(20_000)
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await systemClock.sleep(5, signal)
  }
  const api = new PodApi(cluster)
  const file = join(manifestDir, "static.yaml")
  writeFileSync(file, manifest("a:1"))
  const host = new SimulatedHost({ env, podCIDR: "10.1.0.0/24" })
  const kubelet = await startKubelet({
    ...{ env, scope, client: nodeClient(cluster), nodeName, version: "v1.37.2", manifestDir },
    runtime: createSimulatedRuntime(host),
    machine: createSimulatedMachine({ hostname: nodeName }),
  })
  const images = (): string[] => kubelet.workers.pods().map(({ pod }) => pod.spec.containers[0]!.image!)
  await until(() => api.isReady(mirrorName))
  assert.deepEqual(images(), ["a:1"])
  const mirror = api.pod(mirrorName)!
  const [wanted] = kubelet.workers.pods()
  assert.equal(mirror.metadata.annotations!["kubernetes.io/config.mirror"], wanted!.pod.metadata.uid)
  assert.equal(mirror.metadata.ownerReferences![0]!.kind, "Node")
  assert.equal(host.containers.size, 1)

  await api.deletePod(mirrorName, 0)
  await until(() => {
    const found = api.pod(mirrorName)
    return found !== undefined && found.metadata.uid !== mirror.metadata.uid
  })
  await until(() => api.isReady(mirrorName))
  assert.deepEqual(images(), ["a:1"])

  writeFileSync(file, manifest("a:2"))
  await until(() => images().join() === "a:2")
  await until(() => api.pod(mirrorName)?.spec.containers[0]!.image === "a:2")

  rmSync(file)
  await until(() => kubelet.workers.pods().length === 0 && api.pod(mirrorName) === undefined)
})

test("static pods run while there is no API server", async () => {
  const env = { clock: systemClock, random: systemRandom, log: testLog, meter: new Meter() }
  await using scope = new Scope("node")
  const manifestDir = mkdtempSync("/tmp/knarr-static-pods-")
  scope.defer(() => rmSync(manifestDir, { recursive: true, force: true }))
  writeFileSync(join(manifestDir, "static.yaml"), manifest("a:1"))
  const host = new SimulatedHost({ env, podCIDR: "10.1.0.0/24" })
  // Nobody listens there.
  const client = createRestClient({
    transport: createTransport({ server: "http://127.0.0.1:9", tls: () => ({}) }),
  })
  await startKubelet({
    ...{ env, scope, client, nodeName, version: "v1.37.2", manifestDir },
    runtime: createSimulatedRuntime(host),
    machine: createSimulatedMachine({ hostname: nodeName }),
  })
  const signal = AbortSignal.timeout(10_000)
  while (![...host.containers.values()].some(({ state }) => state === "CONTAINER_RUNNING"))
    await systemClock.sleep(5, signal)
})
