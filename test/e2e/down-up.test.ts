import assert from "node:assert/strict"
import { test } from "node:test"
import { inspect } from "node:util"
import { job, pod, type Pod, type PodSpec } from "@knarr/api"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { KnarrHome, eventually } from "./knarr-command.ts"

const namespace = "default"

/** What each container ran writes a line to the pod's volume, which outlives them. */
function logging(restartPolicy: string, containers: Readonly<Record<string, string>>): PodSpec {
  const volumeMounts = [{ name: "d", mountPath: "/d" }]
  const container = (name: string, script: string) => ({
    ...{ name, image: "hello:1", volumeMounts },
    command: ["sh", "-c", `echo ${name} >>/d/log; ${script}`],
  })
  return {
    restartPolicy,
    terminationGracePeriodSeconds: 1,
    initContainers: [container("init", "true")],
    containers: Object.entries(containers).map(([name, script]) => container(name, script)),
    volumes: [{ name: "d", emptyDir: {} }],
  }
}

test(
  "down and up keep what a power cut keeps: what ended does not run again",
  { timeout: 120_000 },
  async () => {
    await using home = new KnarrHome("downup")
    await home.up()
    await home.loadImage(await buildHelloImage("1"))
    const { client, transport } = await home.connect()
    using _transport = transport
    const create = (name: string, spec: PodSpec) =>
      client.create(pod, { metadata: { namespace, name }, spec })
    await create("never", logging("Never", { main: "sleep 1000" }))
    await create("finished", logging("OnFailure", { done: "true" }))
    await create("half", logging("OnFailure", { done: "true", main: "sleep 1000" }))
    await create("always", logging("Always", { main: "sleep 1000" }))
    const template = { metadata: {}, spec: logging("Never", { done: "true" }) }
    await client.create(job, { metadata: { namespace, name: "job" }, spec: { template, completions: 2 } })

    const podNamed = (name: string): Promise<Pod> => client.get(pod, { namespace, name })
    const stateOf = (one: Pod, name: string) =>
      one.status.containerStatuses?.find((status) => status.name === name)?.state
    const jobPods = async (): Promise<readonly Pod[]> =>
      (await client.list(pod, { namespace, labelSelector: "job-name=job" })).items
    await eventually("everything to run or to have run", async () => {
      const [never, finished, half, always] = await Promise.all(
        ["never", "finished", "half", "always"].map(podNamed),
      )
      const { status } = await client.get(job, { namespace, name: "job" })
      const there = {
        job: status?.succeeded === 2,
        never: stateOf(never!, "main")?.running,
        finished: finished!.status.phase === "Succeeded",
        half: stateOf(half!, "done")?.terminated && stateOf(half!, "main")?.running,
        always: stateOf(always!, "main")?.running,
      }
      const missing = Object.entries(there).filter(([, value]) => !value)
      assert.deepEqual(missing, [], inspect({ missing, never, finished, half, always }, { depth: 8 }))
      return there
    })
    const before = new Map((await jobPods()).map((one) => [one.metadata.uid, one]))
    const finishedBefore = await podNamed("finished")

    await home.knarr("down", "--name", home.name)
    await home.up()
    const half = await eventually("what restarts to run again", async () => {
      const [one, always] = await Promise.all([podNamed("half"), podNamed("always")])
      const restarted = [one, always].every(
        (each) =>
          stateOf(each, "main")?.running &&
          each.status.containerStatuses?.find(({ name }) => name === "main")?.restartCount === 1,
      )
      return restarted ? one : undefined
    })
    const never = await eventually("the pod that must not restart to have failed", async () => {
      const one = await podNamed("never")
      return one.status.phase === "Failed" ? one : undefined
    })
    assert.equal(never.status.containerStatuses![0]!.restartCount, 0)
    assert.notEqual(stateOf(never, "main")!.terminated!.exitCode, 0)
    const log = await home.kubectl(["exec", "half", "-c", "main", "--", "cat", "/d/log"])
    assert.equal(log.split("\n").filter((line) => line === "done").length, 1, log)
    assert.equal(half.status.containerStatuses!.find(({ name }) => name === "done")!.restartCount, 0)
    const finished = await podNamed("finished")
    assert.deepEqual(finished.status.containerStatuses, finishedBefore.status.containerStatuses)
    assert.deepEqual(finished.status.initContainerStatuses, finishedBefore.status.initContainerStatuses)
    const after = await jobPods()
    assert.equal(after.length, 2)
    for (const one of after)
      assert.deepEqual(
        one.status.containerStatuses,
        before.get(one.metadata.uid)?.status.containerStatuses,
        one.metadata.name,
      )
  },
)
