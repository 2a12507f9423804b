/**
 * One pod never stops the kubelet: whatever throws over it, by name, for as long as it likes, the others start, are
 * probed, refreshed and end; and the pod itself goes on when the fault is gone.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, type Pod } from "@knarr/api"
import type { VirtualClock } from "@knarr/base"
import type { Client } from "@knarr/client"
import { SimulatedHost, createSimulatedMachine, createSimulatedRuntime, startKubelet } from "@knarr/kubelet"
import { startControlPlane, type TestControlPlane } from "knarr/testing"
import { PodApi, nodeClient, nodeName, testLog } from "./kubelet-world.ts"

/** What the kubelet asks of others for one pod. */
const starting = {
  runtime: [
    "runPodSandbox",
    "podSandboxStatus",
    "createContainer",
    "startContainer",
    "containerStatus",
    "listContainers",
    "listPodSandbox",
    "execSync",
  ],
  pods: ["makeDir", "writeFile", "list", "setCgroup", "bindSubPath", "symlink", "request"],
  volumes: ["makeDirectory", "makeMemoryDirectory", "writePayload", "setOwnership", "setReady"],
  probes: ["http", "tcp"],
  client: ["list", "watch", "create", "patch", "createSubresource"],
}
const ending = {
  runtime: ["stopContainer", "stopPodSandbox", "removePodSandbox", "listContainers"],
  pods: ["unbindUnder", "removeCgroup", "remove"],
  volumes: ["removeTree", "removeIfEmpty"],
  client: ["delete"],
}

/** Throws in the calls of one name that have to do with one pod. */
class Faults {
  /** Name of a pod → `part.method`. */
  readonly calls = new Map<string, string>()
  /** Calls that have failed. */
  readonly seen = new Set<string>()
  readonly #host: SimulatedHost
  readonly #api: PodApi

  constructor(host: SimulatedHost, api: PodApi) {
    this.#host = host
    this.#api = api
  }

  /** A part whose calls may fail. */
  wrap<T extends object>(part: string, target: T): T {
    return new Proxy(Object.isFrozen(target) ? { ...target } : target, {
      get: (from, name) => {
        const value: unknown = Reflect.get(from, name)
        if (typeof value !== "function" || typeof name !== "string") return value
        return (...args: unknown[]) => {
          this.#check(`${part}.${name}`, args)
          return Reflect.apply(value, from, args) as unknown
        }
      },
    })
  }

  #check(call: string, args: readonly unknown[]): void {
    for (const [pod, fault] of this.calls) {
      if (fault !== call) continue
      const text = JSON.stringify(args)
      if (!this.#signsOf(pod).some((sign) => text.includes(sign))) continue
      this.seen.add(pod)
      throw new Error(`${call} fails`)
    }
  }

  /** What names the pod in a call. */
  #signsOf(pod: string): string[] {
    const signs = [`${pod}.`, this.#api.pod(pod)?.metadata.uid ?? `${pod}.`]
    for (const { id, ip, config } of this.#host.sandboxes.values())
      if (config.metadata!.name === pod) signs.push(id, ...(ip === "" ? [] : [`"${ip}"`, `/${ip}:`]))
    for (const { id, sandbox } of this.#host.containers.values())
      if (sandbox.config.metadata!.name === pod) signs.push(id)
    return signs
  }
}

/** Something of everything. Its ConfigMap is named like the pod, with a dot behind. */
function podSpec(name: string): Partial<Pod["spec"]> {
  const image = "example.com/app:1"
  const probe = { periodSeconds: 5 }
  return {
    terminationGracePeriodSeconds: 1,
    volumes: [
      { name: "conf", configMap: { name: `${name}.conf` } },
      { name: "mine", downwardAPI: { items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }] } },
      { name: "scratch", emptyDir: {} },
      { name: "token", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
    ],
    initContainers: [{ name: "side", image, restartPolicy: "Always" }],
    containers: [
      {
        name: "app",
        image,
        resources: { requests: { cpu: "1m" } },
        volumeMounts: [{ name: "scratch", mountPath: "/s", subPath: "deep" }],
        readinessProbe: { ...probe, httpGet: { port: 80 } },
        livenessProbe: { ...probe, tcpSocket: { port: 80 } },
        lifecycle: { postStart: { httpGet: { port: 80 } }, preStop: { exec: { command: ["true"] } } },
      },
      { name: "other", image, readinessProbe: { ...probe, exec: { command: ["true"] } } },
    ],
  }
}

interface World {
  readonly cluster: TestControlPlane
  readonly clock: VirtualClock
  readonly api: PodApi
  readonly faults: Faults
  make(name: string): Promise<void>
  until(what: string, done: () => boolean): Promise<void>
}

async function withWorld(run: (world: World) => Promise<void>): Promise<void> {
  await using cluster = await startControlPlane({ seed: 1, log: testLog })
  const clock = cluster.clock!
  const api = new PodApi(cluster)
  const host = new SimulatedHost({ env: cluster.env, podCIDR: "10.1.0.0/24" })
  const faults = new Faults(host, api)
  const machine = createSimulatedMachine({ hostname: nodeName, cpus: 64 })
  await startKubelet({
    ...{ env: cluster.env, scope: cluster.scope, nodeName, version: "v1.37.2" },
    client: faults.wrap<Client>("client", nodeClient(cluster)),
    runtime: faults.wrap("runtime", createSimulatedRuntime(host)),
    machine: {
      ...machine,
      pods: faults.wrap("pods", machine.pods),
      volumes: faults.wrap("volumes", machine.volumes),
      probes: faults.wrap("probes", machine.probes),
    },
  })
  await run({
    ...{ cluster, clock, api, faults },
    async make(name) {
      await cluster.client.create(configMap, {
        metadata: { namespace: "default", name: `${name}.conf` },
        data: { a: "1" },
      })
      await api.createPod(name, podSpec(name))
    },
    until: (what, done) => clock.runUntil(done, { limitMs: 900_000, what }),
  })
}

const callsOf = (parts: Readonly<Record<string, readonly string[]>>): string[] =>
  Object.entries(parts).flatMap(([part, methods]) => methods.map((method) => `${part}.${method}`))
const nameOf = (call: string): string => `bad-${call.replace(".", "-").toLowerCase()}`

test("Pods over which something throws while they start hold up no other, and start when it throws no more", () =>
  withWorld(async ({ api, faults, make, until, clock, cluster }) => {
    const calls = callsOf(starting)
    for (const call of calls) faults.calls.set(nameOf(call), call)
    for (const call of calls) await make(nameOf(call))
    await clock.advance(5000)
    await make("good")
    await until("the good pod is ready", () => api.isReady("good"))
    await clock.advance(120_000)
    assert.deepEqual(
      calls.filter((call) => !faults.seen.has(nameOf(call))),
      [],
      "calls that nothing threw in",
    )
    // Ends, too, and another comes.
    const ref = { namespace: "default", name: "good.conf" }
    await cluster.client.patch(configMap, ref, "merge", { data: { a: "2" } })
    await api.deletePod("good")
    await until("the good pod is gone", () => api.pod("good") === undefined)
    await make("late")
    await until("the late pod is ready", () => api.isReady("late"))
    assert.equal(api.isReady("late"), true)

    faults.calls.clear()
    for (const call of calls) await until(`the pod of ${call} is ready`, () => api.isReady(nameOf(call)))
  }))

test("Pods over which something throws while they end hold up no other, and end when it throws no more", () =>
  withWorld(async ({ api, faults, make, until, clock }) => {
    const calls = callsOf(ending)
    for (const call of calls) await make(nameOf(call))
    await make("good")
    for (const call of calls) await until(`the pod of ${call} is ready`, () => api.isReady(nameOf(call)))
    await until("the good pod is ready", () => api.isReady("good"))
    for (const call of calls) faults.calls.set(nameOf(call), call)
    for (const call of calls) await api.deletePod(nameOf(call))
    await clock.advance(60_000)
    await api.deletePod("good")
    await until("the good pod is gone", () => api.pod("good") === undefined)
    await make("late")
    await until("the late pod is ready", () => api.isReady("late"))
    assert.deepEqual(
      calls.filter((call) => !faults.seen.has(nameOf(call))),
      [],
      "calls that nothing threw in",
    )

    faults.calls.clear()
    for (const call of calls)
      await until(`the pod of ${call} is gone`, () => api.pod(nameOf(call)) === undefined)
  }))
