/**
 * `npm start`: a cluster with an application on it, asked in every way that it can be reached, updated while
 * it runs and healed after a kill. Prints what it saw, with times, and leaves the cluster running.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { Resolver } from "node:dns/promises"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deployment, kinds, pod, service, type Deployment, type Pod } from "@knarr/api"
import { loadYaml, type Kind, type KubeObject } from "@knarr/apimachinery"
import { systemClock, withTimeout } from "@knarr/base"
import { createRestClient, createTransport, loadKubeconfig, resolveContext, type Client } from "@knarr/client"
import { buildHelloImage } from "./image.ts"

const root = join(import.meta.dirname, "../..")
const knarr = join(root, "bin/knarr")
const namespace = "default"
const replicas = 3
const limitMs = 60_000
const startedMs = systemClock.monotonic()
const never = new AbortController().signal

await main()

async function main(): Promise<void> {
  if (spawnSync(knarr, ["status", "--name", "default"], { stdio: "ignore" }).status !== 0)
    execFileSync(knarr, ["up"], { stdio: "inherit" })
  const kubeconfig = execFileSync(knarr, ["kubeconfig"], { encoding: "utf8" }).trim()
  const context = resolveContext(await loadKubeconfig([kubeconfig]))
  using transport = createTransport(context.transport)
  const client = createRestClient({ transport, fieldManager: "hello" })

  await loadImage("1")
  await loadImage("2")
  say("images hello:1 and hello:2 built and loaded")
  await deploy(client)
  await waitFor(client, "the rollout", isRolledOut)
  say(`deployment ready: ${replicas} replicas`)

  const exposed = await client.get(service, { namespace, name: "hello" })
  const { clusterIP } = exposed.spec
  const nodePort = exposed.spec.ports![0]!.nodePort!
  const dns = await client.get(service, { namespace: "kube-system", name: "kube-dns" })
  const resolver = new Resolver()
  resolver.setServers([dns.spec.clusterIP!])
  const [byName] = await eventually("the name", () => resolver.resolve4("hello.default.svc.cluster.local"))
  const nodeAddress = (await podsOf(client))[0]!.status.hostIP!
  say(`by name       hello.default.svc.cluster.local is ${byName}: ${await ask(byName!, 80)}`)
  say(`by ClusterIP  ${clusterIP}:80: ${await ask(clusterIP!, 80)}`)
  say(`by NodePort   ${nodeAddress}:${nodePort}: ${await ask(nodeAddress, nodePort)}`)
  // Debian's static busybox resolves names in nslookup only: its libc would need libraries that the image lacks.
  const [asker] = await podsOf(client)
  const looked = inPod(kubeconfig, asker!, ["nslookup", "hello.default.svc.cluster.local"])
  const inside = /Name:.*\nAddress[^:]*: (\S+)/.exec(looked)?.[1] ?? "unknown"
  const answer = inPod(kubeconfig, asker!, ["wget", "-qO-", `http://${inside}/cgi-bin/hello`])
  say(`from a pod    hello.default.svc.cluster.local is ${inside}: ${answer.trim()}`)

  const updateMs = systemClock.monotonic()
  await client.patch(deployment, { namespace, name: "hello" }, "strategic", {
    spec: { template: { spec: { containers: [{ name: "hello", image: "hello:2" }] } } },
  })
  let answers = 0
  let failures = 0
  await waitFor(client, "the rolling update", isRolledOut, async () => {
    try {
      await ask(clusterIP!, 80)
      answers++
    } catch {
      failures++
    }
  })
  say(
    `rolling update to version 2 in ${seconds(systemClock.monotonic() - updateMs)}, meanwhile ${answers} answers and ${failures} failures: ${await ask(clusterIP!, 80)}`,
  )

  const victim = (await podsOf(client))[0]!
  const killMs = systemClock.monotonic()
  const restarts = victim.status.containerStatuses![0]!.restartCount
  killContainer(victim)
  await eventually("the restart", async () => {
    const healed = await client.get(pod, { namespace, name: victim.metadata.name })
    const status = healed.status.containerStatuses?.[0]
    if (!status?.ready || status.restartCount <= restarts) throw new Error("not yet")
  })
  say(`container of ${victim.metadata.name} killed, healed in ${seconds(systemClock.monotonic() - killMs)}`)

  process.stdout.write(`
The cluster runs on. What to try next:
  bin/knarr kubectl get pods -o wide
  bin/knarr kubectl scale deployment hello --replicas 10
  bin/knarr kubectl logs deployment/hello
  bin/knarr kubectl exec -it deployment/hello -- sh
  bin/knarr status
  npm stop
`)
}

async function loadImage(version: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "knarr-hello-"))
  try {
    const file = join(dir, "hello.tar")
    writeFileSync(file, await buildHelloImage(version))
    execFileSync(knarr, ["image", "load", file], { stdio: ["ignore", "ignore", "inherit"] })
  } finally {
    rmSync(dir, { recursive: true })
  }
}

async function deploy(client: Client): Promise<void> {
  const { parseAll } = await loadYaml()
  for (const object of parseAll(
    readFileSync(join(import.meta.dirname, "hello.yaml"), "utf8"),
  ) as KubeObject[]) {
    const kind = kinds.find(
      (candidate) => candidate.apiVersion === object.apiVersion && candidate.kind === object.kind,
    ) as Kind<KubeObject>
    await client.patch(kind, { namespace, name: object.metadata.name }, "apply", object, {
      force: true,
      fieldManager: "hello",
    })
  }
}

async function podsOf(client: Client): Promise<Pod[]> {
  const { items } = await client.list(pod, { namespace, labelSelector: "app=hello" })
  return items.filter((item) => !item.metadata.deletionTimestamp && item.status.phase === "Running")
}

function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  return (
    status.observedGeneration === metadata.generation &&
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas
  )
}

/** Waits until the deployment is as wanted; `meanwhile` runs again and again until then. */
async function waitFor(
  client: Client,
  what: string,
  done: (value: Deployment) => boolean,
  meanwhile?: () => Promise<void>,
): Promise<void> {
  await withTimeout(systemClock, limitMs, what, never, async (signal) => {
    const busy = new AbortController()
    const load = (async () => {
      while (meanwhile && !busy.signal.aborted) await meanwhile()
    })()
    try {
      for await (const event of client.watch(deployment, {
        namespace,
        fieldSelector: "metadata.name=hello",
        signal,
      })) {
        if (event.type !== "ERROR" && event.type !== "BOOKMARK" && done(event.object)) return
      }
      throw new Error("the watch ended early")
    } finally {
      busy.abort()
      await load
    }
  })
}

async function eventually<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  return withTimeout(systemClock, limitMs, what, never, async (signal) => {
    for (;;) {
      try {
        return await attempt()
      } catch {
        await systemClock.sleep(20, signal)
      }
    }
  })
}

/** The application's answer. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path: "/cgi-bin/hello", timeout: 5_000, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", reject)
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8").trim()
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`status ${response.statusCode}: ${text}`))
      })
    })
    sent.on("timeout", () => sent.destroy(new Error("no answer in 5 s")))
    sent.on("error", reject)
    sent.end()
  })
}

function inPod(kubeconfig: string, target: Pod, command: readonly string[]): string {
  const args = [
    "kubectl",
    "--kubeconfig",
    kubeconfig,
    "exec",
    "-n",
    namespace,
    target.metadata.name,
    "--",
    ...command,
  ]
  return execFileSync(knarr, args, { encoding: "utf8" })
}

/** Kills the container's first process from outside, as a crash would. */
function killContainer(target: Pod): void {
  const id = target.status.containerStatuses![0]!.containerID!.split("//")[1]!
  const pids = execFileSync("sh", ["-c", `grep -ls ${id} /proc/[0-9]*/cgroup || true`], { encoding: "utf8" })
  const [first] = [...pids.matchAll(/\/proc\/(\d+)\//g)]
    .map((match) => Number(match[1]))
    .sort((a, b) => a - b)
  if (first === undefined) throw new Error(`Cannot find the process of container ${id}`)
  process.kill(first, "SIGKILL")
}

function say(text: string): void {
  process.stdout.write(`${seconds(systemClock.monotonic() - startedMs).padStart(8)}  ${text}\n`)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`
}
