/** One object never stops a loop: whatever throws over it, the others are served. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, event, namespace as namespaceKind, node, pod, service, type Pod } from "@knarr/api"
import { createLogger, VirtualClock } from "@knarr/base"
import { defineController } from "@knarr/controller-kit"
import { definePlugin, skip, type PluginDescriptor, type SchedulerPlugin } from "@knarr/scheduler"
import { startControlPlane } from "knarr/testing"
import { startCluster } from "./controllers/cluster.ts"

const namespace = "default"
const broken = (): never => {
  throw new Error("broken")
}
const ifBad =
  <T>(answer: T) =>
  (of: Readonly<Pod>): T =>
    of.metadata.name.startsWith("bad") ? broken() : answer

const podOf = (name: string, image = "busybox") => ({
  metadata: { namespace, name },
  spec: { containers: [{ name: "c", image }] },
})

const pluginOf = (name: string, plugin: SchedulerPlugin) => definePlugin({ name, create: () => plugin })

/** Each throws over a pod that is called bad, at its own extension point. */
const points: readonly { readonly plugin: PluginDescriptor; readonly message: string }[] = [
  {
    plugin: pluginOf("A", { preEnqueue: ifBad(undefined) }),
    message: 'running PreEnqueue plugin "A": broken',
  },
  {
    plugin: pluginOf("B", { preFilter: (_, of) => ifBad(undefined)(of) }),
    message: 'running PreFilter plugin "B": broken',
  },
  {
    plugin: pluginOf("C", { filter: (_, of) => ifBad(undefined)(of) }),
    message: 'running "C" filter plugin: broken',
  },
  {
    plugin: pluginOf("D", { preScore: (_, of) => ifBad(undefined)(of), score: () => 0 }),
    message: 'running PreScore plugin "D": broken',
  },
  {
    plugin: pluginOf("E", { score: (_, of) => ifBad(0)(of) }),
    message: 'running Score plugins: plugin "E" failed with: broken',
  },
  {
    plugin: pluginOf("F", { score: () => 0, normalizeScore: (_, of) => ifBad(undefined)(of) }),
    message: 'running Normalize on Score plugins: plugin "F" failed with: broken',
  },
  {
    plugin: pluginOf("G", { score: (_, of) => (of.metadata.name === "bad" ? 101 : 0) }),
    message:
      'applying score defaultWeights on Score plugins: plugin "G" returns an invalid score 101, it should in the range of [0, 100] after normalizing',
  },
  {
    plugin: pluginOf("H", { reserve: (_, of) => ifBad(undefined)(of), unreserve: () => broken() }),
    message: 'running Reserve plugin "H": broken',
  },
  {
    plugin: pluginOf("I", { permit: (_, of) => ifBad(undefined)(of) }),
    message: 'running Permit plugin "I": broken',
  },
  {
    plugin: pluginOf("J", {
      preBindPreFlight: (_, of) => ifBad(undefined)(of),
      preBind: () => Promise.resolve(undefined),
    }),
    message: 'running PreBindPreFlight "J": broken',
  },
  {
    plugin: pluginOf("K", { preBind: async (_, of) => ifBad(undefined)(of) }),
    message: 'running PreBind plugin "K": broken',
  },
  {
    plugin: pluginOf("L", {
      bind: async (_, of) => ifBad(skip)(of),
      postBind: () => broken(),
    }),
    message: 'running Bind plugin "L": broken',
  },
]

for (const { plugin, message } of points) {
  test(`the scheduler goes on when ${message.replace(": broken", "")} throws`, async () => {
    await using cluster = await startControlPlane({
      seed: 1,
      nodes: 2,
      schedulerPlugins: (defaults) => [plugin, ...defaults],
    })
    const { client, clock, informers } = cluster
    const pods = informers.informer(pod)
    for (const name of ["before", "bad", "after"]) await client.create(pod, podOf(name))
    await clock!.advance(30_000)
    const placed = pods.list(namespace).filter((one) => one.spec.nodeName)
    assert.deepEqual(placed.map((one) => one.metadata.name).sort(), ["after", "before"])
    const condition = pods
      .get({ namespace, name: "bad" })!
      .status.conditions?.find(({ type }) => type === "PodScheduled")
    assert.deepEqual(
      [condition?.status, condition?.reason, condition?.message],
      ["False", "SchedulerError", message],
    )
    const { items } = await client.list(event, { namespace })
    const said = items.filter((one) => one.reason === "FailedScheduling")
    assert.deepEqual(
      [...new Set(said.map((one) => `${one.involvedObject.name}: ${one.message}`))],
      [`bad: ${message}`],
    )
  })
}

test("a pod whose image name cannot be read is scheduled like any other", async () => {
  await using cluster = await startControlPlane({ seed: 1, nodes: 2 })
  const { client, clock, informers } = cluster
  const images = ["Bad_Name//:::x", "MyApp:latest", "@", ":", "a".repeat(300)]
  for (const [i, image] of images.entries()) await client.create(pod, podOf(`p${i}`, image))
  await clock!.advance(5_000)
  for (const one of informers.informer(pod).list(namespace)) assert.ok(one.spec.nodeName, one.metadata.name)
})

test("every controller goes on with the others when it throws over one object, its mapping, or at its start", async () => {
  const isBad = (ref: { readonly namespace?: string | undefined; readonly name: string }): boolean =>
    ref.namespace === "bad" || ref.name.startsWith("bad")
  const log: string[] = []
  const failed = new Set<string>()
  const started = new Set<string>()
  await using cluster = await startCluster({
    log: createLogger({ clock: new VirtualClock(), level: "error", write: (line) => void log.push(line) }),
    adapt: (controller) =>
      defineController({
        ...controller,
        ...(controller.watches
          ? {
              watches: controller.watches.map((spec) => ({
                ...spec,
                map: (obj, cache) => (isBad(obj.metadata) ? broken() : spec.map(obj, cache)),
              })),
            }
          : {}),
        reconcile: async (ref, ctx) => {
          if (!isBad(ref)) return controller.reconcile!(ref, ctx)
          failed.add(controller.name)
          return broken()
        },
        ...(controller.run
          ? {
              run: async (ctx) => {
                if (started.has(controller.name)) return controller.run!(ctx)
                started.add(controller.name)
                return broken()
              },
            }
          : {}),
      }),
  })
  const { client } = cluster
  await cluster.addNode("node-a")
  await cluster.addNode("bad-node")
  await client.create(namespaceKind, { metadata: { name: "bad" }, spec: {} })
  for (const ns of ["bad", namespace]) {
    const labels = { app: "web" }
    await client.create(service, {
      metadata: { namespace: ns, name: "web" },
      spec: { selector: labels, ports: [{ port: 80 }] },
    })
    await client.create(deployment, {
      metadata: { namespace: ns, name: "web" },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "busybox" }] } },
      },
    })
  }
  await cluster.until("the good deployment's pods", () => cluster.list(pod, namespace).length === 2)
  for (const one of cluster.list(pod, namespace)) await cluster.makeReady(one)
  await cluster.until(
    "the good deployment to be available",
    () => cluster.get(deployment, "web", namespace)?.status.availableReplicas === 2,
  )
  assert.deepEqual(cluster.list(pod, "bad"), [])
  assert.ok(cluster.get(node, "node-a"))
  assert.ok(failed.size >= 8, `only ${[...failed].join(", ")} met the bad objects`)
  for (const name of failed)
    assert.ok(
      log.some((line) => line.includes(`controller=${name}`)),
      name,
    )
  for (const name of started)
    assert.ok(
      log.some((line) => line.includes(`/${name}/run `) && line.includes("started again")),
      name,
    )
})
