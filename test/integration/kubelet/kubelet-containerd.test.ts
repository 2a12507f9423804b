/** The kubelet on a real containerd: needs root, containerd, runc, the CNI plugins and busybox. */
import assert from "node:assert/strict"
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from "node:fs"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { test } from "node:test"
import { promisify } from "node:util"
import { request } from "node:https"
import {
  type KeyPair,
  Scope,
  createCA,
  issueCertificate,
  systemClock,
  systemRandom,
  type Env,
  Meter,
} from "@knarr/base"
import {
  createImageTar,
  createLinuxMachine,
  ensureContainerd,
  findBinary,
  hostArchitecture,
  importImage,
  startKubelet,
  stopContainerd,
  type Containerd,
  type Kubelet,
} from "@knarr/kubelet"
import { clusterRoleBinding, configMap } from "@knarr/api"
import { startControlPlane, type TestControlPlane } from "knarr/testing"
import { nodeClient, nodeName, PodApi, testLog } from "./kubelet-world.ts"

const env: Env = { clock: systemClock, random: systemRandom, log: testLog, meter: new Meter() }
const image = "test.invalid/shell:1"

function has(program: string): boolean {
  try {
    findBinary(program)
    return true
  } catch {
    return false
  }
}

const missing = ["containerd", "ctr", "runc", "busybox"].filter((program) => !has(program))
const skip =
  process.getuid?.() !== 0
    ? "containers need root"
    : missing.length > 0
      ? `not installed: ${missing.join(", ")}`
      : false

function validity(): { serial: Uint8Array; notBeforeMs: number; notAfterMs: number } {
  const nowMs = env.clock.now()
  return { serial: env.random.bytes(16), notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 3_600_000 }
}

/** The hierarchies of cgroups: version 1 has one for each controller. */
const hierarchies = existsSync("/sys/fs/cgroup/cgroup.controllers")
  ? ["/sys/fs/cgroup"]
  : globSync("/sys/fs/cgroup/*/")

function cgroupsBelow(path: string): string[] {
  return hierarchies.flatMap((hierarchy) => globSync("*/", { cwd: join(hierarchy, path) }))
}

/** What containerd's own unit gives, where that is allowed. */
function openFiles(): number {
  const limits = readFileSync("/proc/self/limits", "utf8")
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)![1])
  const capabilities = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]}`)
  const mayRaise = ((capabilities >> 24n) & 1n) === 1n
  return mayRaise || hard >= 1_048_576 ? 1_048_576 : hard
}

/** Nothing runs in them any more. */
function removeCgroups(path: string): void {
  for (const hierarchy of hierarchies) {
    const found = globSync("**/", { cwd: join(hierarchy, path) })
    for (const one of found.sort((a, b) => b.length - a.length)) rmdirSync(join(hierarchy, path, one))
    if (existsSync(join(hierarchy, path))) rmdirSync(join(hierarchy, path))
  }
}

class World implements AsyncDisposable {
  readonly dir = mkdtempSync("/tmp/knarr-kubelet-")
  readonly signal = AbortSignal.timeout(150_000)
  readonly cgroupRoot = `/knarr-test-${process.pid}`
  readonly ca = createCA({ subject: { commonName: "test" }, ...validity() })
  cluster!: TestControlPlane
  api!: PodApi
  scope!: Scope
  containerd!: Containerd
  kubelet!: Kubelet

  async start(): Promise<this> {
    this.cluster = await startControlPlane({ log: testLog })
    this.api = new PodApi(this.cluster)
    this.scope = this.cluster.scope.child("node")
    // What the API server's own client may do on nodes.
    await this.cluster.client.create(clusterRoleBinding, {
      metadata: { name: "tester" },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: "system:kubelet-api-admin",
      },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "tester" }],
    })
    const cniConfDir = join(this.dir, "cni")
    mkdirSync(cniConfDir)
    const ranges = [[{ subnet: "10.253.78.0/24" }]]
    const plugin = { type: "ptp", ipam: { type: "host-local", dataDir: join(this.dir, "ipam"), ranges } }
    const network = { cniVersion: "0.4.0", name: "test", plugins: [plugin] }
    writeFileSync(join(cniConfDir, "10-test.conflist"), JSON.stringify(network))
    const options = { dir: this.dir, env, cniBinDir: "/usr/lib/cni", cniConfDir }
    this.containerd = await ensureContainerd(options, this.signal)
    const busybox = { path: "bin/busybox", mode: 0o755, data: readFileSync(findBinary("busybox")) }
    const links = ["sh", "sleep", "echo", "cat", "hostname", "id", "env", "touch", "ls", "true", "false"].map(
      (name) => ({
        path: `bin/${name}`,
        mode: 0o777,
        link: "busybox",
      }),
    )
    const tar = createImageTar({
      name: image,
      architecture: hostArchitecture(),
      files: [busybox, ...links, { path: "tmp/", mode: 0o1777 }],
      config: { Env: ["PATH=/bin"] },
    })
    await importImage(this.containerd.socket, tar, { signal: this.signal })
    const { runtime } = this.containerd
    await this.until(
      async () => (await runtime.imageStatus({ image: { image } }, { signal: this.signal })).image,
    )
    await this.startKubelet()
    return this
  }

  async startKubelet(): Promise<void> {
    const rootDir = join(this.dir, "kubelet")
    this.kubelet = await startKubelet({
      ...{ env, scope: this.scope, client: nodeClient(this.cluster), nodeName, version: "v1.37.2", rootDir },
      runtime: this.containerd.runtime,
      machine: createLinuxMachine({ clock: env.clock, rootDir, images: this.containerd.snapshots }),
      nodeIPs: ["127.0.0.1"],
      podLogsDir: join(this.dir, "logs"),
      containerLogsDir: join(this.dir, "container-logs"),
      clusterDNS: ["10.96.0.10"],
      ...{ tls: { ...this.certificate(nodeName), clientCA: this.ca.cert }, port: 0, address: "127.0.0.1" },
      cgroupRoot: this.cgroupRoot,
    })
  }

  async until<T>(ask: () => T | false | Promise<T | false>): Promise<NonNullable<T>> {
    for (;;) {
      this.signal.throwIfAborted()
      const value = await ask()
      if (value) return value as NonNullable<T>
      await env.clock.sleep(10, this.signal)
    }
  }

  certificate(commonName: string): KeyPair {
    return issueCertificate(this.ca, {
      subject: { commonName },
      ...validity(),
      ipAddresses: ["127.0.0.1"],
      usages: ["serverAuth", "clientAuth"],
    })
  }

  /** The answer of the kubelet's server. */
  get(path: string, method = "GET"): Promise<string> {
    const { port } = this.kubelet.server!
    const tls = { ...this.certificate("tester"), ca: this.ca.cert }
    return new Promise((resolve, reject) => {
      const sent = request({ ...tls, host: "127.0.0.1", port, path, method, agent: false }, (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
        response.on("end", () => resolve(`${response.statusCode} ${text}`))
      })
      sent.on("error", reject).end()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    await this.containerd.close()
    await stopContainerd({ dir: this.dir, env }, AbortSignal.timeout(60_000))
    removeCgroups(this.cgroupRoot)
    rmSync(this.dir, { recursive: true, force: true })
  }
}

test("Kubelet runs pods on containerd", { skip, timeout: 170_000 }, async (t) => {
  await using world = await new World().start()
  const { api } = world
  const started = env.clock.monotonic()
  await api.createPod("web", {
    hostname: "front",
    subdomain: "pages",
    containers: [
      {
        name: "app",
        image,
        command: [
          "sh",
          "-c",
          "hostname; cat /etc/hosts /etc/resolv.conf; env; id -u; trap 'exit 0' TERM; sleep 1000 & wait",
        ],
        env: [
          { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "HELLO", value: "hello $(NAME)" },
        ],
        resources: { requests: { cpu: "100m", memory: "10Mi" }, limits: { memory: "50Mi" } },
        securityContext: {
          runAsUser: 1234,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  })
  await world.until(() => world.api.isReady("web"))
  t.diagnostic(`one pod: Ready after ${Math.round(env.clock.monotonic() - started)} ms`)
  const { status, metadata } = api.pod("web")!
  assert.equal(status.phase, "Running")
  assert.match(status.podIP!, /^10\.253\.78\./)
  const logFile = join(world.dir, "logs", `default_web_${metadata.uid}`, "app", "0.log")
  const text = await world.until(() => {
    const found = readFileSync(logFile, "utf8")
    return found.includes(" 1234\n") && found
  })
  for (const line of [
    "front",
    `${status.podIP}\tfront.pages.default.svc.cluster.local\tfront`,
    "nameserver 10.96.0.10",
    "HELLO=hello web",
  ])
    assert.ok(text.includes(line), `${line} in ${text}`)

  assert.match(await world.get("/containerLogs/default/web/app?tailLines=1"), /^200 1234\n$/)
  assert.equal(
    await world.get("/containerLogs/default/web/other"),
    '404 container "other" not found in pod "web"\n',
  )
  assert.equal(await world.get("/run/default/web/app?cmd=hostname", "POST"), "200 front\n")
  assert.match(await world.get("/pods"), /^200 \{"kind":"PodList",.*"phase":"Running"/)
  assert.match(await world.get("/runningpods/"), /"name":"web"/)
  assert.match(await world.get("/stats/summary"), /"podRef":\{"name":"web"/)
  assert.match(await world.get("/metrics"), /^kubelet_running_pods 1$/m)

  await api.createPod("job", {
    restartPolicy: "Never",
    initContainers: [{ name: "first", image, command: ["true"] }],
    containers: [
      { name: "main", image, command: ["sh", "-c", "echo -n bye > /dev/termination-log; exit 3"] },
    ],
  })
  const ended = await world.until(() => api.pod("job")!.status.phase === "Failed" && api.pod("job")!.status)
  const main = ended.containerStatuses![0]!.state!.terminated!
  assert.equal(main.exitCode, 3)
  assert.equal(main.reason, "Error")
  assert.equal(main.message, "bye")
  assert.equal(ended.initContainerStatuses![0]!.ready, true)

  await api.createPod("host", {
    hostNetwork: true,
    shareProcessNamespace: true,
    restartPolicy: "Never",
    volumes: [{ name: "data", emptyDir: {} }],
    initContainers: [
      {
        name: "write",
        image,
        command: ["sh", "-c", "echo from-init > /data/file"],
        volumeMounts: [{ name: "data", mountPath: "/data", subPath: "deep/er" }],
      },
    ],
    containers: [
      {
        name: "read",
        image,
        command: ["sh", "-c", "cat /all/deep/er/file /etc/hosts; echo $(POD_IP)"],
        env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
        volumeMounts: [{ name: "data", mountPath: "/all", readOnly: true }],
        securityContext: { readOnlyRootFilesystem: true },
      },
    ],
  })
  await world.until(() => api.pod("host")!.status.phase === "Succeeded")
  assert.equal(api.pod("host")!.status.podIP, "127.0.0.1")
  const hostLog = join(world.dir, "logs", `default_host_${api.pod("host")!.metadata.uid}`, "read", "0.log")
  const hostText = readFileSync(hostLog, "utf8")
  for (const line of ["from-init", "# Kubernetes-managed hosts file (host network).", "127.0.0.1"])
    assert.ok(hostText.includes(line), `${line} in ${hostText}`)

  // Mounts go where they are asked to go, whatever the machine's root is, and open files are not the shell's few.
  await api.createPod("spread", {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: "data", emptyDir: {} }],
    containers: [
      {
        name: "app",
        image,
        command: [
          "sh",
          "-c",
          "busybox mount -t tmpfs tmpfs /data/in && touch /data/in/seen && ulimit -n && exec sleep 1000",
        ],
        securityContext: { privileged: true },
        volumeMounts: [{ name: "data", mountPath: "/data", mountPropagation: "Bidirectional" }],
      },
      {
        name: "other",
        image,
        command: ["sh", "-c", "until [ -e /data/in/seen ]; do sleep 0.05; done; exec sleep 1000"],
        volumeMounts: [{ name: "data", mountPath: "/data", mountPropagation: "HostToContainer" }],
        readinessProbe: { exec: { command: ["ls", "/data/in/seen"] }, periodSeconds: 1 },
      },
    ],
    initContainers: [
      {
        name: "make",
        image,
        command: ["busybox", "mkdir", "/data/in"],
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      },
    ],
  })
  await world.until(() => world.api.isReady("spread"))
  assert.equal(await world.get("/containerLogs/default/spread/app"), `200 ${openFiles()}\n`)
  await api.deletePod("spread", 0)
  await world.until(() => !api.pod("spread"))

  // What a sub-path is bound to is replaced when its ConfigMap changes; the next container has the new file.
  const levels = { metadata: { namespace: "default", name: "levels" }, data: { level: "one" } }
  await world.cluster.client.create(configMap, levels)
  await api.createPod("sub", {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: "conf", configMap: { name: "levels" } }],
    containers: [
      {
        name: "app",
        image,
        command: [
          "sh",
          "-c",
          "cat /sub /expr; [ $(cat /sub)$(cat /expr) = twotwo ] && exec sleep 1000; " +
            "while [ $(cat /all/level) = one ]; do sleep 0.1; done; exit 1",
        ],
        env: [{ name: "FILE", value: "level" }],
        volumeMounts: [
          { name: "conf", mountPath: "/all" },
          { name: "conf", mountPath: "/sub", subPath: "level" },
          { name: "conf", mountPath: "/expr", subPathExpr: "$(FILE)" },
        ],
      },
    ],
  })
  await world.until(() => world.api.isReady("sub"))
  const level = { namespace: "default", name: "levels" }
  await world.cluster.client.patch(configMap, level, "merge", { data: { level: "two" } })
  const again = await world.until(() => {
    const found = api.pod("sub")!.status.containerStatuses?.[0]
    return found?.restartCount === 1 && found.ready && found
  })
  assert.equal(again.lastState?.terminated?.exitCode, 1)
  await api.deletePod("sub", 0)
  await world.until(() => !api.pod("sub"))

  // A volume of an image: all of it and a part, read-only, also after the image is gone; its last user frees it.
  await api.createPod("files", {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: "files", image: { reference: image, pullPolicy: "Never" } }],
    containers: [
      {
        name: "app",
        image,
        command: ["sh", "-c", "ls /files /part; touch /files/tmp/x /part/x; exec sleep 1000"],
        volumeMounts: [
          { name: "files", mountPath: "/files" },
          { name: "files", mountPath: "/part", subPath: "bin" },
        ],
      },
    ],
  })
  await world.until(() => world.api.isReady("files"))
  const files = await world.until(async () => {
    const found = await world.get("/containerLogs/default/files/app")
    return found.includes("/part/x") && found
  })
  for (const line of [
    "/files:\nbin\n",
    "/part:\nbusybox\n",
    "touch: /files/tmp/x: Read-only file system",
    "touch: /part/x: Read-only file system",
  ])
    assert.ok(files.includes(line), `${line} in ${files}`)
  const views = async (): Promise<string> => {
    const command = ["-a", world.containerd.socket, "-n", "k8s.io", "snapshots", "ls"]
    return (await promisify(execFile)("ctr", command)).stdout
  }
  const { uid } = api.pod("files")!.metadata
  assert.match(await views(), new RegExp(`pods/${uid}/volumes/kubernetes.io~image/files/sha256-\\w+ .* View`))
  await world.kubelet.close()
  await api.deletePod("files", 0)
  await world.startKubelet()
  await world.until(async () => !(await views()).includes(uid))

  // A restart of the kubelet leaves containers alone, and ends what was deleted meanwhile.
  await api.createPod("gone", {
    containers: [{ name: "app", image, command: ["sleep", "1000"] }],
    terminationGracePeriodSeconds: 1,
  })
  await world.until(() => world.api.isReady("gone"))
  const before = api.pod("web")!.status.containerStatuses![0]!.containerID
  await world.kubelet.close()
  await api.deletePod("gone", 0)
  await world.startKubelet()
  const { runtime } = world.containerd
  const sandboxes = async (): Promise<number> =>
    (await runtime.listPodSandbox({}, { signal: world.signal })).items.length
  await world.until(async () => (await sandboxes()) === 3)
  assert.equal(api.pod("web")!.status.containerStatuses![0]!.containerID, before)
  assert.equal(world.api.isReady("web"), true)

  const stopping = env.clock.monotonic()
  for (const name of ["web", "job", "host"]) await api.deletePod(name)
  await world.until(() => !api.pod("web") && !api.pod("job") && !api.pod("host"))
  t.diagnostic(`deleted after ${Math.round(env.clock.monotonic() - stopping)} ms`)
  await world.until(async () => (await sandboxes()) === 0)
  await world.until(() => world.kubelet.workers.pods().length === 0)
  assert.deepEqual(readdirSync(join(world.dir, "kubelet", "pods")), [])
  assert.deepEqual(readdirSync(join(world.dir, "logs")), [])
  assert.deepEqual(readdirSync(join(world.dir, "container-logs")), [])
  assert.deepEqual(cgroupsBelow(`${world.cgroupRoot}/kubepods/burstable`), [])
})

test("Kubelet starts thirty pods at a time", { skip, timeout: 170_000 }, async (t) => {
  await using world = await new World().start()
  const names = Array.from({ length: 30 }, (_, i) => `p${i}`)
  const started = env.clock.monotonic()
  for (const name of names)
    await world.api.createPod(name, {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "app", image, command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"] }],
    })
  await world.until(() => names.every((name) => world.api.isReady(name)))
  t.diagnostic(`thirty pods: Ready after ${Math.round(env.clock.monotonic() - started)} ms`)
  const stopping = env.clock.monotonic()
  for (const name of names) await world.api.deletePod(name)
  await world.until(() => names.every((name) => !world.api.pod(name)))
  t.diagnostic(`thirty pods: gone after ${Math.round(env.clock.monotonic() - stopping)} ms`)
  await world.until(() => world.kubelet.workers.pods().length === 0)
})
