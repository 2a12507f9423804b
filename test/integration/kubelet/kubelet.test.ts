/** What the kubelet makes of pods, on a whole cluster in memory. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { startSimulatedWorld, type SimulatedWorld } from "./kubelet-world.ts"

const app = { name: "app", image: "example.com/app:1" }
const phase = (world: SimulatedWorld, name: string): string | undefined => world.api.pod(name)?.status.phase

test("Kubelet runs a pod to Ready and takes it away when it is deleted", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  const { host } = world.node
  await api.createPod("web", { containers: [app] })
  await world.until(() => world.api.isReady("web"))
  const { status } = api.pod("web")!
  assert.equal(status.phase, "Running")
  assert.equal(status.podIP, host.sandboxes.values().next().value!.ip)
  assert.equal(status.qosClass, "BestEffort")
  const [container] = status.containerStatuses!
  assert.equal(container!.ready, true)
  assert.equal(container!.started, true)
  assert.match(container!.containerID!, /^simulated:\/\/[0-9a-f]{64}$/)
  assert.deepEqual(container!.resources, {})

  await api.deletePod("web")
  await world.until(() => api.pod("web") === undefined)
  await world.until(() => host.sandboxes.size === 0 && host.containers.size === 0)
  assert.deepEqual(world.node.kubelet!.workers.pods(), [])
  const events = api.eventsOf("web")
  for (const event of [
    'Pulling: Pulling image "example.com/app:1"',
    "Created: Container created",
    "Started: Container started",
    "Killing: Stopping container app",
  ])
    assert.ok(events.includes(event), `${event} in ${events.join("\n")}`)
})

test("Kubelet restarts what crashes, ever more slowly, and says so", async () => {
  await using world = await startSimulatedWorld({ behaviour: () => ({ exitAfterMs: 500, exitCode: 2 }) })
  const { api, clock } = world
  const began = clock.now()
  await api.createPod("bad", { containers: [app] })
  const status = () => api.pod("bad")!.status.containerStatuses?.[0]
  const waiting = () => status()?.state?.waiting
  await world.until(() => waiting()?.reason === "CrashLoopBackOff")
  const uid = api.pod("bad")!.metadata.uid
  assert.equal(waiting()!.message, `back-off 10s restarting failed container=app pod=bad_default(${uid})`)
  assert.equal(status()!.lastState!.terminated!.exitCode, 2)
  assert.equal(status()!.lastState!.terminated!.reason, "Error")
  assert.equal(status()!.restartCount, 1)
  assert.equal(phase(world, "bad"), "Running")
  await world.until(() => status()!.restartCount === 4)
  // At once, then after 10, 20 and 40 seconds, each counted from the exit.
  assert.ok(Math.abs(clock.now() - began - 72_000) < 1500, `${clock.now() - began} ms`)
  await world.until(() => waiting()?.message?.startsWith("back-off 5m0s") === true, 3_600_000)
  const expected = `BackOff: Back-off restarting failed container app in pod bad_default(${uid})`
  assert.ok(api.eventsOf("bad").includes(expected))
  // Only the last two are kept, for logs.
  assert.ok(world.node.host.containers.size <= 2)
})

test("Kubelet runs init containers in order, then sidecars beside the main ones, and ends sidecars last", async () => {
  const order: string[] = []
  await using world = await startSimulatedWorld({
    behaviour: ({ config }) => {
      const { name } = config.metadata!
      order.push(name)
      return name.startsWith("init")
        ? { exitAfterMs: 1000 }
        : name === "main"
          ? { exitAfterMs: 60_000 }
          : { stopAfterMs: 100 }
    },
  })
  const { api, clock } = world
  const image = "example.com/app:1"
  await api.createPod("job", {
    restartPolicy: "Never",
    initContainers: [
      { name: "init1", image },
      { name: "side1", image, restartPolicy: "Always" },
      { name: "side2", image, restartPolicy: "Always" },
      { name: "init2", image },
    ],
    containers: [{ name: "main", image }],
  })
  await world.until(() => order.length === 4)
  const waiting = api.pod("job")!.status
  assert.equal(waiting.phase, "Pending")
  assert.deepEqual(waiting.containerStatuses![0]!.state!.waiting, { reason: "PodInitializing" })
  assert.equal(
    waiting.conditions!.find(({ type }) => type === "Initialized")!.message,
    "containers with incomplete status: [init2]",
  )
  await world.until(() => world.api.isReady("job"))
  assert.deepEqual(order, ["init1", "side1", "side2", "init2", "main"])
  await world.until(() => phase(world, "job") === "Succeeded")
  const { status } = api.pod("job")!
  assert.equal(status.conditions!.find(({ type }) => type === "Ready")!.reason, "PodCompleted")
  const ends = [...world.node.host.containers.values()].map(
    ({ config, finishedAtMs }) => [config.metadata!.name, finishedAtMs] as const,
  )
  const end = (name: string): number => ends.find(([other]) => other === name)![1]
  assert.ok(end("main") < end("side2") && end("side2") < end("side1"), JSON.stringify(ends))
  assert.equal(world.node.host.sandboxes.values().next().value!.state, "SANDBOX_NOTREADY")
  assert.ok(clock.now() > 0)
})

test("Kubelet keeps to the grace period, with the preStop hook in it", async () => {
  await using world = await startSimulatedWorld({
    behaviour: () => ({ stopAfterMs: 3_600_000 }),
    exec: (_, command) => ({ delayMs: command[0] === "drain" ? 4000 : 0 }),
  })
  const { api, clock } = world
  await api.createPod("slow", {
    terminationGracePeriodSeconds: 10,
    containers: [{ ...app, lifecycle: { preStop: { exec: { command: ["drain"] } } } }],
  })
  await world.until(() => world.api.isReady("slow"))
  const began = clock.now()
  await api.deletePod("slow")
  await world.until(() => api.pod("slow") === undefined)
  assert.equal(Math.round((clock.now() - began) / 1000), 10)
})

test("Kubelet shortens a termination that is under way", async () => {
  await using world = await startSimulatedWorld({ behaviour: () => ({ stopAfterMs: 3_600_000 }) })
  const { api, clock } = world
  await api.createPod("slow", { terminationGracePeriodSeconds: 3600, containers: [app] })
  await world.until(() => world.api.isReady("slow"))
  await api.deletePod("slow")
  await clock.advance(5000)
  const began = clock.now()
  await api.deletePod("slow", 3)
  await world.until(() => api.pod("slow") === undefined)
  assert.equal(Math.round((clock.now() - began) / 1000), 3)
  assert.equal(api.eventsOf("slow").filter((event) => event.startsWith("Killing")).length, 1)
})

test("Kubelet says why an image cannot be had, and tries again", async () => {
  let works = false
  await using world = await startSimulatedWorld({
    pull: () => (works ? { delayMs: 1200 } : { error: "no such host" }),
  })
  const { api, clock } = world
  await api.createPod("web", { containers: [app] })
  const waiting = () => api.pod("web")!.status.containerStatuses?.[0]?.state?.waiting
  await world.until(() => waiting()?.reason === "ErrImagePull")
  assert.equal(waiting()!.message, "no such host")
  await clock.advance(5000)
  world.node.kubelet!.workers.wake(api.pod("web")!.metadata.uid)
  await world.until(() => waiting()?.reason === "ImagePullBackOff")
  assert.equal(waiting()!.message, 'Back-off pulling image "example.com/app:1": ErrImagePull: no such host')
  assert.equal(phase(world, "web"), "Pending")
  works = true
  await world.until(() => world.api.isReady("web"))
  const events = api.eventsOf("web")
  for (const event of [
    'Failed: Failed to pull image "example.com/app:1": no such host',
    "Failed: Error: ErrImagePull",
    'BackOff: Back-off pulling image "example.com/app:1"',
    "Failed: Error: ImagePullBackOff",
    'Pulled: Successfully pulled image "example.com/app:1" in 1.2s (1.2s including waiting). Image size: 10000000 bytes.',
  ])
    assert.ok(events.includes(event), `${event} in\n${events.join("\n")}`)
})

test("Kubelet pulls the images of volumes before a container that mounts them, and says why it cannot", async () => {
  let works = false
  await using world = await startSimulatedWorld({
    pull: (image) => (works || image === app.image ? { delayMs: 10 } : { error: "no such host" }),
  })
  const { api, clock } = world
  const reference = "example.com/files:1"
  const mount = { name: "files", mountPath: "/files" }
  await api.createPod("web", {
    volumes: [{ name: "files", image: { reference } }],
    containers: [
      { ...app, volumeMounts: [mount] },
      { ...app, name: "beside" },
    ],
  })
  const of = (name: string) =>
    api.pod("web")!.status.containerStatuses?.find((one) => one.name === name)?.state
  await world.until(
    () => of("app")?.waiting?.reason === "ErrImagePull" && of("beside")?.running !== undefined,
  )
  assert.equal(of("app")!.waiting!.message, "no such host")
  await clock.advance(5000)
  world.node.kubelet!.workers.wake(api.pod("web")!.metadata.uid)
  await world.until(() => of("app")?.waiting?.reason === "ImagePullBackOff")
  works = true
  await world.until(() => world.api.isReady("web"))
  const events = api.eventsOf("web")
  for (const event of [
    `Failed: Failed to pull image "${reference}": no such host`,
    "Failed: Error: ErrImagePull",
    `BackOff: Back-off pulling image "${reference}"`,
    "Failed: Error: ImagePullBackOff",
    `Pulled: Successfully pulled image "${reference}" in 10ms (10ms including waiting). Image size: 10000000 bytes.`,
  ])
    assert.ok(events.includes(event), `${event} in\n${events.join("\n")}`)
})

test("Kubelet adopts after a restart, and ends what nobody wants", async () => {
  await using world = await startSimulatedWorld()
  const { api, clock } = world
  const { host } = world.node
  for (const name of ["stays", "gone", "ending"]) await api.createPod(name, { containers: [app] })
  await world.until(() => ["stays", "gone", "ending"].every((name) => world.api.isReady(name)))
  const id = api.pod("stays")!.status.containerStatuses![0]!.containerID
  await world.node.stop()
  await api.deletePod("gone", 0)
  await api.deletePod("ending")
  await world.node.start()
  await world.until(() => host.sandboxes.size === 1 && api.pod("ending") === undefined)
  await clock.advance(60_000)
  assert.equal(api.pod("stays")!.status.containerStatuses![0]!.containerID, id)
  assert.equal(api.pod("stays")!.status.containerStatuses![0]!.restartCount, 0)
  assert.equal(world.api.isReady("stays"), true)
})

test("Kubelet makes a new sandbox when the old one is lost", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  const { host } = world.node
  await api.createPod("web", { containers: [app] })
  await world.until(() => world.api.isReady("web"))
  const before = api.pod("web")!.status.containerStatuses![0]!.containerID
  host.stopSandbox(host.sandboxes.values().next().value!)
  await world.until(
    () => world.api.isReady("web") && api.pod("web")!.status.containerStatuses![0]!.containerID !== before,
  )
  const status = api.pod("web")!.status
  assert.equal(status.containerStatuses![0]!.restartCount, 1)
  assert.ok(
    api.eventsOf("web").includes("SandboxChanged: Pod sandbox changed, it will be killed and re-created."),
  )
})

test("Kubelet ends a pod at its deadline, and one that is evicted", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  await api.createPod("brief", { activeDeadlineSeconds: 30, containers: [app] })
  await api.createPod("victim", { containers: [app] })
  await world.until(() => world.api.isReady("victim"))
  const { uid } = api.pod("victim")!.metadata
  world.node.kubelet!.workers.evict(uid, {
    reason: "Evicted",
    message: "The node was low.",
    gracePeriodSeconds: 0,
  })
  await world.until(() => phase(world, "victim") === "Failed")
  const { status } = api.pod("victim")!
  assert.equal(status.reason, "Evicted")
  assert.equal(status.message, "The node was low.")
  assert.equal(
    status.conditions!.find(({ type }) => type === "DisruptionTarget")!.reason,
    "TerminationByKubelet",
  )
  await world.until(() => phase(world, "brief") === "Failed")
  assert.equal(api.pod("brief")!.status.reason, "DeadlineExceeded")
  assert.equal(
    api.pod("brief")!.status.message,
    "Pod was active on the node longer than the specified deadline",
  )
})

test("Kubelet refuses what the node cannot hold", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  await api.createPod("big", { containers: [{ ...app, resources: { requests: { cpu: "100" } } }] })
  await world.until(() => phase(world, "big") === "Failed")
  const { status } = api.pod("big")!
  assert.equal(status.reason, "OutOfcpu")
  assert.equal(
    status.message,
    "Pod was rejected: Node didn't have enough resource: cpu, requested: 100000, used: 0, capacity: 4000",
  )
  await api.deletePod("big")
  await world.until(() => api.pod("big") === undefined)
})

test("Kubelet refuses a pod whose status no request could hold, and says so once", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  const containers = Array.from({ length: 4_000 }, (_, i) => ({ name: `c${i}`, image: app.image }))
  await api.createPod("huge", { containers })
  await world.until(() => phase(world, "huge") === "Failed")
  const { status } = api.pod("huge")!
  assert.equal(status.reason, "PodTooLarge")
  assert.match(
    status.message!,
    /^Pod was rejected: the status of its 4000 containers would be larger than a request to the API may be/,
  )
  await api.deletePod("huge")
  await world.until(() => api.pod("huge") === undefined)
})

test("Kubelet starts ephemeral containers, and a changed image anew", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  await api.createPod("web", { containers: [app] })
  await world.until(() => world.api.isReady("web"))
  const debug = { name: "debug", image: "example.com/debug:1", targetContainerName: "app" }
  await api.patchPod("web", { ephemeralContainers: [debug] }, "ephemeralcontainers")
  await world.until(
    () => api.pod("web")!.status.ephemeralContainerStatuses?.[0]?.state?.running !== undefined,
  )
  await api.patchPod("web", { containers: [{ name: "app", image: "example.com/app:2" }] })
  await world.until(() => api.pod("web")!.status.containerStatuses![0]!.image === "example.com/app:2")
  assert.equal(api.pod("web")!.status.containerStatuses![0]!.restartCount, 1)
  assert.ok(api.eventsOf("web").includes("Killing: Container app definition changed, will be restarted"))
})

test("Kubelet reports a container that cannot be configured", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  await api.createPod("web", {
    containers: [
      { ...app, env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "a" } } }] },
      { name: "root", image: "example.com/root:1", securityContext: { runAsNonRoot: true } },
    ],
  })
  const waiting = (i: number) => api.pod("web")!.status.containerStatuses?.[i]?.state?.waiting
  await world.until(() => waiting(1)?.reason === "CreateContainerConfigError")
  assert.deepEqual(waiting(0), {
    reason: "CreateContainerConfigError",
    message: 'configmap "settings" not found',
  })
  const { uid } = api.pod("web")!.metadata
  assert.equal(
    waiting(1)!.message,
    `container has runAsNonRoot and image will run as root (pod: "web_default(${uid})", container: root)`,
  )
})

test("Kubelet restarts on a failed liveness probe and waits for readiness", async () => {
  let healthy = true
  await using world = await startSimulatedWorld({
    exec: (_, [command]) => ({ exitCode: command === "live" && !healthy ? 1 : 0, stdout: "" }),
  })
  const { api } = world
  const probe = (command: string) => ({
    exec: { command: [command] },
    initialDelaySeconds: 5,
    periodSeconds: 5,
    failureThreshold: 1,
  })
  await api.createPod("web", {
    containers: [{ ...app, livenessProbe: probe("live"), readinessProbe: probe("ready") }],
  })
  await world.until(() => world.api.isReady("web"))
  healthy = false
  await world.until(() => api.pod("web")!.status.containerStatuses![0]!.restartCount === 1)
  healthy = true
  await world.until(() => world.api.isReady("web"))
  assert.ok(api.eventsOf("web").includes("Killing: Container app failed liveness probe, will be restarted"))
})

test("Kubelet changes resources in place", async () => {
  await using world = await startSimulatedWorld()
  const { api } = world
  const { host } = world.node
  const resources = { requests: { cpu: "100m" }, limits: { cpu: "200m" } }
  await api.createPod("web", { containers: [{ ...app, resources }] })
  await world.until(() => world.api.isReady("web"))
  const { containerID } = api.pod("web")!.status.containerStatuses![0]!
  const wanted = { requests: { cpu: "200m" }, limits: { cpu: "400m" } }
  await api.patchPod("web", { containers: [{ name: "app", resources: wanted }] }, "resize")
  await world.until(() => api.pod("web")!.status.containerStatuses![0]!.resources!.limits!["cpu"] === "400m")
  const status = api.pod("web")!.status.containerStatuses![0]!
  assert.equal(status.containerID, containerID)
  assert.equal(status.restartCount, 0)
  assert.deepEqual(status.allocatedResources, wanted.requests)
  const linux = host.containers.get(containerID!.replace("simulated://", ""))!.config.linux!.resources!
  assert.equal(linux.cpuQuota, 40_000)
  assert.equal(linux.cpuShares, 204)
})
