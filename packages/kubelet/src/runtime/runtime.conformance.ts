/** What every {@link ContainerRuntime} does; each implementation's test runs this suite. */
import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import { systemClock, withTimeout } from "@knarr/base"
import { grpcCodes } from "@knarr/grpc"
import {
  RuntimeError,
  isRuntimeNotFound,
  type ContainerRuntime,
  type RuntimeEvent,
  type StoppedEvent,
  type RuntimeRequest,
} from "./container-runtime.ts"

export interface RuntimeHarness {
  /** An image with a shell, present in the runtime. */
  readonly image: string
  /** An image that may be removed. */
  readonly spareImage: string
  /** Where the sandboxes' cgroups go. */
  readonly cgroupParent: string
  /** A further client of the same runtime. */
  connect(): ContainerRuntime
  dispose(): Promise<void>
}

/** Declares the tests. Real time bounds every wait; a runtime on a virtual clock must move it by itself. */
export function runtimeConformance(
  name: string,
  options: { readonly skip?: string | false; readonly create: () => Promise<RuntimeHarness> },
): void {
  describe(name, { skip: options.skip ?? false, timeout: 180_000 }, () => {
    let harness: RuntimeHarness
    let runtime: ContainerRuntime
    let watcher: EventLog
    const signal = AbortSignal.timeout(170_000)
    const call = { signal }
    let serial = 0

    before(async () => {
      harness = await options.create()
      runtime = harness.connect()
      watcher = new EventLog(runtime)
      await watcher.find((event) => event.type === "resync")
    })
    after(async () => {
      await watcher?.stop()
      await runtime?.close()
      await harness?.dispose()
    })

    const sandboxConfig = (
      labels: Record<string, string> = {},
    ): RuntimeRequest<"runPodSandbox">["config"] => ({
      metadata: { name: `pod-${++serial}`, namespace: "default", uid: `uid-${serial}`, attempt: 0 },
      hostname: "pod",
      labels: { "io.kubernetes.pod.name": `pod-${serial}`, ...labels },
      annotations: { note: "kept" },
      linux: { cgroupParent: harness.cgroupParent },
    })
    const runSandbox = async (labels?: Record<string, string>) => {
      const config = sandboxConfig(labels)
      const { podSandboxId } = await runtime.runPodSandbox({ config }, call)
      return { podSandboxId, sandboxConfig: config }
    }
    type Sandbox = Awaited<ReturnType<typeof runSandbox>>
    const create = async (
      sandbox: Sandbox,
      script: string,
      container = "main",
      attempt = 0,
    ): Promise<string> => {
      const { containerId } = await runtime.createContainer(
        {
          ...sandbox,
          config: {
            metadata: { name: container, attempt },
            image: { image: harness.image },
            command: ["/bin/sh", "-c", script],
            envs: [{ key: "GREETING", value: "hello" }],
            labels: { "io.kubernetes.container.name": container },
            annotations: { hash: "abc" },
            linux: { resources: { memoryLimitInBytes: 64 * 1024 * 1024, cpuShares: 128 } },
          },
        },
        call,
      )
      return containerId
    }
    const start = async (sandbox: Sandbox, script: string, container?: string): Promise<string> => {
      const containerId = await create(sandbox, script, container)
      await runtime.startContainer({ containerId }, call)
      return containerId
    }
    const remove = async ({ podSandboxId }: Sandbox): Promise<void> => {
      await runtime.stopPodSandbox({ podSandboxId }, call)
      await runtime.removePodSandbox({ podSandboxId }, call)
    }
    const statusOf = async (containerId: string) =>
      (await runtime.containerStatus({ containerId }, call)).status!

    test("The runtime says who it is and that it is ready", async () => {
      assert.equal((await runtime.version({}, call)).runtimeApiVersion, "v1")
      const { status } = await runtime.status({}, call)
      for (const type of ["RuntimeReady", "NetworkReady"])
        assert.equal(status!.conditions.find((condition) => condition.type === type)?.status, true, type)
    })

    test("A sandbox lives, stops and goes; stopping and removing it again changes nothing", async () => {
      const { podSandboxId } = await runSandbox({ app: "web" })
      const { status } = await runtime.podSandboxStatus({ podSandboxId }, call)
      assert.equal(status!.state, "SANDBOX_READY")
      assert.match(status!.network!.ip, /^\d+\.\d+\.\d+\.\d+$/)
      assert.equal(status!.labels["app"], "web")
      assert.deepEqual(status!.annotations, { note: "kept" })
      await runtime.stopPodSandbox({ podSandboxId }, call)
      await runtime.stopPodSandbox({ podSandboxId }, call)
      const stopped = await runtime.podSandboxStatus({ podSandboxId }, call)
      assert.equal(stopped.status!.state, "SANDBOX_NOTREADY")
      await watcher.stopped(podSandboxId)
      await runtime.removePodSandbox({ podSandboxId }, call)
      await runtime.removePodSandbox({ podSandboxId }, call)
      await assert.rejects(runtime.podSandboxStatus({ podSandboxId }, call), isRuntimeNotFound)
    })

    test("A sandbox's name is taken until the sandbox is removed", async () => {
      const sandbox = await runSandbox()
      await assert.rejects(
        runtime.runPodSandbox({ config: sandbox.sandboxConfig }, call),
        (thrown) => thrown instanceof RuntimeError && /is reserved for/.test(thrown.message),
      )
      await remove(sandbox)
      const { podSandboxId } = await runtime.runPodSandbox({ config: sandbox.sandboxConfig }, call)
      await remove({ ...sandbox, podSandboxId })
    })

    test("A container is created, started, stopped and removed, and its end is told", async () => {
      const sandbox = await runSandbox()
      const containerId = await create(sandbox, 'trap "exit 7" TERM; sleep 1000 & wait')
      const created = await statusOf(containerId)
      assert.equal(created.state, "CONTAINER_CREATED")
      assert.equal(created.startedAt, 0)
      assert.deepEqual(created.annotations, { hash: "abc" })
      await runtime.startContainer({ containerId }, call)
      const running = await statusOf(containerId)
      assert.equal(running.state, "CONTAINER_RUNNING")
      assert.ok(running.startedAt > 0)
      await assert.rejects(runtime.startContainer({ containerId }, call), RuntimeError)
      if (!(await trapIsSet(runtime, containerId, signal))) assert.fail("the container's shell did not start")
      await runtime.stopContainer({ containerId, timeout: 30 }, call)
      assert.equal((await watcher.stopped(containerId)).exitCode, 7)
      const stopped = await statusOf(containerId)
      assert.equal(stopped.state, "CONTAINER_EXITED")
      assert.equal(stopped.exitCode, 7)
      assert.equal(stopped.reason, "Error")
      assert.ok(stopped.finishedAt >= stopped.startedAt)
      await runtime.stopContainer({ containerId, timeout: 1 }, call)
      await runtime.removeContainer({ containerId }, call)
      await runtime.removeContainer({ containerId }, call)
      await assert.rejects(runtime.containerStatus({ containerId }, call), isRuntimeNotFound)
      await remove(sandbox)
    })

    test("A container that ends by itself is already ended in its status when the event comes", async () => {
      const sandbox = await runSandbox()
      for (const [exitCode, reason] of [
        [0, "Completed"],
        [3, "Error"],
      ] as const) {
        const containerId = await start(sandbox, `exit ${exitCode}`, `exit-${exitCode}`)
        assert.equal((await watcher.stopped(containerId)).exitCode, exitCode)
        const status = await statusOf(containerId)
        assert.equal(status.state, "CONTAINER_EXITED")
        assert.equal(status.exitCode, exitCode)
        assert.equal(status.reason, reason)
      }
      await remove(sandbox)
    })

    test("A container without a grace period, or in a sandbox that stops, is killed", async () => {
      const sandbox = await runSandbox()
      const first = await start(sandbox, "sleep 1000", "first")
      const second = await start(sandbox, "sleep 1000", "second")
      await runtime.stopContainer({ containerId: first, timeout: 0 }, call)
      assert.equal((await statusOf(first)).exitCode, 137)
      await runtime.stopPodSandbox({ podSandboxId: sandbox.podSandboxId }, call)
      assert.equal((await watcher.stopped(second)).exitCode, 137)
      await runtime.removePodSandbox({ podSandboxId: sandbox.podSandboxId }, call)
      await assert.rejects(runtime.containerStatus({ containerId: second }, call), isRuntimeNotFound)
    })

    test("Lists are filtered by id, state, sandbox and labels", async () => {
      const one = await runSandbox({ set: "a", which: "one" })
      const two = await runSandbox({ set: "a", which: "two" })
      const sandboxIds = async (filter: RuntimeRequest<"listPodSandbox">["filter"]): Promise<string[]> =>
        (await runtime.listPodSandbox({ filter }, call)).items.map((item) => item.id).sort()
      const both = [one.podSandboxId, two.podSandboxId].sort()
      assert.deepEqual(await sandboxIds({ labelSelector: { set: "a" } }), both)
      assert.deepEqual(await sandboxIds({ labelSelector: { set: "a", which: "two" } }), [two.podSandboxId])
      assert.deepEqual(await sandboxIds({ id: one.podSandboxId }), [one.podSandboxId])
      assert.deepEqual(
        await sandboxIds({ labelSelector: { set: "a" }, state: { state: "SANDBOX_NOTREADY" } }),
        [],
      )
      const running = await start(one, "sleep 1000", "running")
      const created = await create(one, "sleep 1000", "created")
      await start(two, "sleep 1000", "other")
      const containerIds = async (filter: RuntimeRequest<"listContainers">["filter"]): Promise<string[]> =>
        (await runtime.listContainers({ filter }, call)).containers.map((item) => item.id).sort()
      const { podSandboxId } = one
      assert.deepEqual(await containerIds({ podSandboxId }), [running, created].sort())
      assert.deepEqual(await containerIds({ podSandboxId, state: { state: "CONTAINER_RUNNING" } }), [running])
      const labelSelector = { "io.kubernetes.container.name": "created" }
      assert.deepEqual(await containerIds({ podSandboxId, labelSelector }), [created])
      await remove(one)
      await remove(two)
    })

    test("A command in a container gives its output and exit code", async () => {
      const sandbox = await runSandbox()
      const containerId = await start(sandbox, "sleep 1000")
      const cmd = ["/bin/sh", "-c", "echo out; echo err >&2; exit 5"]
      const result = await runtime.execSync({ containerId, cmd, timeout: 30 }, call)
      assert.equal(Buffer.from(result.stdout).toString(), "out\n")
      assert.equal(Buffer.from(result.stderr).toString(), "err\n")
      assert.equal(result.exitCode, 5)
      await assert.rejects(
        runtime.execSync({ containerId, cmd: ["/bin/sh", "-c", "sleep 1000"], timeout: 1 }, call),
        (thrown) => thrown instanceof RuntimeError && thrown.code === grpcCodes.deadlineExceeded,
      )
      await remove(sandbox)
    })

    test("Stats say what a container and its sandbox use", async () => {
      const sandbox = await runSandbox()
      const containerId = await start(sandbox, "sleep 1000")
      const { stats } = await runtime.containerStats({ containerId }, call)
      assert.equal(stats!.attributes!.id, containerId)
      assert.ok(stats!.memory!.workingSetBytes!.value > 0)
      assert.ok(stats!.cpu!.timestamp > 0)
      const filter = { podSandboxId: sandbox.podSandboxId }
      const list = await runtime.listContainerStats({ filter }, call)
      assert.deepEqual(
        list.stats.map((item) => item.attributes!.id),
        [containerId],
      )
      const pod = await runtime.podSandboxStats({ podSandboxId: sandbox.podSandboxId }, call)
      assert.equal(pod.stats!.attributes!.id, sandbox.podSandboxId)
      await remove(sandbox)
    })

    test("Images are listed, found by name and removed", async () => {
      const { image } = await runtime.imageStatus({ image: { image: harness.spareImage } }, call)
      assert.ok(image!.repoTags.includes(harness.spareImage))
      assert.ok(image!.size > 0)
      const { images } = await runtime.listImages({}, call)
      assert.ok(images.some((item) => item.id === image!.id))
      const missing = await runtime.imageStatus({ image: { image: "nowhere.invalid/none:1" } }, call)
      assert.equal(missing.image, undefined)
      await runtime.removeImage({ image: { image: harness.spareImage } }, call)
      await runtime.removeImage({ image: { image: harness.spareImage } }, call)
      const removed = await runtime.imageStatus({ image: { image: harness.spareImage } }, call)
      assert.equal(removed.image, undefined)
      const info = await runtime.imageFsInfo({}, call)
      // containerd measures every ten seconds, so a young one has used nothing yet.
      assert.notEqual(info.imageFilesystems[0]!.fsId!.mountpoint, "")
    })

    test("A new client finds what runs and begins with a resync", async () => {
      const sandbox = await runSandbox()
      const containerId = await start(sandbox, "sleep 1000")
      const second = harness.connect()
      const log = new EventLog(second)
      await log.find((event) => event.type === "resync")
      const { containers } = await second.listContainers({ filter: { id: containerId } }, call)
      assert.equal(containers[0]!.state, "CONTAINER_RUNNING")
      await runtime.stopContainer({ containerId, timeout: 0 }, call)
      assert.equal((await log.stopped(containerId)).exitCode, 137)
      await log.stop()
      await second.close()
      await assert.rejects(second.version({}, call), RuntimeError)
      await remove(sandbox)
    })

    test("Whatever is unknown is not found", async () => {
      await assert.rejects(runtime.containerStatus({ containerId: "none" }, call), isRuntimeNotFound)
      await assert.rejects(runtime.podSandboxStatus({ podSandboxId: "none" }, call), isRuntimeNotFound)
      await runtime.removeContainer({ containerId: "none" }, call)
      await runtime.removePodSandbox({ podSandboxId: "none" }, call)
    })

    test("An aborted call rejects with its signal's reason", async () => {
      const reason = new Error("changed my mind")
      await assert.rejects(runtime.version({}, { signal: AbortSignal.abort(reason) }), reason)
    })
  })
}

/** Whether the shell answers, and so has read its script's first line. */
async function trapIsSet(
  runtime: ContainerRuntime,
  containerId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const cmd = ["/bin/sh", "-c", "until grep -q sleep /proc/*/comm; do :; done"]
  const { exitCode } = await runtime.execSync({ containerId, cmd, timeout: 60 }, { signal })
  return exitCode === 0
}

/** Everything that a runtime told so far. */
class EventLog {
  readonly #events: RuntimeEvent[] = []
  readonly #stop = new AbortController()
  readonly #reading: Promise<void>
  #wake: () => void = () => {}

  constructor(runtime: ContainerRuntime) {
    this.#reading = (async () => {
      for await (const event of runtime.events(this.#stop.signal)) {
        this.#events.push(event)
        this.#wake()
      }
    })()
  }

  find(predicate: (event: RuntimeEvent) => boolean): Promise<RuntimeEvent> {
    const never = new AbortController().signal
    return withTimeout(systemClock, 30_000, "an event of the runtime", never, async (signal) => {
      for (;;) {
        const found = this.#events.find(predicate)
        if (found) return found
        await new Promise<void>((resolve, reject) => {
          this.#wake = resolve
          signal.addEventListener("abort", () => reject(signal.reason), { once: true })
        })
      }
    })
  }

  async stopped(containerId: string): Promise<StoppedEvent> {
    return (await this.find(
      (event) => event.type === "stopped" && event.containerId === containerId,
    )) as StoppedEvent
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#reading
  }
}
