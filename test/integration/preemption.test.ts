import assert from "node:assert/strict"
import { test } from "node:test"
import { event, pod, podDisruptionBudget, priorityClass, replicaSet, type Pod } from "@knarr/api"
import { startControlPlane, type TestControlPlane } from "knarr/testing"

const namespace = "default"

/** Two nodes of four cpus, with pods of all sorts. */
async function inCluster(run: (cluster: Preempting) => Promise<void>): Promise<void> {
  await using cluster = await startControlPlane({
    seed: 3,
    nodes: ["a", "b"].map((name) => ({
      name,
      behaviour: ({ config }) => ({ stopAfterMs: config.image?.image === "second" ? 5400 : 5000 }),
    })),
  })
  const { client, clock, informers } = cluster
  const pods = informers.informer(pod)
  for (const [name, value] of [
    ["high", 1000],
    ["mid", 100],
    ["low", 10],
  ] as const)
    await client.create(priorityClass, { metadata: { name }, value } as never)
  const polite = { metadata: { name: "polite" }, value: 1000, preemptionPolicy: "Never" }
  await client.create(priorityClass, polite as never)
  await run({
    cluster,
    pods: () => pods.list(namespace),
    find: (name) => pods.get({ namespace, name }),
    create: (name, priorityClassName, cpu, more = {}) =>
      client.create(pod, {
        metadata: { namespace, name, labels: { app: name } },
        spec: {
          priorityClassName,
          containers: [{ name: "c", image: "c", resources: { requests: { cpu } } }],
          ...more,
        },
      } as never),
    until: (what, done) => clock!.runUntil(done, { what, limitMs: 120_000 }),
  })
}

interface Preempting {
  readonly cluster: TestControlPlane
  pods(): readonly Pod[]
  find(name: string): Pod | undefined
  create(name: string, priorityClassName: string, cpu: string, more?: object): Promise<Pod>
  until(what: string, done: () => boolean): Promise<void>
}

const isRunning = (one: Pod | undefined): boolean => one?.status.phase === "Running"
const conditionOf = (one: Pod | undefined, type: string) =>
  one?.status.conditions?.find((condition) => condition.type === type)

test("an important pod takes the place of the least important one, who is told why and has time to end", () =>
  inCluster(async ({ cluster, find, create, until }) => {
    await create("low-1", "low", "3")
    await create("mid-1", "mid", "3")
    await until("both to run", () => isRunning(find("low-1")) && isRunning(find("mid-1")))
    const place = find("low-1")!.spec.nodeName
    const made = await create("high-1", "high", "2")
    await until("the promise", () => find("high-1")?.status.nominatedNodeName === place)
    await until("the victim to be told", () => find("low-1")?.metadata.deletionTimestamp !== undefined)
    const { status, reason, message } = conditionOf(find("low-1"), "DisruptionTarget")!
    assert.deepEqual(
      [status, reason, message],
      ["True", "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"],
    )
    assert.match(
      conditionOf(find("high-1"), "PodScheduled")!.message!,
      /^0\/2 nodes are available: 2 Insufficient cpu\. preemption: found a potential placement for pod on node [ab], preempting 1 victims$/,
    )
    await until("the important one to run", () => isRunning(find("high-1")))
    assert.equal(find("high-1")!.spec.nodeName, place)
    assert.ok(isRunning(find("mid-1")))
    assert.equal(find("low-1"), undefined)
    const { items } = await cluster.client.list(event, { namespace })
    const told = items.find((one) => one.reason === "Preempted")!
    assert.deepEqual(
      [told.involvedObject.name, told.type, told.message],
      ["low-1", "Normal", `Preempted by pod ${made.metadata.uid} on node ${place}`],
    )
  }))

test("nobody gives way to a pod that does not want it, to an equal, or for room that would not be enough", () =>
  inCluster(async ({ pods, find, create, until }) => {
    await create("mid-1", "mid", "3")
    await create("mid-2", "mid", "3")
    await until("both to run", () => pods().every(isRunning))
    await create("never", "polite", "2")
    await create("equal", "mid", "2")
    await create("big", "high", "5")
    const told = (name: string): string => conditionOf(find(name), "PodScheduled")?.message ?? ""
    await until("all to be told", () => ["never", "equal", "big"].every((name) => told(name) !== ""))
    const none = "0/2 nodes are available: 2 Insufficient cpu. preemption: "
    assert.equal(told("never"), `${none}not eligible due to preemptionPolicy=Never.`)
    assert.equal(
      told("equal"),
      `${none}0/2 nodes are available: 2 No preemption victims found for incoming pod.`,
    )
    assert.equal(told("big"), `${none}0/2 nodes are available: 2 Preemption is not helpful for scheduling.`)
    assert.ok(pods().every(({ metadata }) => metadata.deletionTimestamp === undefined))
  }))

test("budgets are kept where another node costs less", () =>
  inCluster(async ({ cluster, pods, find, create, until }) => {
    const spec = { minAvailable: 1, selector: { matchLabels: { app: "kept" } } }
    await cluster.client.create(podDisruptionBudget, { metadata: { namespace, name: "kept" }, spec } as never)
    await create("kept", "low", "3")
    await create("free", "mid", "3")
    await until("both to run", () => pods().every(isRunning))
    await cluster.clock!.advance(2000)
    await create("high", "high", "2")
    await until("the important one to run", () => isRunning(find("high")))
    assert.ok(isRunning(find("kept")))
    assert.equal(find("free"), undefined)
  }))

test("many important pods at once drive away as many as they need, and all of them run", () =>
  inCluster(async ({ pods, create, until }) => {
    for (let i = 0; i < 8; i++) await create(`low-${i}`, "low", "900m")
    await until("all to run", () => pods().filter(isRunning).length === 8)
    for (let i = 0; i < 6; i++) await create(`high-${i}`, "high", "900m")
    const important = (): readonly Pod[] => pods().filter(({ spec }) => spec.priorityClassName === "high")
    await until("the important ones to run", () => important().filter(isRunning).length === 6)
    await until("the victims to be gone", () => pods().length === 8)
    assert.equal(pods().filter((one) => isRunning(one) && one.spec.priorityClassName === "low").length, 2)
  }))

test("what takes a victim's place waits until the important pod has its own", () =>
  inCluster(async ({ cluster, pods, find, create, until }) => {
    const { client } = cluster
    const set = (name: string, priorityClassName: string, cpu: string) =>
      client.create(replicaSet, {
        metadata: { namespace, name },
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: {
              priorityClassName,
              nodeSelector: { "kubernetes.io/hostname": "a" },
              containers: [{ name: "c", image: name, resources: { requests: { cpu } } }],
            },
          },
        },
      } as never)
    const made = new Set<string>()
    const count = (prefix: string): number => [...made].filter((name) => name.startsWith(prefix)).length
    cluster.informers.informer(pod).subscribe({ added: ({ metadata }) => void made.add(metadata.name) })
    await set("first", "low", "800m")
    await set("second", "mid", "1200m")
    await set("third", "high", "1800m")
    await until("all to run", () => pods().length === 3 && pods().every(isRunning))
    await client.create(priorityClass, { metadata: { name: "highest" }, value: 2000 } as never)
    await create("important", "highest", "2", { nodeSelector: { "kubernetes.io/hostname": "a" } })
    await until("the important one to run", () => isRunning(find("important")))
    await cluster.clock!.advance(60_000)
    assert.deepEqual([count("first"), count("second"), count("third")], [2, 2, 1])
  }))
