import assert from "node:assert/strict"
import { mkdirSync, readFileSync, readdirSync, rmdirSync } from "node:fs"
import { createHash } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { test } from "node:test"
import { connectRuntime } from "./node-runtime.ts"
import { defaultRunDir, ensureContainerd } from "./containerd.ts"
import { env, pollUntil, shellImage, skip, spareImage, startContainerd } from "./containerd-fixture.ts"
import { RuntimeError, type RuntimeCalls } from "./container-runtime.ts"
import { watchContainerd } from "./containerd-events.ts"
import { createCriRuntime } from "./cri-runtime.ts"
import { hostArchitecture } from "./oci-image.ts"
import { pauseImage } from "./pause-image.ts"
import { runtimeConformance } from "./runtime.conformance.ts"

runtimeConformance("containerd through the CRI", {
  skip,
  async create() {
    const { containerd, dispose } = await startContainerd()
    const cgroupParent = `/knarr-test-${process.pid}`
    return {
      cgroupParent,
      image: shellImage,
      spareImage: spareImage,
      connect: () => createCriRuntime({ socket: containerd.socket, env }),
      async dispose() {
        await dispose()
        removeCgroup(cgroupParent)
      },
    }
  },
})

/** Removes an empty cgroup from every hierarchy, version 1 or 2. */
function removeCgroup(path: string): void {
  const root = "/sys/fs/cgroup"
  for (const hierarchy of ["", ...readdirSync(root)]) {
    try {
      rmdirSync(join(root, hierarchy, path))
    } catch {
      // It is not in this hierarchy.
    }
  }
}

test(
  "containerd and its containers outlive us, a crash of the daemon and a new configuration",
  { skip, timeout: 120_000 },
  async () => {
    const { containerd, options, signal, dispose } = await startContainerd()
    const stop = new AbortController()
    try {
      const call = { signal }
      const sandboxConfig = {
        metadata: { name: "p", namespace: "d", uid: "u" },
        logDirectory: join(options.dir, "logs"),
      }
      const { podSandboxId } = await containerd.runtime.runPodSandbox({ config: sandboxConfig }, call)
      const config = {
        metadata: { name: "c" },
        image: { image: shellImage },
        command: ["/bin/sh", "-c", "echo hello; sleep 1000"],
        logPath: "c/0.log",
      }
      mkdirSync(join(options.dir, "logs/c"), { recursive: true })
      const { containerId } = await containerd.runtime.createContainer(
        { podSandboxId, config, sandboxConfig },
        call,
      )
      await containerd.runtime.startContainer({ containerId }, call)
      const log = await pollUntil(
        async () => readFileSync(join(options.dir, "logs/c/0.log"), "utf8"),
        (text) => text.endsWith("\n"),
      )
      assert.match(log, /^\d{4}-\d\d-\d\dT\S+ stdout F hello\n$/)

      const again = await ensureContainerd(options, signal)
      assert.equal(again.adopted, true)
      assert.equal(again.pid, containerd.pid)

      // The same daemon, as a runtime that is somebody else's.
      const theirs = await connectRuntime({ socket: containerd.socket, env }, signal)
      assert.deepEqual([theirs.name, theirs.adopted, theirs.problem()], ["containerd", true, undefined])
      const listed = await theirs.runtime.listContainers({ filter: { id: containerId } }, call)
      assert.equal(listed.containers[0]!.state, "CONTAINER_RUNNING")
      const watching = assert.rejects(theirs.run(stop.signal), { name: "AbortError" })

      const supervising = assert.rejects(again.run(stop.signal), { name: "AbortError" })
      const events = again.runtime.events(stop.signal)[Symbol.asyncIterator]()
      assert.equal((await events.next()).value.type, "resync")
      const before = again.pid
      process.kill(before, "SIGKILL")
      assert.equal((await events.next()).value.type, "resync")
      assert.notEqual(again.pid, before)
      const after = await again.runtime.containerStatus({ containerId }, call)
      assert.equal(after.status!.state, "CONTAINER_RUNNING")
      stop.abort()
      await supervising
      await watching
      await theirs.close()
      await again.close()

      const changed = await ensureContainerd({ ...options, cniBinDir: "/opt/cni/bin" }, signal)
      assert.equal(changed.adopted, false)
      const { containers } = await changed.runtime.listContainers({ filter: { id: containerId } }, call)
      assert.equal(containers[0]!.state, "CONTAINER_RUNNING")
      const paused = await changed.runtime.imageStatus({ image: { image: pauseImage } }, call)
      assert.ok(paused.image)
      await changed.close()
      await ensureContainerd(options, signal).then((last) => last.close())
    } finally {
      stop.abort()
      await dispose()
    }
    assert.throws(() => readdirSync(defaultRunDir(options.dir)), { code: "ENOENT" })
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(options.dir))
  },
)

test(
  "An end is told when the status tells it, also while the start is still being written down",
  { skip, timeout: 120_000 },
  async () => {
    const { containerd, signal, dispose } = await startContainerd()
    const stop = new AbortController()
    try {
      const call = { signal }
      const { runtime, socket } = containerd
      const behind: string[] = ["CONTAINER_CREATED", "CONTAINER_CREATED", "CONTAINER_RUNNING"]
      const containerStatus: RuntimeCalls["containerStatus"] = async (request, options) => {
        const answer = await runtime.containerStatus(request, options)
        const state = behind.shift() as NonNullable<typeof answer.status>["state"] | undefined
        return state ? { ...answer, status: { ...answer.status!, state } } : answer
      }
      const events = watchContainerd({
        ...{ socket, env, signal: stop.signal, closing: stop.signal },
        runtime: { ...runtime, containerStatus },
        ending: () => undefined,
      })
      assert.equal((await events.next()).value?.type, "resync")
      const sandboxConfig = { metadata: { name: "p", namespace: "d", uid: "u" } }
      const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig }, call)
      const config = {
        ...{ metadata: { name: "c" }, image: { image: shellImage } },
        command: ["/bin/sh", "-c", "exit 5"],
      }
      const created = await runtime.createContainer({ podSandboxId, config, sandboxConfig }, call)
      await runtime.startContainer(created, call)
      const told = (await events.next()).value
      assert.deepEqual([told?.type, behind.length], ["stopped", 0])
      const { status } = await runtime.containerStatus(created, call)
      assert.deepEqual([status!.state, status!.exitCode], ["CONTAINER_EXITED", 5])
      await runtime.removePodSandbox({ podSandboxId }, call)
    } finally {
      stop.abort()
      await dispose()
    }
  },
)

test("A container that exceeds its memory is told apart", { skip, timeout: 120_000 }, async () => {
  const { containerd, signal, dispose } = await startContainerd()
  const cgroupParent = `/knarr-oom-${process.pid}`
  try {
    const call = { signal }
    const stop = new AbortController()
    const events = containerd.runtime.events(stop.signal)
    const sandboxConfig = { metadata: { name: "p", namespace: "d", uid: "u" }, linux: { cgroupParent } }
    const { podSandboxId } = await containerd.runtime.runPodSandbox({ config: sandboxConfig }, call)
    let containerId = ""
    for await (const event of events) {
      if (event.type === "resync") {
        const config = {
          metadata: { name: "c" },
          image: { image: shellImage },
          command: ["/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1"],
          linux: { resources: { memoryLimitInBytes: 32 * 1024 * 1024 } },
        }
        const created = await containerd.runtime.createContainer(
          { podSandboxId, config, sandboxConfig },
          call,
        )
        containerId = created.containerId
        await containerd.runtime.startContainer({ containerId }, call)
      } else if (event.containerId === containerId) {
        break
      }
    }
    stop.abort()
    const { status } = await containerd.runtime.containerStatus({ containerId }, call)
    assert.equal(status!.exitCode, 137)
    assert.equal(status!.reason, "OOMKilled")
  } finally {
    await dispose()
    removeCgroup(cgroupParent)
  }
})

test("Images of every registry are pulled through the mirror", { skip, timeout: 120_000 }, async () => {
  const digestOf = (data: Buffer): string => `sha256:${createHash("sha256").update(data).digest("hex")}`
  const layer = Buffer.alloc(1024)
  const config = Buffer.from(
    JSON.stringify({
      architecture: hostArchitecture(),
      os: "linux",
      rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    }),
  )
  const part = (kind: string, data: Buffer) => ({
    mediaType: `application/vnd.oci.image.${kind}`,
    digest: digestOf(data),
    size: data.length,
  })
  const type = "application/vnd.oci.image.manifest.v1+json"
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: part("config.v1+json", config),
      layers: [part("layer.v1.tar", layer)],
    }),
  )
  const asked: string[] = []
  const mirror = createServer((request, response) => {
    asked.push(request.url!)
    const path = new URL(request.url!, "http://mirror").pathname
    const data = [layer, config, manifest].find((item) => path.endsWith(digestOf(item)))
    const body = data ?? (path.endsWith("/manifests/2.0") ? manifest : undefined)
    if (!body) return void response.writeHead(404).end()
    response.writeHead(200, {
      "Content-Type": body === manifest ? type : "application/octet-stream",
      "Content-Length": body.length,
      "Docker-Content-Digest": digestOf(body),
    })
    response.end(request.method === "HEAD" ? undefined : body)
  })
  await new Promise<void>((resolve) => mirror.listen(0, "127.0.0.1", resolve))
  const registryMirror = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`
  const { containerd, signal, dispose } = await startContainerd({ registryMirror })
  try {
    const image = { image: "registry.invalid/team/app:2.0" }
    const { imageRef } = await containerd.runtime.pullImage({ image }, { signal })
    assert.equal(imageRef, digestOf(config))
    assert.ok(
      asked.some((url) => url === "/v2/team/app/manifests/2.0?ns=registry.invalid"),
      asked.join(" "),
    )
    const found = await containerd.runtime.imageStatus({ image }, { signal })
    assert.deepEqual(found.image!.repoDigests, [`registry.invalid/team/app@${digestOf(manifest)}`])
    const none = { image: "registry.invalid/team/app:none" }
    await assert.rejects(containerd.runtime.pullImage({ image: none }, { signal }), RuntimeError)
  } finally {
    await dispose()
    mirror.closeAllConnections()
    mirror.close()
  }
})
