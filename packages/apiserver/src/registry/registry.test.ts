import assert from "node:assert/strict"
import { test } from "node:test"
import {
  configMap,
  deployment,
  lease,
  namespace,
  pod,
  replicationController,
  type ConfigMap,
  type Pod,
} from "@knarr/api"
import { isAlreadyExists, isConflict, isInvalid, isNotFound, statusOf } from "@knarr/apimachinery"
import { startTestRegistry } from "./testing.ts"

const ns = "default"

function cm(name: string, data: Record<string, string> = {}): ConfigMap {
  return {
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name, namespace: ns },
    data,
  } as unknown as ConfigMap
}

function podNamed(name: string, more: Record<string, unknown> = {}, labels?: Record<string, string>): Pod {
  return {
    metadata: { name, namespace: ns, ...(labels ? { labels } : {}) },
    spec: { containers: [{ name: "c", image: "nginx" }], ...more },
  } as unknown as Pod
}

async function reject(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (thrown) {
    return thrown as Error
  }
  throw new assert.AssertionError({ message: "expected a rejection" })
}

test("an object is created, read, updated and deleted", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.create(configMap, cm("a", { k: "1" }))
  assert.equal(made.metadata.resourceVersion, "2")
  assert.match(made.metadata.uid, /^[0-9a-f-]{36}$/)
  assert.equal(made.metadata.creationTimestamp, "2026-01-01T00:00:00Z")
  assert.ok(Object.isFrozen(made.data))
  const read = await t.client.get(configMap, { namespace: ns, name: "a" })
  assert.equal(read, made)
  const cached = t.registry.storage(configMap).cache.get("default/a")!
  assert.ok(
    cached.bytes
      .toString()
      .startsWith('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"2","name":"a"'),
    cached.bytes.toString(),
  )
  assert.deepEqual(JSON.parse(cached.bytes.toString()), made)
  const stored = await t.store.get("/registry/configmaps/default/a")
  assert.ok(!stored!.value.toString().includes("resourceVersion"))

  const next = await t.client.update(configMap, { ...made, data: { k: "2" } })
  assert.equal(next.metadata.resourceVersion, "3")
  assert.equal(next.metadata.uid, made.metadata.uid)
  const gone = await t.client.delete(configMap, { namespace: ns, name: "a" })
  assert.equal(gone.kind, "Status")
  assert.deepEqual((gone as { details?: unknown }).details, {
    name: "a",
    kind: "configmaps",
    uid: made.metadata.uid,
  })
  const error = await reject(t.client.get(configMap, { namespace: ns, name: "a" }))
  assert.ok(isNotFound(error))
  assert.equal(error.message, 'configmaps "a" not found')
})

test("a stale update conflicts in upstream's words; one without a version does not", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.create(configMap, cm("a"))
  await t.client.update(configMap, { ...made, data: { k: "2" } })
  const error = await reject(t.client.update(configMap, { ...made, data: { k: "3" } }))
  assert.ok(isConflict(error))
  assert.equal(
    error.message,
    'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
  )
  const free = await t.client.update(configMap, cm("a", { k: "4" }))
  assert.deepEqual(free.data, { k: "4" })
  const uid = await reject(
    t.client.update(configMap, {
      ...free,
      metadata: { ...free.metadata, uid: "other", resourceVersion: "" },
    }),
  )
  assert.equal(
    uid.message,
    'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: ' +
      "/registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in " +
      `precondition: other, UID in object meta: ${free.metadata.uid}`,
  )
})

test("an update that changes nothing writes nothing", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.create(configMap, cm("a", { k: "1" }))
  await t.clock.advance(5000)
  const same = await t.client.update(configMap, made)
  assert.equal(same.metadata.resourceVersion, made.metadata.resourceVersion)
  assert.equal(t.store.revision, 2)
})

test("names: taken, made up, malformed", async () => {
  await using t = await startTestRegistry()
  await t.client.create(configMap, cm("a"))
  const taken = await reject(t.client.create(configMap, cm("a")))
  assert.ok(isAlreadyExists(taken))
  assert.equal(taken.message, 'configmaps "a" already exists')
  const named = await t.client.create(configMap, {
    metadata: { generateName: "x-", namespace: ns },
  } as ConfigMap)
  assert.match(named.metadata.name, /^x-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  const malformed = await reject(t.client.create(configMap, cm("A_b")))
  assert.ok(isInvalid(malformed))
  assert.match(
    malformed.message,
    /^ConfigMap "A_b" is invalid: metadata\.name: Invalid value: "A_b": a lowercase RFC 1123/,
  )
})

test("dry runs write nothing", async () => {
  await using t = await startTestRegistry()
  const dry = await t.client.create(configMap, cm("a", { k: "1" }), { dryRun: true })
  assert.equal(dry.metadata.resourceVersion, undefined)
  assert.ok(dry.metadata.uid)
  assert.equal(t.store.revision, 1)
  const made = await t.client.create(configMap, cm("a", { k: "1" }))
  const changed = await t.client.patch(
    configMap,
    { namespace: ns, name: "a" },
    "merge",
    { data: { k: "2" } },
    { dryRun: true },
  )
  assert.deepEqual(changed.data, { k: "2" })
  await t.client.delete(configMap, { namespace: ns, name: "a" }, { dryRun: true })
  assert.equal(await t.client.get(configMap, { namespace: ns, name: "a" }), made)
})

test("patches: json, merge, strategic", async () => {
  await using t = await startTestRegistry()
  const ref = { namespace: ns, name: "d" }
  await t.client.create(deployment, {
    metadata: ref,
    spec: {
      selector: { matchLabels: { app: "a" } },
      template: { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  } as never)
  const one = await t.client.patch(deployment, ref, "strategic", {
    spec: { template: { spec: { containers: [{ name: "d", image: "j" }] } } },
  })
  assert.deepEqual(
    one.spec.template.spec!.containers.map((c) => c.name),
    ["d", "c"],
  )
  assert.equal(one.metadata.generation, 2)
  const two = await t.client.patch(deployment, ref, "json", [
    { op: "replace", path: "/spec/replicas", value: 3 },
  ])
  assert.equal(two.spec.replicas, 3)
  const three = await t.client.patch(deployment, ref, "merge", { metadata: { labels: { x: "y" } } })
  assert.equal(three.metadata.generation, 3)
  assert.deepEqual(three.metadata.labels, { x: "y" })
  const status = await t.client.patch(
    deployment,
    ref,
    "merge",
    { spec: { replicas: 9 }, status: { replicas: 3 } },
    { subresource: "status" },
  )
  assert.equal(status.spec.replicas, 3)
  assert.equal(status.status!.replicas, 3)
  assert.equal(status.metadata.generation, 3)
  const kept = await t.client.patch(deployment, ref, "merge", { status: { replicas: 7 } })
  assert.equal(kept.metadata.resourceVersion, status.metadata.resourceVersion)
  const scale = await t.client.getSubresource<{ spec: { replicas: number }; status: object }>(
    deployment,
    ref,
    "scale",
  )
  assert.deepEqual(scale.status, { replicas: 3, selector: "app=a" })
  await t.client.patch(deployment, ref, "merge", { spec: { replicas: 5 } }, { subresource: "scale" })
  assert.equal((await t.client.get(deployment, ref)).spec.replicas, 5)
  const failed = await reject(
    t.client.patch(deployment, ref, "json", [{ op: "test", path: "/spec/replicas", value: 1 }]),
  )
  assert.equal(statusOf(failed)?.code, 422)
  assert.equal(failed.message, "the server rejected our request due to an error in our request")
})

test("apply creates, merges, and conflicts", async () => {
  await using t = await startTestRegistry()
  const ref = { namespace: ns, name: "a" }
  const config = (data: Record<string, string>): object => ({
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name: "a", namespace: ns },
    data,
  })
  const one = await t.client.patch(configMap, ref, "apply", config({ x: "1", y: "1" }), {
    fieldManager: "one",
  })
  assert.deepEqual(
    one.metadata.managedFields?.map((e) => [e.manager, e.operation]),
    [["one", "Apply"]],
  )
  const error = await reject(
    t.client.patch(configMap, ref, "apply", config({ x: "2" }), { fieldManager: "two" }),
  )
  assert.ok(isConflict(error))
  assert.match(error.message, /^Apply failed with 1 conflict: conflict with "one": \.data\.x$/)
  const two = await t.client.patch(configMap, ref, "apply", config({ x: "2" }), {
    fieldManager: "two",
    force: true,
  })
  assert.deepEqual(two.data, { x: "2", y: "1" })
  const three = await t.client.patch(configMap, ref, "apply", config({}), { fieldManager: "one" })
  assert.deepEqual(three.data, { x: "2" })
  const again = await t.client.patch(configMap, ref, "apply", config({}), { fieldManager: "one" })
  assert.equal(again.metadata.resourceVersion, three.metadata.resourceVersion)
})

test("pods end gracefully; a repeated delete may only shorten", async () => {
  await using t = await startTestRegistry()
  const ref = { namespace: ns, name: "p" }
  await t.client.create(pod, podNamed("p", { nodeName: "n1", terminationGracePeriodSeconds: 30 }))
  await t.client.patch(pod, ref, "merge", { status: { phase: "Running" } }, { subresource: "status" })
  const first = (await t.client.delete(pod, ref)) as Pod
  assert.equal(first.metadata.deletionTimestamp, "2026-01-01T00:00:30Z")
  assert.equal(first.metadata.deletionGracePeriodSeconds, 30)
  const longer = (await t.client.delete(pod, ref, { gracePeriodSeconds: 60 })) as Pod
  assert.equal(longer.metadata.deletionGracePeriodSeconds, 30)
  const shorter = (await t.client.delete(pod, ref, { gracePeriodSeconds: 5 })) as Pod
  assert.equal(shorter.metadata.deletionTimestamp, "2026-01-01T00:00:05Z")
  await t.client.delete(pod, ref, { gracePeriodSeconds: 0 })
  assert.ok(isNotFound(await reject(t.client.get(pod, ref))))
  await t.client.create(pod, podNamed("unscheduled"))
  await t.client.delete(pod, { namespace: ns, name: "unscheduled" })
  assert.ok(isNotFound(await reject(t.client.get(pod, { namespace: ns, name: "unscheduled" }))))
})

test("finalizers keep an object until the last one goes", async () => {
  await using t = await startTestRegistry()
  const ref = { namespace: ns, name: "a" }
  const made = cm("a")
  made.metadata.finalizers = ["example.com/f"]
  await t.client.create(configMap, made)
  const marked = (await t.client.delete(configMap, ref)) as ConfigMap
  assert.equal(marked.metadata.deletionTimestamp, "2026-01-01T00:00:00Z")
  assert.equal(marked.metadata.deletionGracePeriodSeconds, 0)
  const error = await reject(t.client.create(configMap, cm("a")))
  assert.equal(error.message, 'object is being deleted: configmaps "a" already exists')
  const added = await reject(
    t.client.patch(configMap, ref, "merge", { metadata: { finalizers: ["example.com/f", "example.com/g"] } }),
  )
  assert.match(added.message, /no new finalizers can be added if the object is being deleted/)
  await t.client.patch(configMap, ref, "merge", { metadata: { finalizers: null } })
  assert.ok(isNotFound(await reject(t.client.get(configMap, ref))))
})

test("propagation policies become finalizers", async () => {
  await using t = await startTestRegistry()
  await t.client.create(configMap, cm("f"))
  const foreground = (await t.client.delete(
    configMap,
    { namespace: ns, name: "f" },
    { propagationPolicy: "Foreground" },
  )) as ConfigMap
  assert.deepEqual(foreground.metadata.finalizers, ["foregroundDeletion"])
  await t.client.create(configMap, cm("o"))
  const orphan = (await t.client.delete(
    configMap,
    { namespace: ns, name: "o" },
    { propagationPolicy: "Orphan" },
  )) as ConfigMap
  assert.deepEqual(orphan.metadata.finalizers, ["orphan"])
  await t.client.create(replicationController, {
    metadata: { name: "rc", namespace: ns },
    spec: {
      selector: { a: "b" },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  } as never)
  const rc = (await t.client.delete(replicationController, { namespace: ns, name: "rc" })) as ConfigMap
  assert.deepEqual(rc.metadata.finalizers, ["orphan"])
})

test("preconditions of a delete", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.create(configMap, cm("a"))
  const ref = { namespace: ns, name: "a" }
  const uid = await reject(t.client.delete(configMap, ref, { preconditions: { uid: "x" } }))
  assert.equal(
    uid.message,
    `Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (x) does not match the UID in record (${made.metadata.uid}). The object might have been deleted and then recreated`,
  )
  assert.ok(
    isConflict(await reject(t.client.delete(configMap, ref, { preconditions: { resourceVersion: "1" } }))),
  )
  await t.client.delete(configMap, ref, {
    preconditions: { uid: made.metadata.uid, resourceVersion: made.metadata.resourceVersion },
  })
})

test("a namespace is terminating until its finalizer goes", async () => {
  await using t = await startTestRegistry()
  const ref = { name: "n" }
  const made = await t.client.create(namespace, { metadata: { name: "n" } } as never)
  assert.deepEqual(made.spec?.finalizers, ["kubernetes"])
  const deleted = (await t.client.delete(namespace, ref)) as typeof made
  assert.equal(deleted.status?.phase, "Terminating")
  const again = (await t.client.delete(namespace, ref)) as typeof made
  assert.equal(again.metadata.resourceVersion, deleted.metadata.resourceVersion)
  await t.client.update(namespace, { ...deleted, spec: { finalizers: [] } }, { subresource: "finalize" })
  assert.ok(isNotFound(await reject(t.client.get(namespace, ref))))
})

test("deleting a collection takes what is selected", async () => {
  await using t = await startTestRegistry()
  for (const name of ["a", "b", "c"]) {
    const made = cm(name)
    made.metadata.labels = { keep: String(name === "b") }
    await t.client.create(configMap, made)
  }
  await t.client.deleteCollection(configMap, { namespace: ns, labelSelector: "keep=false" })
  const { items } = await t.client.list(configMap, { namespace: ns })
  assert.deepEqual(
    items.map((item) => item.metadata.name),
    ["b"],
  )
})

test("a PUT creates a lease", async () => {
  await using t = await startTestRegistry()
  const made = await t.client.update(lease, {
    metadata: { name: "l", namespace: ns },
    spec: { holderIdentity: "x" },
  } as never)
  assert.equal(made.metadata.resourceVersion, "2")
})

test("a pod is bound once", async () => {
  await using t = await startTestRegistry()
  await t.client.create(pod, podNamed("p"))
  const ref = { namespace: ns, name: "p" }
  const bind = (node: string): Promise<unknown> =>
    t.client.createSubresource(pod, ref, "binding", {
      metadata: { name: "p" },
      target: { kind: "Node", name: node },
    })
  const nominated = { status: { nominatedNodeName: "n0" } }
  await t.client.patch(pod, ref, "merge", nominated, { subresource: "status" })
  await bind("n1")
  const bound = await t.client.get(pod, ref)
  assert.equal(bound.spec.nodeName, "n1")
  assert.equal(bound.status.nominatedNodeName, undefined, "a nomination ends with the binding")
  assert.equal(bound.status!.conditions!.find((c) => c.type === "PodScheduled")!.status, "True")
  const error = await reject(bind("n2"))
  assert.equal(
    error.message,
    'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
  )
})
