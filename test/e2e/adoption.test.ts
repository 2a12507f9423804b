import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, pod, type Pod } from "@knarr/api"
import { systemClock } from "@knarr/base"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { KnarrHome, eventually, pause } from "./knarr-command.ts"
import { containerId, containerProcess, isRunning, type ContainerProcess } from "./machine-state.ts"

const namespace = "default"
const replicas = 6

test(
  "all of knarr killed in the middle of a rollout: no container notices, and the rollout ends after the next up",
  { timeout: 120_000 },
  async (t) => {
    await using home = new KnarrHome("adoption")
    await home.up()
    await home.loadImage(await buildHelloImage("1"))
    const { client, transport } = await home.connect()
    using _transport = transport
    const template = (round: string) => ({
      metadata: { labels: { app: "web" }, annotations: { round } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: "web",
            image: "hello:1",
            readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
          },
        ],
      },
    })
    const pods = async (): Promise<readonly Pod[]> =>
      (await client.list(pod, { namespace, labelSelector: "app=web" })).items
    const ref = { namespace, name: "web" }
    const isRolledOut = async (): Promise<true | undefined> => {
      const { metadata, spec, status } = await client.get(deployment, ref)
      const done =
        status.observedGeneration === metadata.generation &&
        [status.replicas, status.updatedReplicas, status.availableReplicas].every((n) => n === spec.replicas)
      return done || undefined
    }
    await client.create(deployment, {
      metadata: ref,
      spec: {
        replicas,
        selector: { matchLabels: { app: "web" } },
        // One at a time, so that there is a middle.
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template: template("1"),
      },
    })
    await eventually("the first rollout", isRolledOut)
    await client.patch(deployment, ref, "merge", { spec: { template: template("2") } })
    await eventually("the middle of the second", async () => {
      const { metadata, status } = await client.get(deployment, ref)
      const { observedGeneration, updatedReplicas = 0 } = status
      return (observedGeneration === metadata.generation && updatedReplicas === replicas / 2) || undefined
    })

    // What nobody wants to stop must run on; and what starts just now may finish starting.
    const wanted = (await pods()).filter((one) => !one.metadata.deletionTimestamp && containerId(one))
    home.crashForGood("server", "node-0")
    const running = new Map<string, ContainerProcess>()
    for (const id of wanted.map((one) => containerId(one)!)) {
      const found = containerProcess(id)
      if (found) running.set(id, found)
    }
    await pause(3_000)
    const stopped = [...running.values()].filter((one) => !isRunning(one))
    // The agent had a moment between our look and its end, in which it may have stopped one more.
    assert.ok(stopped.length <= 1, `${stopped.length} of ${running.size} containers stopped with knarr`)
    assert.ok(running.size >= replicas, `${running.size} containers run while knarr does not`)

    const upMs = systemClock.monotonic()
    await home.up()
    t.diagnostic(`up again in ${Math.round(systemClock.monotonic() - upMs)} ms`)
    await eventually("the end of the rollout", isRolledOut)
    t.diagnostic(`rolled out ${Math.round(systemClock.monotonic() - upMs)} ms after up`)
    const after = (await pods()).filter((one) => !one.metadata.deletionTimestamp)
    assert.equal(after.length, replicas)
    let adopted = 0
    for (const one of after) {
      assert.equal(one.metadata.annotations!["round"], "2")
      assert.equal(one.status.containerStatuses![0]!.restartCount, 0, `${one.metadata.name} was restarted`)
      const before = running.get(containerId(one)!)
      if (!before) continue
      adopted++
      assert.ok(isRunning(before), `the process of ${one.metadata.name} is another one`)
    }
    assert.ok(adopted >= 2, `${adopted} pods of the new round were there before the crash`)
  },
)
