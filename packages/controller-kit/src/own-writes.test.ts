import assert from "node:assert/strict"
import { test } from "node:test"
import { job, pod } from "@knarr/api"
import { VirtualClock } from "@knarr/base"
import type { Client, Informer } from "@knarr/client"
import type { KubeObject } from "@knarr/apimachinery"
import { defineController } from "./controller.ts"
import { OwnWrites } from "./own-writes.ts"

const controller = defineController({ name: "c", serviceAccount: "c", rbac: [], for: job, owns: [pod] })
const ref = { namespace: "default", name: "j" }
const ownerReferences = [{ apiVersion: "batch/v1", kind: "Job", name: "j", uid: "1", controller: true }]

/** A server that gives what it is sent the next revision. */
function answering(): Client {
  let revision = 10
  const written = async (_kind: unknown, obj: KubeObject): Promise<KubeObject> => ({
    ...obj,
    metadata: { ...obj.metadata, resourceVersion: String(++revision) },
  })
  return { create: written, update: written } as unknown as Client
}

const objects = {
  main: { metadata: ref },
  owned: { metadata: { namespace: "default", name: "p", ownerReferences } },
  other: { metadata: { namespace: "default", name: "q" } },
}

test("A controller's writes are ahead of its caches until these have them, or a good while is over", async () => {
  const clock = new VirtualClock()
  const writes = new OwnWrites(controller, clock)
  const client = writes.noting(answering())
  const seen = { [job.id]: 10, [pod.id]: 10 } as Record<string, number>
  const ahead = (): boolean => writes.areAhead(ref, (id) => ({ revision: seen[id] }) as Informer<KubeObject>)
  assert.equal(ahead(), false)
  await client.create(pod, objects.other as never)
  assert.equal(ahead(), false, "nobody's pod")
  await client.update(job, objects.main as never)
  assert.equal(ahead(), true)
  seen[job.id] = 12
  assert.equal(ahead(), false)
  await client.create(pod, objects.owned as never)
  assert.equal(ahead(), true, "a pod of the job")
  seen[pod.id] = 13
  assert.equal(ahead(), false)
  await client.update(job, objects.main as never)
  assert.equal(ahead(), true)
  await clock.advance(30_001)
  assert.equal(ahead(), false, "a store that was set back")
})
