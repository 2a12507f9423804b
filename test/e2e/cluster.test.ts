import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { Resolver } from "node:dns/promises"
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { configMap, deployment, pod, service, type Pod } from "@knarr/api"
import type { Client } from "@knarr/client"
import { systemClock } from "@knarr/base"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { KnarrHome, eventually, knarr, pause } from "./knarr-command.ts"
import { findKubectls } from "./kubectl-programs.ts"
import { containerId, containerProcess, remainsOf } from "./machine-state.ts"

const namespace = "default"
const manifest = join(import.meta.dirname, "../../examples/hello/hello.yaml")

/** A pod of the hello image that runs a shell script. */
function scriptPod(name: string, script: string, more: Record<string, unknown> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: { script: name } },
    spec: {
      terminationGracePeriodSeconds: 30,
      containers: [{ name: "main", image: "hello:1", command: ["sh", "-c", script], ...more }],
    },
  } as unknown as Pod
}

async function fetchText(host: string, port: number): Promise<string> {
  const response = await fetch(`http://${host}:${port}/cgi-bin/hello`, {
    headers: { connection: "close" },
    signal: AbortSignal.timeout(5_000),
  })
  assert.equal(response.status, 200)
  return (await response.text()).trim()
}

async function readyPods(client: Client, selector: string): Promise<Pod[]> {
  const { items } = await client.list(pod, { namespace, labelSelector: selector })
  return items.filter(
    (one) =>
      !one.metadata.deletionTimestamp &&
      one.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
  )
}

const untilReady = (client: Client, name: string): Promise<Pod> =>
  eventually(`pod ${name} to be ready`, async () => (await readyPods(client, `script=${name}`))[0])

test("one node, from up to delete", { timeout: 240_000 }, async (t: TestContext) => {
  await using home = new KnarrHome("cluster")
  const kubectls = await findKubectls()
  if (kubectls.length === 0) t.diagnostic("no unmodified kubectl found: testing with Knarr's own only")
  const newest = kubectls.at(-1)?.path
  const k = (...args: string[]): Promise<string> => home.kubectl(args, newest)
  /** The oldest, the newest two, and our own. */
  const programs: readonly { readonly path?: string; readonly release: string }[] = [
    ...kubectls.slice(0, -2).slice(0, 1),
    ...kubectls.slice(-2),
    { release: "knarr" },
  ]

  await t.test("up says what it does and returns when the cluster is ready", async () => {
    const out = await home.up()
    assert.match(out, /Starting cluster "cluster"/)
    assert.match(out, /node-0 ready/)
    assert.match(out, /kubectl is now configured to use the context "knarr-cluster"/)
  })
  const { client, transport } = await home.connect()
  using _transport = transport
  const { index } = JSON.parse(readFileSync(join(home.dir, home.name, "cluster.json"), "utf8")) as {
    index: number
  }

  await t.test("a second up, status and kubeconfig", async () => {
    assert.match(await home.up("--event-ttl="), /^The cluster "cluster" is already running \(process \d+\)\n/)
    const moved = await home.try("up", "--name", "cluster", "--port", "1")
    assert.equal(moved.code, 1)
    assert.match(
      moved.stderr,
      /^error: the cluster "cluster" is already running \(process \d+\); stop it with "knarr down" first\n$/,
    )
    const status = await home.knarr("status")
    assert.match(status, /cluster cluster: running \(process \d+\)/)
    assert.match(status, /API server {2}https:\/\/127\.0\.0\.1:\d+ {2}ready/)
    assert.match(status, /node-0 {6}agent running \(process \d+\), Ready/)
    assert.equal((await home.knarr("kubeconfig", "--name", "cluster")).trim(), home.kubeconfig)
  })

  await t.test("an application is rolled out", async () => {
    await home.loadImage(await buildHelloImage("1"))
    await home.loadImage(await buildHelloImage("2"))
    assert.match(await k("apply", "-f", manifest), /deployment\.apps\/hello created/)
    assert.match(await k("rollout", "status", "deployment/hello"), /successfully rolled out/)
    assert.equal((await readyPods(client, "app=hello")).length, 3)
  })
  const answer = /^Hello from hello-\S+, version (\d)$/

  // Takes a while: it goes on beside the rest.
  await client.create(pod, scriptPod("crash", "sleep 1000"))
  const crashed = (async () => {
    const first = await untilReady(client, "crash")
    process.kill(containerProcess(containerId(first)!)!.pid, "SIGKILL")
    const second = await eventually("the first restart", async () =>
      (await readyPods(client, "script=crash")).find(
        (one) => one.status.containerStatuses![0]!.restartCount === 1,
      ),
    )
    const last = second.status.containerStatuses![0]!.lastState!.terminated!
    assert.equal(last.exitCode, 137)
    assert.equal(last.reason, "Error")
    process.kill(containerProcess(containerId(second)!)!.pid, "SIGKILL")
    await eventually("the back-off", async () => {
      const { status } = await client.get(pod, { namespace, name: "crash" })
      return status.containerStatuses![0]!.state!.waiting?.reason === "CrashLoopBackOff" || undefined
    })
    const third = await eventually("the second restart", async () =>
      (await readyPods(client, "script=crash")).find(
        (one) => one.status.containerStatuses![0]!.restartCount === 2,
      ),
    )
    const { state, lastState } = third.status.containerStatuses![0]!
    const waited = Date.parse(state!.running!.startedAt!) - Date.parse(lastState!.terminated!.finishedAt!)
    assert.ok(waited >= 9_000 && waited <= 15_000, `restarted after ${waited} ms`)
  })()
  crashed.catch(() => {})

  await t.test(
    "a service answers by ClusterIP, by NodePort and by name, from the node and from a pod",
    async () => {
      const { spec } = await client.get(service, { namespace, name: "hello" })
      const [one] = await readyPods(client, "app=hello")
      assert.match(await eventually("an answer", () => fetchText(spec.clusterIP!, 80)), answer)
      assert.match(await fetchText(one!.status.hostIP!, spec.ports![0]!.nodePort!), answer)
      const dns = await client.get(service, { namespace: "kube-system", name: "kube-dns" })
      const resolver = new Resolver({ timeout: 2000 })
      resolver.setServers([dns.spec.clusterIP!])
      assert.deepEqual(await resolver.resolve4("hello.default.svc.cluster.local"), [spec.clusterIP])
      assert.deepEqual(await resolver.resolve4("kubernetes.default.svc.cluster.local"), [
        `10.${96 + index}.0.1`,
      ])
      for (const name of [
        "hello",
        "hello.default.svc.cluster.local",
        spec.clusterIP!,
        one!.status.podIP + ":8080",
      ])
        assert.match(
          (await k("exec", one!.metadata.name, "--", "wget", "-qO-", `http://${name}/cgi-bin/hello`)).trim(),
          answer,
          name,
        )
    },
  )

  for (const { path, release } of programs) {
    await t.test(`kubectl ${release}: get, describe, explain, exec, logs, cp, port-forward`, async () => {
      const run = (...args: string[]): Promise<string> => home.kubectl(args, path)
      const [one] = await readyPods(client, "app=hello")
      const { name } = one!.metadata
      assert.match(
        await run("get", "pods", "-o", "wide"),
        new RegExp(`${name} +1/1 +Running +0 +\\S+ +${one!.status.podIP!} +node-0`),
      )
      assert.match(await run("get", "nodes"), /node-0 +Ready +control-plane/)
      assert.match(await run("describe", "pod", name), /Successfully assigned default\/hello-/)
      assert.match(
        await run("describe", "deployment", "hello"),
        /Replicas: +3 desired \| 3 updated \| 3 total \| 3 available/,
      )
      assert.match(await run("explain", "pod.spec.containers.image"), /Container image name/)
      assert.equal(await run("exec", name, "--", "hostname"), `${name}\n`)
      const failed = await home.tryKubectl(
        ["exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 3"],
        path,
      )
      assert.deepEqual([failed.code, failed.stdout], [3, "out\n"])
      assert.match(failed.stderr, /^err\ncommand terminated with exit code 3\n$/)
      assert.equal(await run("logs", "crash", "--tail=5"), "")
      const local = join(home.dir, "copied.txt")
      const text = `from ${release}\n`.repeat(20_000)
      writeFileSync(local, text)
      await run("cp", local, `${name}:/tmp/there.txt`)
      await run("cp", `${name}:/tmp/there.txt`, `${local}.back`)
      assert.equal(readFileSync(`${local}.back`, "utf8"), text)
      const folder = join(home.dir, `folder-${release}`)
      mkdirSync(folder)
      writeFileSync(join(folder, "a.txt"), "linked\n")
      symlinkSync("a.txt", join(folder, "link"))
      await run("cp", folder, `${name}:/tmp/`)
      const link = `/tmp/folder-${release}/link`
      assert.equal(
        await run("exec", name, "--", "sh", "-c", `[ -L ${link} ] && read -r x < ${link}; echo $x`),
        "linked\n",
      )
      const [command, ...first] = path === undefined ? [knarr, "kubectl"] : [path]
      const forward = spawn(command!, [...first, "port-forward", `pod/${name}`, ":8080"], {
        env: { ...home.environment, KUBECONFIG: home.kubeconfig },
        stdio: ["ignore", "pipe", "inherit"],
      })
      try {
        let out = ""
        forward.stdout.setEncoding("utf8").on("data", (data: string) => (out += data))
        const port = await eventually(
          "the forwarded port",
          () => /127\.0\.0\.1:(\d+) -> 8080/.exec(out)?.[1],
          15_000,
        )
        for (let i = 0; i < 3; i++) {
          await reset(Number(port))
          assert.match(await fetchText("127.0.0.1", Number(port)), answer)
        }
      } finally {
        forward.kill("SIGKILL")
      }
    })
  }

  await t.test(
    "our kubectl run shows what a container that ended at once has said, and ends as it did",
    async () => {
      const run = ["run", "--rm", "-i", "--quiet", "--image=hello:1", "--restart=Never"]
      for (let i = 0; i < 4; i++) {
        const ended = await home.tryKubectl([
          ...run,
          `fast-${i}`,
          "--command",
          "--",
          "sh",
          "-c",
          "echo out; exit 7",
        ])
        assert.deepEqual([ended.code, ended.stdout], [7, "out\n"], ended.stderr)
      }
    },
  )

  await t.test("scale, set image, rollout undo and history, expose, wait, get -w", async () => {
    const watched = spawn(
      newest ?? knarr,
      [...(newest ? [] : ["kubectl"]), "get", "pods", "-w", "--no-headers"],
      {
        env: { ...home.environment, KUBECONFIG: home.kubeconfig },
        stdio: ["ignore", "pipe", "inherit"],
      },
    )
    let seen = ""
    watched.stdout.setEncoding("utf8").on("data", (data: string) => (seen += data))
    try {
      await k("scale", "deployment/hello", "--replicas=4")
      await k("wait", "deployment/hello", "--for=jsonpath={.status.readyReplicas}=4", "--timeout=30s")
      await k("set", "image", "deployment/hello", "hello=hello:2")
      await k("rollout", "status", "deployment/hello", "--timeout=60s")
      const { spec } = await client.get(service, { namespace, name: "hello" })
      for (let i = 0; i < 8; i++) assert.equal(answer.exec(await fetchText(spec.clusterIP!, 80))?.[1], "2")
      assert.match(await k("rollout", "history", "deployment/hello"), /1 +<none>\n2 +<none>/)
      assert.match(await k("rollout", "undo", "deployment/hello"), /deployment\.apps\/hello rolled back/)
      await k("rollout", "status", "deployment/hello", "--timeout=60s")
      assert.equal(
        (await client.get(deployment, { namespace, name: "hello" })).spec.template.spec!.containers[0]!.image,
        "hello:1",
      )
      await k("expose", "deployment", "hello", "--name=exposed", "--port=8081", "--target-port=8080")
      const exposed = await client.get(service, { namespace, name: "exposed" })
      assert.match(
        await eventually("the exposed service", () => fetchText(exposed.spec.clusterIP!, 8081)),
        answer,
      )
      await k("create", "configmap", "made", "--from-literal=a=b")
      assert.equal((await client.get(configMap, { namespace, name: "made" })).data!["a"], "b")
      await eventually(
        "the watch to tell",
        () => (/Terminating/.test(seen) && /ContainerCreating/.test(seen)) || undefined,
      )
    } finally {
      watched.kill("SIGKILL")
    }
  })

  await t.test("imagePullPolicy Always takes the newest image of a tag", async () => {
    const versions: string[] = []
    for (const version of ["1", "2"]) {
      // The same tag, another content.
      const archive = Buffer.from(
        (await buildHelloImage(version)).toString("latin1").replaceAll(`hello:${version}`, "hello:m"),
        "latin1",
      )
      await home.loadImage(archive)
      const name = `always-${version}`
      await client.create(pod, scriptPod(name, "sleep 1000", { image: "hello:m", imagePullPolicy: "Always" }))
      await untilReady(client, name)
      versions.push(await k("exec", name, "--", "sh", "-c", "echo $VERSION"))
    }
    assert.deepEqual(versions, ["1\n", "2\n"])
  })

  await t.test("a changed ConfigMap reaches the volume of a running pod", async () => {
    const [one] = await readyPods(client, "app=hello")
    await client.patch(configMap, { namespace, name: "hello" }, "merge", { data: { greeting: "Good day" } })
    const began = systemClock.monotonic()
    await eventually(
      "the new text",
      async () =>
        (await k("exec", one!.metadata.name, "--", "cat", "/config/greeting")) === "Good day" || undefined,
    )
    t.diagnostic(`ConfigMap reached the pod in ${Math.round(systemClock.monotonic() - began)} ms`)
  })

  await t.test("a pod that is deleted may finish what it does", async () => {
    const script = `trap 'echo got it; sleep 1; echo done; exit 0' TERM; echo begun; while true; do sleep 0.1; done`
    await client.create(pod, scriptPod("graceful", script))
    await untilReady(client, "graceful")
    const logs = k("logs", "-f", "graceful")
    await pause(300)
    const began = systemClock.monotonic()
    await k("delete", "pod", "graceful")
    const took = systemClock.monotonic() - began
    assert.ok(took >= 1_000 && took < 15_000, `deleted after ${took} ms`)
    assert.equal(await logs, "begun\ngot it\ndone\n")
  })

  await t.test("drain moves pods away until uncordon", async () => {
    await k(
      "drain",
      "node-0",
      "--force",
      "--ignore-daemonsets",
      "--delete-emptydir-data",
      "--pod-selector=app=hello",
      "--timeout=60s",
    )
    assert.match(await k("get", "node", "node-0"), /Ready,SchedulingDisabled/)
    assert.equal((await readyPods(client, "app=hello")).length, 0)
    await k("uncordon", "node-0")
    await k("rollout", "status", "deployment/hello", "--timeout=60s")
  })

  await t.test("a container that crashes is restarted, at once and then with a back-off", () => crashed)

  await t.test("down stops everything and up brings the same objects back", async () => {
    const before = await client.get(deployment, { namespace, name: "hello" })
    const ids = (await readyPods(client, "app=hello")).map((one) => containerId(one)!)
    assert.match(await home.knarr("down", "--name", "cluster"), /Stopped cluster "cluster"/)
    assert.deepEqual(
      ids.filter((id) => containerProcess(id)),
      [],
    )
    const stopped = await home.try("status", "--name", "cluster")
    assert.equal(stopped.code, 1)
    assert.match(stopped.stdout, /cluster cluster: stopped/)
    const twice = await home.try("down", "--name", "cluster")
    assert.deepEqual([twice.code, twice.stdout], [0, 'Cluster "cluster" is not running\n'])
    await home.up()
    const after = await client.get(deployment, { namespace, name: "hello" })
    assert.equal(after.metadata.uid, before.metadata.uid)
    assert.deepEqual(after.spec, before.spec)
    const pods = await eventually("the pods to run again", async () => {
      const found = await readyPods(client, "app=hello")
      return found.length === 4 && found.every((one) => !ids.includes(containerId(one)!)) ? found : undefined
    })
    for (const one of pods) assert.ok(containerProcess(containerId(one)!))
    const { spec } = await client.get(service, { namespace, name: "hello" })
    assert.match(
      await eventually("an answer", () => fetchText(spec.clusterIP!, 80)),
      /^Good day from hello-\S+, version 1$/,
    )
  })

  await t.test("delete leaves nothing behind", async () => {
    const user = join(home.dir, "user-kubeconfig")
    assert.match(readFileSync(user, "utf8"), /knarr-cluster/)
    assert.equal(await home.knarr("delete", "--name", "cluster"), 'Deleted cluster "cluster"\n')
    assert.deepEqual(remainsOf({ dir: home.dir, name: home.name, index }), [])
    assert.ok(!existsSync(user) || !readFileSync(user, "utf8").includes("knarr-cluster"))
    const gone = await home.try("delete", "--name", "cluster")
    assert.equal(gone.code, 1)
    assert.match(gone.stderr, /^error: there is no cluster "cluster" in /)
  })
})

/** Connects and resets the connection at once, as browsers and connection pools do. */
function reset(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.resetAndDestroy())
    socket.once("error", reject)
    socket.once("close", () => resolve())
  })
}
