/** What the example programs of Kubernetes' JavaScript client do, by that client as it is published. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { test } from "node:test"
import {
  ApiextensionsV1Api,
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  ListWatch,
  PatchStrategy,
  Watch,
  setHeaderOptions,
  type V1Pod,
} from "@kubernetes/client-node"
import { startControlPlane } from "knarr/testing"

const namespace = "default"
const container = { name: "app", image: "example.com/app:1" }

test("Kubernetes' JavaScript client creates, patches, scales, watches and follows objects", async (t) => {
  await using cluster = await startControlPlane({ controllerManager: false })
  const config = new KubeConfig()
  config.loadFromString(JSON.stringify(cluster.kubeconfig))
  const core = config.makeApiClient(CoreV1Api)
  const apps = config.makeApiClient(AppsV1Api)

  await t.test("namespaces", async () => {
    const made = await core.createNamespace({ body: { metadata: { name: "test" } } })
    assert.equal(made.status?.phase, "Active")
    assert.ok(made.metadata!.creationTimestamp instanceof Date)
    assert.deepEqual((await core.readNamespace({ name: "test" })).metadata!.uid, made.metadata!.uid)
    await core.deleteNamespace({ name: "test" })
    const again = core.createNamespace({ body: { metadata: { name: "default" } } })
    await assert.rejects(again, (thrown: { code: number; body: string }) => {
      assert.equal(thrown.code, 409)
      return (JSON.parse(thrown.body) as { reason: string }).reason === "AlreadyExists"
    })
  })

  await t.test("a cache that is kept by a watch, and a JSON patch", async () => {
    const cache = new ListWatch<V1Pod>(
      `/api/v1/namespaces/${namespace}/pods`,
      new Watch(config),
      () => core.listNamespacedPod({ namespace }),
      false,
    )
    const events: string[] = []
    for (const verb of ["add", "update", "delete"] as const)
      cache.on(verb, ({ metadata }) => void events.push(`${verb} ${metadata!.name}`))
    await cache.start()
    const told = async (event: string): Promise<void> => {
      while (!events.includes(event)) await cluster.env.clock.sleep(5, t.signal)
    }
    await core.createNamespacedPod({
      namespace,
      body: { metadata: { name: "one" }, spec: { containers: [container] } },
    })
    await told("add one")
    const body = [{ op: "add", path: "/metadata/labels", value: { foo: "bar" } }]
    const json = setHeaderOptions("Content-Type", PatchStrategy.JsonPatch)
    await core.patchNamespacedPod({ name: "one", namespace, body }, json)
    await told("update one")
    while (cache.get("one", namespace)?.metadata!.labels?.["foo"] !== "bar")
      await cluster.env.clock.sleep(5, t.signal)
    await core.deleteNamespacedPod({ name: "one", namespace, gracePeriodSeconds: 0 })
    await told("delete one")
    assert.deepEqual(cache.list(namespace), [])
    await cache.stop()
  })

  await t.test("objects of any kind, made or changed, and a deployment that is scaled", async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const metadata = { name: "web", namespace }
    const deployment = {
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata },
      spec: {
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [container] } },
      },
    }
    await assert.rejects(objects.read({ ...deployment, metadata }), { code: 404 })
    await objects.create(deployment)
    const annotated = { ...deployment, metadata: { ...metadata, annotations: { seen: "yes" } } }
    const patched = await objects.patch(annotated)
    assert.equal(patched.metadata!.annotations!["seen"], "yes")
    const found = await apps.readNamespacedDeployment(metadata)
    const scaled = structuredClone(found)
    scaled.spec!.replicas = 3
    assert.equal((await apps.replaceNamespacedDeployment({ ...metadata, body: scaled })).spec!.replicas, 3)
    assert.equal((await apps.readNamespacedDeploymentScale(metadata)).spec!.replicas, 3)
    await assert.rejects(apps.replaceNamespacedDeployment({ ...metadata, body: found }), { code: 409 })
  })

  await t.test("custom resources", async () => {
    const [group, version, plural] = ["test.example.com", "v1", "routes"]
    await config.makeApiClient(ApiextensionsV1Api).createCustomResourceDefinition({
      body: {
        metadata: { name: `${plural}.${group}` },
        spec: {
          ...{ group, scope: "Namespaced", names: { plural, singular: "route", kind: "Route" } },
          versions: [
            {
              ...{ name: version, served: true, storage: true },
              schema: { openAPIV3Schema: { type: "object", x_kubernetes_preserve_unknown_fields: true } },
            },
          ],
        },
      },
    })
    const routes = config.makeApiClient(CustomObjectsApi)
    const at = { group, version, plural, namespace }
    const body = {
      apiVersion: `${group}/${version}`,
      kind: "Route",
      metadata: { name: "r" },
      spec: { to: "a" },
    }
    while (!(await routes.listClusterCustomObject(at).catch(() => undefined)))
      await cluster.env.clock.sleep(5, t.signal)
    await routes.createNamespacedCustomObject({ ...at, body })
    const merge = setHeaderOptions("Content-Type", PatchStrategy.MergePatch)
    const changed = { ...at, name: "r", body: { spec: { to: "b" } } }
    assert.equal((await routes.patchNamespacedCustomObject(changed, merge)).spec.to, "b")
    assert.equal((await routes.listClusterCustomObject(at)).items.length, 1)
  })

  await t.test("a watch with bookmarks that the client ends", async () => {
    const seen = new Set<string>()
    const done = new EventTarget()
    const ended = once(done, "end")
    const request = await new Watch(config).watch(
      "/api/v1/namespaces",
      { allowWatchBookmarks: true },
      (type, found: { metadata: { name: string } }) => {
        seen.add(`${type} ${found.metadata.name}`)
        if (seen.size >= 4) request.abort()
      },
      () => done.dispatchEvent(new Event("end")),
    )
    await ended
    assert.ok(seen.has("ADDED default") && seen.has("ADDED kube-system"), [...seen].join(", "))
  })
})
