import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { deployment, node, pod, service, type Node, type Pod } from "@knarr/api"
import { systemClock } from "@knarr/base"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { KnarrHome, eventually } from "./knarr-command.ts"
import { containerId, containerProcess, isRunning, remainsOf } from "./machine-state.ts"

const namespace = "default"
const replicas = 6
const nodeNames = ["node-0", "node-1", "node-2"]
/** 50 s after the last renewal, which is 10 s old at most; looked at every 5 s; and some slack. */
const graceMs = { min: 38_000, max: 75_000 }

test("three nodes", { timeout: 200_000 }, async (t) => {
  await using home = new KnarrHome("nodes")
  await t.test("up --agents 2", async () => {
    const out = await home.up("--agents", "2")
    for (const name of nodeNames) assert.match(out, new RegExp(`${name} ready`))
    const status = await home.knarr("status")
    for (const name of nodeNames)
      assert.match(status, new RegExp(`${name} +agent running \\(process \\d+\\), Ready`))
  })
  await home.loadImage(await buildHelloImage("1"))
  const { client, transport } = await home.connect()
  using _transport = transport
  const { index } = JSON.parse(readFileSync(join(home.dir, home.name, "cluster.json"), "utf8")) as {
    index: number
  }
  const ready = (one: Pod | Node): boolean =>
    one.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false
  const podsOf = async (app: string): Promise<Pod[]> =>
    (await client.list(pod, { namespace, labelSelector: `app=${app}` })).items.filter(
      (one) => !one.metadata.deletionTimestamp,
    )
  const unreachable = { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" }
  const create = (app: string, count: number, tolerationSeconds: number) =>
    client.create(deployment, {
      metadata: { namespace, name: app },
      spec: {
        replicas: count,
        selector: { matchLabels: { app } },
        template: {
          metadata: { labels: { app } },
          spec: {
            terminationGracePeriodSeconds: 1,
            tolerations: [
              { ...unreachable, tolerationSeconds },
              { ...unreachable, key: "node.kubernetes.io/not-ready", tolerationSeconds: 300 },
            ],
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: "kubernetes.io/hostname",
                whenUnsatisfiable: "ScheduleAnyway",
                labelSelector: { matchLabels: { app } },
              },
            ],
            containers: [{ name: "web", image: "hello:1", ports: [{ containerPort: 8080 }] }],
          },
        },
      },
    })
  const allReady = (app: string, count: number): Promise<Pod[]> =>
    eventually(`${count} pods of ${app}`, async () => {
      const found = (await podsOf(app)).filter(ready)
      return found.length === count ? found : undefined
    })

  await t.test("pods of all nodes reach one another by address, service and name", async () => {
    await create("web", replicas, 300)
    await client.create(service, {
      metadata: { namespace, name: "web" },
      spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
    })
    const pods = await allReady("web", replicas)
    assert.deepEqual([...new Set(pods.map((one) => one.spec.nodeName))].sort(), nodeNames)
    const { clusterIP } = (await client.get(service, { namespace, name: "web" })).spec
    const oneOf = nodeNames.map((name) => pods.find((one) => one.spec.nodeName === name)!)
    for (const from of oneOf) {
      const urls = [
        ...oneOf.map((to) => `${to.status.podIP!}:8080`),
        clusterIP!,
        "web",
        "web.default.svc.cluster.local",
      ]
      // In one go: a kubectl for each would take a while.
      const script = urls.map((url) => `wget -qO- http://${url}/ || echo no ${url}`).join("; ")
      await eventually(
        `every answer on ${from.spec.nodeName}`,
        async () => {
          const out = await home.kubectl(["exec", from.metadata.name, "--", "sh", "-c", script])
          if (out !== "ok\n".repeat(urls.length)) throw new Error(out)
          return true
        },
        15_000,
      )
      assert.match(await home.kubectl(["logs", from.metadata.name]), /^$/)
    }
  })

  await t.test(
    "a dead agent's containers run on; its pods move when their time is over; up brings it back",
    async () => {
      await create("movable", 3, 2)
      const movable = await allReady("movable", 3)
      const onLost = movable.find((one) => one.spec.nodeName === "node-2")!
      assert.ok(onLost, "a movable pod is on node-2")
      const web = (await podsOf("web")).filter((one) => one.spec.nodeName === "node-2")
      const processes = [onLost, ...web].map((one) => containerProcess(containerId(one)!)!)
      home.crashForGood("node-2")
      const killedMs = systemClock.monotonic()
      const isNodeReady = async (): Promise<boolean> => ready(await client.get(node, { name: "node-2" }))
      assert.match((await home.try("status", "--name", home.name)).stdout, /node-2 +agent stopped/)
      await eventually(
        "the node to be found silent",
        async () => !(await isNodeReady()) || undefined,
        graceMs.max,
      )
      const silentMs = systemClock.monotonic() - killedMs
      assert.ok(silentMs >= graceMs.min, `NotReady after ${Math.round(silentMs)} ms`)
      assert.deepEqual(
        processes.filter((one) => !isRunning(one)),
        [],
      )
      const moved = await eventually(
        "a pod in place of the lost one",
        async () => {
          const found = (await podsOf("movable"))
            .filter(ready)
            .filter((one) => one.spec.nodeName !== "node-2")
          return found.length === 3 ? found : undefined
        },
        20_000,
      )
      assert.ok(!moved.some((one) => one.metadata.name === onLost.metadata.name))
      // The others are tolerated for five minutes.
      assert.equal((await podsOf("web")).filter((one) => one.spec.nodeName === "node-2").length, web.length)
      assert.deepEqual(
        processes.filter((one) => !isRunning(one)),
        [],
      )

      const serverPid = home.pid("server")
      const out = await home.up()
      assert.match(out, /Starting node-2 of the running cluster "nodes"/)
      assert.equal(home.pid("server"), serverPid)
      await eventually("the node to be ready", async () => (await isNodeReady()) || undefined)
      await eventually("what was moved to end here", async () => !isRunning(processes[0]!) || undefined)
      await eventually("the pods to be ready again", async () => {
        const back = (await podsOf("web")).filter((one) => one.spec.nodeName === "node-2")
        return (back.length === web.length && back.every(ready)) || undefined
      })
      assert.deepEqual(
        processes.slice(1).filter((one) => !isRunning(one)),
        [],
      )
      for (const one of await podsOf("web"))
        assert.equal(one.status.containerStatuses![0]!.restartCount, 0, one.metadata.name)
    },
  )

  await t.test("delete leaves nothing of any node behind", async () => {
    await home.knarr("delete", "--name", home.name)
    assert.deepEqual(remainsOf({ dir: home.dir, name: home.name, index }), [])
  })
})
