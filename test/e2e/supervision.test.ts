import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { configMap, deployment, pod, type Pod } from "@knarr/api"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { KnarrHome, eventually, knarr, pause } from "./knarr-command.ts"
import { containerId, containerProcess, isRunning, remainsOf } from "./machine-state.ts"

const namespace = "default"
const replicas = 4

test("processes that are killed under load, in a rollout", { timeout: 180_000 }, async (t) => {
  await using home = new KnarrHome("killed")
  await home.up("--agents", "1")
  await home.loadImage(await buildHelloImage("1"))
  const { client, transport } = await home.connect()
  using _transport = transport
  const web = { namespace, name: "web" }
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
  const podsOfRound = async (round: string): Promise<readonly Pod[]> =>
    (await client.list(pod, { namespace, labelSelector: "app=web" })).items.filter(
      (one) => !one.metadata.deletionTimestamp && one.metadata.annotations?.["round"] === round,
    )
  const rolledOut = (round: string) =>
    eventually(`the rollout of round ${round}`, async () => {
      const { metadata, spec, status } = await client.get(deployment, web)
      const isDone =
        status.observedGeneration === metadata.generation &&
        [status.replicas, status.updatedReplicas, status.availableReplicas].every((n) => n === spec.replicas)
      return isDone ? podsOfRound(round) : undefined
    })
  await client.create(deployment, {
    metadata: web,
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: template("0"),
    },
  })
  await rolledOut("0")

  const acknowledged = new Set<string>()
  const stop = new AbortController()
  const write = async (writer: string): Promise<void> => {
    for (let i = 0; !stop.signal.aborted; i++) {
      const name = `${writer}-${i}`
      try {
        await client.create(configMap, { metadata: { namespace, name }, data: {} })
        acknowledged.add(name)
      } catch {
        await pause(20)
      }
    }
  }
  const writing = ["a", "b", "c", "d"].map(write)
  const cases = [["server"], ["node-0"], ["server", "node-0", "node-1"]]
  for (const [i, names] of cases.entries()) {
    await t.test(`${names.join(", ")}: started again, and no container notices`, async (inner) => {
      const round = String(i + 1)
      await client.patch(deployment, web, "merge", { spec: { template: template(round) } })
      const begun = await eventually("the middle of the rollout", async () => {
        const started = (await podsOfRound(round)).filter((one) => containerId(one))
        return started.length >= replicas / 2 ? started : undefined
      })
      const processes = begun.flatMap((one) => containerProcess(containerId(one)!) ?? [])
      assert.ok(processes.length > 0)
      const ms = await home.recovered(home.crash(...names))
      inner.diagnostic(`ready again ${Math.round(ms)} ms after the kill`)
      const pods = await rolledOut(round)
      assert.equal(pods.length, replicas)
      for (const one of pods)
        assert.equal(one.status.containerStatuses![0]!.restartCount, 0, one.metadata.name)
      assert.deepEqual(
        processes.filter((one) => !isRunning(one)),
        [],
      )
    })
  }
  stop.abort()
  await Promise.all(writing)
  const there = new Set(
    (await client.list(configMap, { namespace })).items.map(({ metadata }) => metadata.name),
  )
  assert.deepEqual(
    [...acknowledged].filter((name) => !there.has(name)),
    [],
  )
  assert.ok(acknowledged.size > 0)
  const status = await home.knarr("status", "--name", home.name)
  assert.match(status, /server was restarted 2 times, last \d+ s ago after signal SIGKILL/)
  assert.match(status, /node-1 was restarted once, last \d+ s ago after signal SIGKILL/)
})

test("supervisors, from up to delete", { timeout: 120_000 }, async (t) => {
  await using home = new KnarrHome("supervised")
  await home.up()
  const dir = join(home.dir, home.name)
  const { index } = JSON.parse(readFileSync(join(dir, "cluster.json"), "utf8")) as { index: number }

  await t.test("a killed supervisor leaves its process running, and up gives it another one", async () => {
    const pid = home.pid("server")
    const agent = home.pid("node-0")
    process.kill(home.pid("server", "supervisor"), "SIGKILL")
    assert.match(await home.knarr("status", "--name", home.name), /server has no supervisor/)
    assert.equal(home.pid("server"), pid)
    assert.match(await home.up(), /Starting server of the running cluster/)
    assert.notEqual(home.pid("server"), pid)
    assert.equal(home.pid("node-0"), agent)
    await home.recovered(home.crash("server"))
  })

  await t.test("what cannot start waits longer each time, says why, and up starts it at once", async () => {
    const pki = join(dir, "nodes", "node-0", "pki")
    renameSync(pki, `${pki}.away`)
    home.crash("node-0")
    const out = await eventually("some failed starts", async () => {
      const { stdout } = await home.try("status", "--name", home.name)
      return /not ready .*node-0 was restarted [3-9] times, .* after exit code 1/s.test(stdout)
        ? stdout
        : undefined
    })
    assert.match(out, /its last error: \S+ ERROR Cannot start err=.*no such file/)
    assert.match(
      out,
      /API server .* not ready \(500\): processes: node-0 is started again \(\d+ restarts\): exit code 1\n/,
    )
    renameSync(`${pki}.away`, pki)
    assert.match(await home.up(), /Starting node-0 of the running cluster[^]*node-0 ready/)
    assert.doesNotMatch(await home.knarr("status", "--name", home.name), /node-0 was restarted/)
  })

  await t.test("an agent never reads the key of the CA", async () => {
    const key = join(dir, "pki", "ca.key")
    renameSync(key, `${key}.away`)
    const pid = home.pid("node-0")
    await home.recovered(home.crash("node-0"))
    assert.notEqual(home.pid("node-0"), pid)
    renameSync(`${key}.away`, key)
  })

  await t.test("down ends processes and supervisors, also of a server that is dead just then", async () => {
    const pids = ["server", "node-0"].flatMap((name) => [home.pid(name), home.pid(name, "supervisor")])
    home.crash("server")
    assert.match(await home.knarr("down", "--name", home.name), /Stopped cluster/)
    // Whose parent is gone waits for the first process of the machine to notice its end.
    await eventually(
      "the processes to be gone",
      () => !pids.some((pid) => existsSync(`/proc/${pid}`)) || undefined,
    )
    assert.deepEqual(
      remainsOf({ dir: home.dir, name: home.name, index }).filter((one) => one.startsWith("process")),
      [],
    )
  })

  await t.test("delete leaves nothing, and gives back the context that was current", async () => {
    const file = join(home.dir, "user-kubeconfig")
    await home.kubectl(["config", "set-context", "mine", "--kubeconfig", file])
    await home.kubectl(["config", "use-context", "mine", "--kubeconfig", file])
    await home.up()
    assert.match(readFileSync(file, "utf8"), /current-context: knarr-supervised/)
    await home.knarr("delete", "--name", home.name)
    assert.deepEqual(remainsOf({ dir: home.dir, name: home.name, index }), [])
    assert.match(readFileSync(file, "utf8"), /current-context: mine/)
    assert.doesNotMatch(readFileSync(file, "utf8"), /knarr/)
  })
})

test("a start that is interrupted takes back what it began", { timeout: 120_000 }, async () => {
  await using home = new KnarrHome("interrupted")
  /** Starts the cluster, interrupts the start in its midst, and answers how it ended. */
  const interrupt = async (how: () => Promise<void> | void): Promise<[number, string]> => {
    const args = ["up", "--name", home.name, "--no-agent"]
    const child = spawn(knarr, args, { env: home.environment, stdio: ["ignore", "ignore", "pipe"] })
    let said = ""
    child.stderr.on("data", (data) => (said += String(data)))
    const ended = once(child, "close").then(([code]): [number, string] => [code as number, said])
    const server = await eventually("the server", () => home.pid("server"))
    // It is in the midst of it until we say so.
    process.kill(server, "SIGSTOP")
    const interrupted = how()
    await eventually("the interrupt", () => said.includes("Interrupted") || undefined)
    process.kill(server, "SIGCONT")
    await interrupted
    return ended
  }
  const expected = [
    130,
    `Interrupted: stopping server again
nothing of the cluster "interrupted" runs; "knarr up" goes on, "knarr delete" removes everything
`,
  ]
  const upFile = join(home.dir, `.${home.name}.up`)
  const controlC = (): void => void process.kill(Number(readFileSync(upFile, "utf8").split(" ")[0]), "SIGINT")
  assert.deepEqual(await interrupt(controlC), expected)
  assert.match((await home.try("status", "--name", home.name)).stdout, /interrupted: stopped/)
  const remove = async (): Promise<void> =>
    assert.match(await home.knarr("delete", "--name", home.name), /Deleted cluster/)
  assert.deepEqual(await interrupt(remove), expected)
  assert.equal(existsSync(join(home.dir, home.name)), false)
})

test(
  "a start that waits says of what, and an interrupt leaves a server that answers",
  { timeout: 120_000 },
  async () => {
    await using home = new KnarrHome("waiting")
    await home.up()
    const file = join(home.dir, "webhook.json")
    const service = { namespace: "default", name: "missing", path: "/" }
    const everything = { apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: ["*"] }
    const closed = {
      ...{ name: "closed.example.com", clientConfig: { service }, rules: [everything] },
      ...{ failurePolicy: "Fail", sideEffects: "None", admissionReviewVersions: ["v1"] },
    }
    const webhooks = {
      ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration" },
      ...{ metadata: { name: "closed" }, webhooks: [closed] },
    }
    writeFileSync(file, JSON.stringify(webhooks))
    await home.kubectl(["create", "-f", file])
    await home.knarr("down", "--name", home.name)
    const child = spawn(knarr, ["up", "--name", home.name], {
      env: home.environment,
      stdio: ["ignore", "pipe", "pipe"],
    })
    const said = { out: "", err: "" }
    child.stdout.on("data", (data) => (said.out += String(data)))
    child.stderr.on("data", (data) => (said.err += String(data)))
    const ended = once(child, "close")
    const reason = /waiting for node-0 to be ready: .*closed\.example\.com/
    await eventually("the reason", () => reason.test(said.out) || undefined)
    child.kill("SIGINT")
    assert.deepEqual(await ended, [130, null], said.err)
    assert.match(said.err, /^Interrupted: stopping node-0 again\nserver of the cluster "waiting" stays up; /)
    await home.kubectl(["delete", "validatingwebhookconfigurations", "closed"])
    await home.up()
  },
)

test("files of a running cluster that are removed are made again, and nothing starts twice", async () => {
  await using home = new KnarrHome("forgotten")
  await home.up("--no-agent")
  const pids = [home.pid("server"), home.pid("server", "supervisor")]
  const dir = join(home.dir, home.name)
  const forget = (): void => {
    for (const what of ["pid", "supervisor", "state"]) rmSync(join(dir, `server.${what}`), { force: true })
  }
  forget()
  assert.match(await home.knarr("status", "--name", home.name), /running \(process \d+\)/)
  assert.deepEqual([home.pid("server"), home.pid("server", "supervisor")], pids)
  forget()
  assert.match(await home.up("--no-agent"), /is already running/)
  forget()
  assert.match(await home.knarr("down", "--name", home.name), /Stopped cluster/)
  await eventually(
    "the processes to be gone",
    () => !pids.some((pid) => existsSync(`/proc/${pid}`)) || undefined,
  )
  assert.match(await home.knarr("down", "--name", home.name), /is not running/)
})

test("two clusters that are started at one moment get ports of their own", { timeout: 60_000 }, async () => {
  await using first = new KnarrHome("one")
  await using second = new KnarrHome("two")
  await Promise.all([first.up("--no-agent"), second.up("--no-agent")])
  const ports = [first, second].flatMap((home) => {
    const config = JSON.parse(readFileSync(join(home.dir, home.name, "cluster.json"), "utf8")) as {
      port: number
      registryPort: number
    }
    return [config.port, config.registryPort]
  })
  assert.equal(new Set(ports).size, 4, ports.join(" "))
  for (const home of [first, second]) assert.match(await home.kubectl(["get", "ns"]), /kube-system/)
})
