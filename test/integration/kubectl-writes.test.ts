/**
 * kubectl's writes, one after another on one cluster: our answers and exit codes, byte for byte, are those that upstream's kubectl
 * gave on a cluster of ours, and so is what then is in the cluster. `KNARR_RECORD=/path/to/kubectl` records them anew.
 */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import { test } from "node:test"
import { isDeepStrictEqual } from "node:util"
import { deployment } from "@knarr/api"
import { seededRandom, systemClock } from "@knarr/base"
import { runKubectl } from "@knarr/kubectl"
import { startControlPlane, type TestControlPlane } from "knarr/testing"

interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Step {
  /** Words are separated by spaces; `'…'` is one. */
  readonly command: string
  /** What `-f -` reads. */
  readonly input?: unknown
  /** What the editor does: a script for sed. */
  readonly editor?: string
  /** Wait for the Deployment's controller first. */
  readonly settled?: true
}

const upstream = process.env["KNARR_RECORD"]
const goldenFile = new URL("./testdata/kubectl-writes.json", import.meta.url)

const configMap = (data: object, labels: object = {}, name = "applied"): object => ({
  ...{ apiVersion: "v1", kind: "ConfigMap" },
  metadata: { name, namespace: "default", labels },
  data,
})

const steps: readonly Step[] = [
  // create, run, expose
  { command: "create namespace other" },
  { command: "create deployment web --image=registry.invalid/web:1 --replicas=2" },
  { command: "create deployment web --image=registry.invalid/web:1" },
  { command: "create configmap cm --from-literal=a=1 --from-literal=b=2" },
  { command: "create secret generic s --from-literal=k=v" },
  { command: "create service clusterip svc --tcp=80:8080" },
  { command: "create -f -", input: configMap({ a: "1" }, { app: "x" }, "made") },
  { command: "create -f -", input: configMap({ a: "1" }, { app: "x" }, "made") },
  { command: "create quota q --hard=pods=50" },
  { command: "create serviceaccount robot" },
  { command: "create role reader --verb=get,list --resource=pods" },
  { command: "create rolebinding readers --role=reader --serviceaccount=default:robot" },
  { command: "run one --image=registry.invalid/one:1 --restart=Never --labels=app=one" },
  { command: "expose deployment web --port=80 --target-port=8080" },
  // label, annotate, set
  { command: "label configmap cm tier=front" },
  { command: "label configmap cm tier=back" },
  { command: "label configmap cm tier=back --overwrite" },
  { command: "label configmap cm tier-" },
  { command: "label configmap cm tier-" },
  { command: "annotate configmap cm note=x" },
  { command: "annotate configmap cm note=x" },
  { command: "set image deployment/web web=registry.invalid/web:2", settled: true },
  { command: "set image deployment/web nope=registry.invalid/web:2" },
  { command: "set env deployment/web A=1 B=2", settled: true },
  { command: "set env deployment/web --list" },
  { command: "set env deployment/web A-" },
  { command: "set resources deployment/web --limits=cpu=200m,memory=64Mi" },
  { command: "set serviceaccount deployment/web robot" },
  { command: "set selector service svc app=other" },
  // scale, autoscale
  { command: "scale deployment/web --replicas=3", settled: true },
  { command: "scale deployment/web --replicas=1 --current-replicas=9" },
  { command: "scale deployment/nope --replicas=1" },
  { command: "autoscale deployment web --min=1 --max=4" },
  // patch
  { command: `patch configmap cm -p '{"data":{"a":"2"}}'` },
  { command: `patch configmap cm -p '{"data":{"a":"2"}}'` },
  { command: `patch configmap cm --type=json -p '[{"op":"remove","path":"/data/b"}]'` },
  { command: `patch configmap cm --type=json -p '[{"op":"remove","path":"/data/b"}]'` },
  { command: `patch configmap cm --type=merge -p '{"data":{"c":"3"}}' -o jsonpath={.data}` },
  { command: "patch configmap cm -p '{'" },
  { command: `patch configmap nope -p '{}'` },
  // replace
  { command: "replace -f -", input: configMap({ a: "9" }, {}, "made") },
  { command: "replace -f -", input: configMap({ a: "9" }, {}, "missing") },
  { command: "replace --force -f -", input: configMap({ a: "10" }, {}, "made") },
  // apply
  { command: "apply -f -", input: configMap({ keep: "1", drop: "2" }, { set: "a" }) },
  { command: "apply -f -", input: configMap({ keep: "1", drop: "2" }, { set: "a" }) },
  { command: `patch configmap applied -p '{"data":{"others":"3"}}'` },
  { command: "apply -f -", input: configMap({ keep: "1" }, { set: "a" }) },
  { command: "get configmap applied -o jsonpath={.data}" },
  { command: "apply -f -", input: configMap({ a: "9", more: "1" }, {}, "made") },
  { command: "apply -f - --dry-run=server", input: configMap({ keep: "2" }, { set: "a" }) },
  { command: "apply view-last-applied configmap/applied -o json" },
  { command: "apply -f -", input: configMap({ x: "1" }, { set: "a" }, "pruned") },
  { command: "apply -f -", input: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "BAD" } } },
  { command: "apply -f -", input: { apiVersion: "nope/v1", kind: "Thing", metadata: { name: "a" } } },
  // edit
  { command: "edit configmap applied", editor: 's/keep: "1"/keep: edited/' },
  { command: "edit configmap applied", editor: "" },
  { command: "edit configmap nope", editor: "" },
  // rollout
  { command: "rollout history deployment/web", settled: true },
  { command: "rollout history deployment/web --revision=2" },
  { command: "rollout history deployment/web --revision=99" },
  { command: "rollout undo deployment/web --to-revision=1" },
  { command: "rollout undo deployment/web --to-revision=99", settled: true },
  { command: "rollout pause deployment/web" },
  { command: "rollout pause deployment/web" },
  { command: "rollout restart deployment/web" },
  { command: "rollout undo deployment/web" },
  { command: "rollout resume deployment/web" },
  { command: "rollout resume deployment/web" },
  { command: "rollout status deployment/web --timeout=20s", settled: true },
  // wait
  { command: "wait --for=condition=Available deployment/web --timeout=20s" },
  { command: "wait --for=jsonpath={.data.keep}=edited configmap/applied --timeout=1s" },
  { command: "wait --for=delete configmap/nope --timeout=1s" },
  { command: "wait --for=create configmap/applied --timeout=1s" },
  { command: "wait --for=condition=Nope deployment/web --timeout=0s" },
  // nodes
  { command: "taint nodes node-0 a=b:NoSchedule" },
  { command: "taint nodes node-0 a=b:NoSchedule" },
  { command: "taint nodes node-0 a:NoSchedule-" },
  { command: "taint nodes node-0 a:NoSchedule-" },
  { command: "cordon node-0" },
  { command: "cordon node-0" },
  { command: "drain node-0" },
  { command: "uncordon node-0" },
  { command: "drain nope" },
  // config
  { command: "config current-context" },
  { command: "config set-context extra --cluster=c --user=u --namespace=n" },
  { command: "config get-contexts -o name" },
  { command: "config set-context extra --namespace=m" },
  { command: "config use-context nope" },
  { command: "config delete-context extra" },
  { command: "config delete-context extra" },
  { command: "config set-credentials eve --token=t" },
  { command: "config delete-user eve" },
  // what is not there
  { command: "top node nosuch" },
  // delete
  { command: "delete configmap cm --dry-run=client" },
  { command: "delete configmap cm" },
  { command: "delete configmap cm" },
  { command: "delete configmap cm --ignore-not-found" },
  { command: "delete configmap,secret -l nobody=has" },
  { command: "delete service/svc configmap/made" },
  { command: "delete -f -", input: configMap({}, {}) },
  { command: "delete deployment web --cascade=orphan" },
  { command: "delete configmap" },
  { command: "delete namespace other --wait=false" },
]

test("kubectl's writes are upstream's", async () => {
  await using cluster = await startControlPlane({ port: 0, nodes: 1 })
  const dir = mkdtempSync(join(tmpdir(), "knarr-kubectl-"))
  cluster.scope.defer(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, "config")
  writeFileSync(config, JSON.stringify(cluster.kubeconfig))
  const said: Record<string, Answer> = {}
  for (const [i, step] of steps.entries()) {
    if (step.settled) await settle(cluster)
    const answer = await (upstream ? runUpstream : runOurs)(step, dir, config)
    const { out, err, code } = answer
    said[`${i} ${step.command}`] = { code, out: normalise(out, dir), err: normalise(err, dir) }
  }
  if (upstream) writeFileSync(goldenFile, `${JSON.stringify(said, null, 1)}\n`)
  const golden = JSON.parse(readFileSync(goldenFile, "utf8")) as typeof said
  const differing = Object.keys(said).filter((command) => !isDeepStrictEqual(said[command], golden[command]))
  const only = (answers: typeof said): unknown => differing.map((command) => [command, answers[command]])
  assert.deepEqual(only(said), only(golden))
})

/** Until the Deployment's controller has seen all of it, and its pods are there. */
async function settle({ client, env, scope }: TestControlPlane): Promise<void> {
  for (;;) {
    const { metadata, spec, status } = await client.get(deployment, { namespace: "default", name: "web" })
    const { observedGeneration, replicas, updatedReplicas, availableReplicas } = status
    const counts = [replicas, updatedReplicas, availableReplicas]
    if (observedGeneration === metadata.generation && counts.every((count) => count === spec.replicas)) return
    await env.clock.sleep(10, scope.signal)
  }
}

function wordsOf({ command }: Step): string[] {
  return [...command.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word)
}

function environment(step: Step, dir: string, config: string): NodeJS.ProcessEnv {
  return { ...process.env, HOME: dir, KUBECONFIG: config, KUBE_EDITOR: `sed -i -e '${step.editor ?? ""}'` }
}

async function runOurs(step: Step, dir: string, config: string): Promise<Answer> {
  const text = { out: "", err: "" }
  const into = (name: "out" | "err"): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        text[name] += chunk.toString()
        done()
      },
    })
  const code = await runKubectl(wordsOf(step), {
    stdin: Readable.from(step.input === undefined ? [] : [Buffer.from(JSON.stringify(step.input))]),
    stdout: into("out"),
    stderr: into("err"),
    env: environment(step, dir, config),
    signal: AbortSignal.timeout(60_000),
    clock: systemClock,
    random: seededRandom(1),
  })
  return { code, ...text }
}

async function runUpstream(step: Step, dir: string, config: string): Promise<Answer> {
  const child = spawn(upstream!, wordsOf(step), { env: environment(step, dir, config) })
  const text = { out: "", err: "" }
  child.stdout.on("data", (chunk: Buffer) => (text.out += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (text.err += chunk.toString()))
  child.stdin.end(step.input === undefined ? "" : JSON.stringify(step.input))
  const [code] = (await once(child, "close")) as [number]
  return { code, ...text }
}

/** Takes away what differs from run to run. */
function normalise(text: string, dir: string): string {
  return text
    .replaceAll(dir, "DIR")
    .replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, "SERVER")
    .replaceAll(/"\d{4}-\d\d-\d\dT[\d:]+Z"|\d{4}-\d\d-\d\dT[\d:]+Z/g, "TIME")
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "UID")
    .replaceAll(/web-[0-9a-z]{6,10}-[0-9a-z]{5}\b/g, "web-HASH-NAME")
    .replaceAll(/pod-template-hash=\w+/g, "pod-template-hash=HASH")
}
