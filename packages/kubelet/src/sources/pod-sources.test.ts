import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { node as nodeKind, type Node, type Pod } from "@knarr/api"
import { Scope, silentLogger, systemClock, systemRandom } from "@knarr/base"
import { createInformerFactory } from "@knarr/client"
import type { PodWorkers, SourcedPod } from "../contract.ts"
import { MemoryApi } from "../pod-worker/memory-api.testing.ts"
import { parseManifest } from "./file-source.ts"
import { startPodSources } from "./pod-sources.ts"

const env = { clock: systemClock, random: systemRandom, log: silentLogger }
const manifest = (image: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: static\nspec:\n  containers:\n  - name: app\n    image: ${image}\n`

test("parseManifest makes a pod of the node", async () => {
  const pod = await parseManifest(manifest("a:1"), "/m/static.yaml", { nodeName: "n1" })
  assert.equal(pod.metadata.name, "static-n1")
  assert.equal(pod.metadata.namespace, "default")
  assert.equal(pod.spec.nodeName, "n1")
  assert.equal(pod.metadata.annotations!["kubernetes.io/config.source"], "file")
  assert.equal(pod.metadata.annotations!["kubernetes.io/config.hash"], pod.metadata.uid)
  assert.match(pod.metadata.uid, /^[0-9a-f]{32}$/)
  const again = await parseManifest(manifest("a:1"), "/m/static.yaml", { nodeName: "n1" })
  assert.equal(again.metadata.uid, pod.metadata.uid)
  const other = await parseManifest(manifest("a:2"), "/m/static.yaml", { nodeName: "n1" })
  assert.notEqual(other.metadata.uid, pod.metadata.uid)
  await assert.rejects(parseManifest("kind: Service\napiVersion: v1", "/m/x", { nodeName: "n1" }))
})

test("static pods reach the workers and are mirrored; a mirror that is deleted comes again", async () => {
  const dir = mkdtempSync("/tmp/knarr-sources-")
  const scope = new Scope("test")
  const signal = AbortSignal.timeout(20_000)
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await systemClock.sleep(5, signal)
  }
  try {
    const api = new MemoryApi(env)
    const node = await api.client.create<Node>(nodeKind, {
      metadata: { name: "n1" },
      spec: {},
      status: {},
    } as never)
    const wanted = new Map<string, SourcedPod>()
    const workers: PodWorkers = {
      update: (sourced) => void wanted.set(sourced.pod.metadata.uid, sourced),
      remove: (uid) => void wanted.delete(uid),
      wake() {},
      evict() {},
      pods: () => [...wanted.values()],
    }
    const file = join(dir, "static.yaml")
    writeFileSync(file, manifest("a:1"))
    const sources = startPodSources({
      ...{ env, client: api.client, scope, nodeName: "n1", workers, manifestDir: dir, node: () => node },
      informers: createInformerFactory({ client: api.client, scope, env }),
    })
    await sources.synced(signal)
    const images = (): string[] => [...wanted.values()].map(({ pod }) => pod.spec.containers[0]!.image!)
    assert.deepEqual(images(), ["a:1"])
    await until(() => api.pod("static-n1") !== undefined)
    const mirror = api.pod("static-n1")!
    assert.equal(mirror.metadata.annotations!["kubernetes.io/config.mirror"], [...wanted.keys()][0])
    assert.equal(mirror.metadata.ownerReferences![0]!.kind, "Node")
    assert.equal(wanted.size, 1)

    api.deletePod("static-n1", 0)
    await until(
      () =>
        (api.pod("static-n1") as Pod | undefined)?.metadata.uid !== mirror.metadata.uid &&
        api.pod("static-n1") !== undefined,
    )

    writeFileSync(file, manifest("a:2"))
    await until(() => images().join() === "a:2")
    await until(() => api.pod("static-n1")?.spec.containers[0]!.image === "a:2")

    rmSync(file)
    await until(() => wanted.size === 0 && api.pod("static-n1") === undefined)
  } finally {
    await scope.close()
    rmSync(dir, { recursive: true, force: true })
  }
})
