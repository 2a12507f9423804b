import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { test } from "node:test"
import { deployment, node, pod, type Node, type Pod } from "@knarr/api"
import { systemClock } from "@knarr/base"
import { startControlPlane } from "knarr/testing"

const replicas = 20
const nodes = 5
const namespace = "default"

interface Story {
  /** One line for each revision: its number, key and the hash of its value. */
  readonly revisions: readonly string[]
  /** Virtual milliseconds. */
  readonly lostMs: number
  readonly noticedMs: number
  readonly evictedMs: number
  readonly replacedMs: number
}

const isReady = (one: Pod | Node): boolean =>
  one.status.conditions?.find(({ type }) => type === "Ready")?.status === "True"

/** A rollout of twenty replicas during which a node is lost, until all run elsewhere. */
async function story(seed: number): Promise<Story> {
  await using cluster = await startControlPlane({
    seed,
    nodes: Array.from({ length: nodes }, (_, i) => ({
      name: `node-${i}`,
      pull: () => ({ delayMs: 400 + 100 * i }),
      behaviour: () => ({ startDelayMs: 150, stopAfterMs: 300 }),
    })),
  })
  const { client, clock, informers, store } = cluster
  const stop = new AbortController()
  const revisions: string[] = []
  const recording = (async () => {
    try {
      for await (const batch of store.watch({ prefix: "/", from: 2, signal: stop.signal }))
        for (const { revision, key, kv } of batch) {
          const hash = kv ? createHash("sha256").update(kv.value).digest("hex").slice(0, 16) : "deleted"
          revisions.push(`${revision} ${key} ${hash}`)
        }
    } catch (thrown) {
      if (!stop.signal.aborted) throw thrown
    }
  })()
  const pods = informers.informer(pod)
  const until = (what: string, done: () => boolean, limitMs = 600_000): Promise<void> =>
    clock!.runUntil(done, { what, limitMs })
  const running = (image: string): readonly Pod[] =>
    pods
      .list()
      .filter((one) => isReady(one) && !one.metadata.deletionTimestamp)
      .filter((one) => one.spec.containers[0]!.image === image)
  const template = (image: string) => ({
    metadata: { labels: { app: "web" } },
    spec: { containers: [{ name: "web", image, resources: { requests: { cpu: "100m" } } }] },
  })

  const startMs = clock!.now()
  const made = await client.create(deployment, {
    metadata: { namespace, name: "web" },
    spec: { replicas, selector: { matchLabels: { app: "web" } }, template: template("web:1") },
  })
  await until("the first rollout", () => running("web:1").length === replicas)
  const ref = { namespace, name: "web" }
  await client.patch(deployment, ref, "merge", { spec: { template: template("web:2") } })
  await until("half of the second", () => running("web:2").length >= replicas / 2)
  const lost = cluster.nodes[2]!
  await lost.stop()
  const lostMs = clock!.now()
  const isStuck = (one: Pod): boolean => one.spec.nodeName === lost.name
  await until("silence to be noticed", () => !isReady(informers.informer(node).get({ name: lost.name })!))
  const noticedMs = clock!.now()
  await until("the pods to be evicted", () =>
    pods.list().every((one) => !isStuck(one) || one.metadata.deletionTimestamp !== undefined),
  )
  const evictedMs = clock!.now()
  await until("a rollout without the node", () => {
    const elsewhere = running("web:2").filter((one) => !isStuck(one))
    return elsewhere.length === replicas && running("web:1").length === 0
  })
  const replacedMs = clock!.now()
  assert.equal((await client.get(deployment, ref)).metadata.uid, made.metadata.uid)
  await lost.start()
  await until("the node to come back, without what it lost", () => {
    return (
      isReady(informers.informer(node).get({ name: lost.name })!) &&
      !pods.list().some((one) => isStuck(one) && one.metadata.deletionTimestamp)
    )
  })
  assert.equal(lost.host.containers.size, pods.list().filter(isStuck).length)
  await clock!.advance(1_000)
  stop.abort()
  await recording
  return {
    revisions,
    lostMs: lostMs - startMs,
    noticedMs: noticedMs - lostMs,
    evictedMs: evictedMs - noticedMs,
    replacedMs: replacedMs - evictedMs,
  }
}

test("a rollout survives the loss of a node, and its seed tells the whole story again", async (t) => {
  const began = systemClock.monotonic()
  const first = await story(1)
  t.diagnostic(
    `${first.revisions.length} revisions, ${Math.round(systemClock.monotonic() - began)} ms of real time`,
  )
  t.diagnostic(JSON.stringify({ ...first, revisions: [] }))
  assert.ok(first.lostMs > 500 && first.lostMs < 20_000, `half rolled out after ${first.lostMs} ms`)
  // 50 s of grace since the last renewal, which was up to 10 s earlier, and the monitor looks every 5 s.
  assert.ok(first.noticedMs >= 40_000 && first.noticedMs <= 60_000, `noticed after ${first.noticedMs} ms`)
  assert.ok(first.evictedMs >= 299_000 && first.evictedMs <= 310_000, `evicted after ${first.evictedMs} ms`)
  assert.ok(first.replacedMs <= 60_000, `replaced after ${first.replacedMs} ms`)

  const again = await story(1)
  for (const [i, revision] of first.revisions.entries())
    assert.equal(again.revisions[i], revision, `the stories part at the ${i}th revision`)
  assert.deepEqual(again, first)
  const other = await story(2)
  assert.notDeepEqual(other.revisions, first.revisions)
})
