/**
 * What the comparison of kubectls runs: commands, a control plane with a rich object of every kind, and our kubectl; and how two
 * answers are made alike.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import { messageOf, seededRandom, systemClock } from "@knarr/base"
import { runKubectl } from "@knarr/kubectl"
import { startControlPlane, type ListeningControlPlane } from "knarr/testing"
import { samplesOf, type Sample } from "./objects.ts"

export interface Result {
  readonly out: string
  readonly err: string
  readonly code: number
}

/** Of each kind, with `KIND` for what names it and its version, and `NAME` for its object. */
const kindCommands = [
  "get KIND",
  "get KIND -o wide",
  "describe KIND NAME",
  "explain PLURAL --api-version VERSION",
  "get KIND NAME -o name",
]

const commands: readonly string[] = [
  ..."explain pods.spec.containers,explain deployments.spec.template --recursive,explain nosuch,explain pod.nosuch".split(
    ",",
  ),
  ..."explain pods --output=plaintext-openapiv2,explain hpa,explain cronjobs.spec.jobTemplate.spec".split(
    ",",
  ),
  ..."explain pods.spec.containers.resources.limits,explain pods.metadata.labels,explain crd.spec.versions.schema".split(
    ",",
  ),
  ..."auth can-i --list,auth can-i create pods,auth can-i --list --namespace kube-system,auth whoami".split(
    ",",
  ),
  ..."auth can-i get pods/log,auth can-i nosuch nosuchs,auth can-i --list --as nobody,auth can-i get /healthz".split(
    ",",
  ),
  ..."create token nosuch,create token default --duration 1s,create token default --bound-object-kind Pod".split(
    ",",
  ),
  ..."options,version --client,api-resources,api-resources -o wide,api-versions,cluster-info,config view".split(
    ",",
  ),
  ..."get all,get all -A,get nosuch,get pods nosuch,get pods -l a=b,get pods -l a=,get pods -o jsonpath={".split(
    ",",
  ),
  ..."get --raw /nosuch,get events,describe pods nosuch,describe nosuch x,get pods --watch --request-timeout=1s".split(
    ",",
  ),
  ..."get pods -w --request-timeout=1s,delete pod nosuch,logs nosuch,exec nosuch -- ls,scale deploy nosuch --replicas=1".split(
    ",",
  ),
  ..."rollout status deploy nosuch,rollout history deploy,top pods,top nodes,label pod nosuch a=b,wait pod nosuch".split(
    ",",
  ),
  ..."get pods --sort-by=.metadata.name,get pods --show-labels,get pods --no-headers,get pods,nodes"
    .split(",")
    .slice(0, 3),
  ..."auth,config,rollout,top,certificate,apply,create,delete,describe,expose,run,set,edit,patch,get,nosuch,get pods --nosuch,create nosuch".split(
    ",",
  ),
  ..."create deployment,create secret,create configmap,annotate,taint,cordon,drain,port-forward,certificate approve".split(
    ",",
  ),
  ..."create deployment d --image i --dry-run=client -o yaml,run r --image i --dry-run=client -o yaml".split(
    ",",
  ),
  ..."create job j --image i --dry-run=client -o yaml,create cronjob c --image i --schedule x --dry-run=client -o yaml".split(
    ",",
  ),
  ..."create quota q --hard=a=b --dry-run=client -o yaml,create role r --verb get --resource pods --dry-run=client -o yaml".split(
    ",",
  ),
]

/** A control plane that is looked at by commands, with its kubeconfig in the folder. */
export interface Stage extends AsyncDisposable {
  readonly dir: string
  readonly kubeconfig: string
  readonly commands: readonly string[]
}

export async function openStage(dir: string, warn: (text: string) => void): Promise<Stage> {
  const cluster: ListeningControlPlane = await startControlPlane({
    controllerManager: false,
    scheduler: false,
  })
  const kubeconfig = join(dir, "config")
  writeFileSync(kubeconfig, JSON.stringify(cluster.kubeconfig))
  const all = [...commands]
  // What has a limit has it before it is limited.
  const samples = samplesOf("kubectl").toSorted((a, b) => Number(limits(a)) - Number(limits(b)))
  for (const { kind, name, rich } of samples) {
    const metadata = { name, ...(kind.namespaced ? { namespace: "default" } : {}) }
    const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...rich }
    try {
      await cluster.client.create(kind, object as never)
    } catch (thrown) {
      warn(`Cannot create ${kind.kind}: ${messageOf(thrown)}\n`)
    }
    const qualified = `${kind.plural}.${kind.version}.${kind.group}`
    for (const command of kindCommands)
      all.push(
        command
          .replace("KIND", qualified)
          .replace("NAME", name)
          .replace("PLURAL", kind.plural)
          .replace("VERSION", kind.apiVersion),
      )
  }
  return { dir, kubeconfig, commands: all, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() }
}

function limits({ kind }: Sample): boolean {
  return kind.kind === "LimitRange" || kind.kind === "ResourceQuota"
}

/** Ages, moments and what the server makes up are made alike. */
export function textOf({ out, err, code }: Result): string {
  const alike = (part: string): string =>
    part
      .replaceAll(/\b(\d+m)?\d+s\b( +)?/g, "<age> ")
      .replaceAll(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000/g, "<time>")
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| \+0000 UTC)/g, "<time>")
      .replaceAll(/\b[EWI]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+/g, "<log>")
      .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<uid>")
      .replaceAll(/\b10(\.\d+){3}\b/g, "<address>")
      .replaceAll(/\b3\d{4}\/(TCP|UDP)/g, "<port>/$1")
      .replaceAll(/(UID|Uid|Resource Version):( +)\S+/g, "$1:$2<made up>")
  return `code ${code}\n${alike(out)}\n--- stderr\n${alike(err)}\n`
}

export async function runOurs(args: readonly string[], { kubeconfig, dir }: Stage): Promise<Result> {
  const [out, err] = [sink(), sink()]
  const code = await runKubectl(args, {
    ...{ stdin: Readable.from([]), stdout: out.stream, stderr: err.stream, cwd: dir },
    env: { KUBECONFIG: kubeconfig, HOME: dir, PATH: process.env["PATH"] },
    ...{ clock: systemClock, random: seededRandom(1), signal: AbortSignal.timeout(30_000) },
  })
  return { out: out.text(), err: err.text(), code }
}

function sink(): { stream: Writable; text: () => string } {
  const parts: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      parts.push(chunk)
      done()
    },
  })
  return { stream, text: () => Buffer.concat(parts).toString() }
}
