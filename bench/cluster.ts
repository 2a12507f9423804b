/** A Knarr cluster of the benchmark's own, driven through the `knarr` command as a person would. */
import { execFile, execFileSync } from "node:child_process"
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { kinds, node, pod, type Node, type Pod } from "@knarr/api"
import { createRestClient, createTransport, loadKubeconfig, resolveContext, type Client } from "@knarr/client"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { buildHelloImage } from "../examples/hello/image.ts"
import { processes } from "./process-stats.ts"
import { root, type Workspace } from "./workspace.ts"

export class Cluster {
  readonly #name = `bench-${process.pid}`
  readonly #home: string
  readonly #kubeconfig: string
  readonly #workspace: Workspace
  #begun = false

  constructor(workspace: Workspace) {
    this.#workspace = workspace
    this.#home = workspace.folder("home")
    this.#kubeconfig = join(workspace.dir, "kubeconfig")
  }

  /** Brings the bundled command up to date, and its compiled code into the cache. */
  async prepare(): Promise<void> {
    execFileSync(process.execPath, ["tools/bundle.ts"], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
    })
    await this.knarr("help")
  }

  async up(...flags: string[]): Promise<void> {
    if (!this.#begun) this.#workspace.defer(() => this.delete())
    this.#begun = true
    await this.knarr("up", ...this.#flags, ...flags)
  }

  async down(): Promise<void> {
    await this.knarr("down", ...this.#flags)
  }

  /** Removes what there is; nothing when there is nothing. */
  async delete(): Promise<void> {
    await this.knarr("delete", ...this.#flags).catch((thrown: unknown) => {
      if (!String(thrown).includes("there is no cluster")) throw thrown
    })
  }

  async loadHelloImage(): Promise<void> {
    const file = join(this.#workspace.dir, "hello.tar")
    writeFileSync(file, await buildHelloImage("1"))
    await this.knarr("image", "load", ...this.#flags, file)
  }

  async client(): Promise<Client> {
    const { transport } = resolveContext(await loadKubeconfig([this.#kubeconfig]))
    const opened = createTransport(transport)
    this.#workspace.defer(() => opened[Symbol.dispose]())
    return createRestClient({ transport: opened, fieldManager: "bench" })
  }

  /** Knarr's own processes, the supervisors among them: not containerd, its shims and what runs in pods. */
  pids(): number[] {
    const dir = join(this.#home, this.#name)
    const all = processes()
    const own = globSync("*.supervisor", { cwd: dir }).map((name) =>
      Number(readFileSync(join(dir, name), "utf8").split(" ")[0]),
    )
    for (let at = 0; at < own.length; at++) {
      for (const { pid, parent, command } of all)
        if (parent === own[at] && !/^(containerd|runc)/.test(basename(command[0] ?? ""))) own.push(pid)
    }
    return own
  }

  get #flags(): string[] {
    return ["--name", this.#name, "--home", this.#home]
  }

  /** Runs the command as bin/knarr does once it has looked for changed sources. */
  knarr(...args: string[]): Promise<string> {
    const command = ["--disable-warning=ExperimentalWarning", join(root, "dist/knarr.mjs"), ...args]
    const env = {
      ...process.env,
      KUBECONFIG: this.#kubeconfig,
      NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compile"),
    }
    return new Promise((resolve, reject) => {
      execFile(process.execPath, command, { env, timeout: 60_000 }, (error, stdout, stderr) =>
        error
          ? reject(new Error(`knarr ${args.join(" ")}: ${brief(stderr || stdout || error.message)}`))
          : resolve(stdout),
      )
    })
  }
}

/** The last lines of what a failed command printed, none of them longer than a screen is wide. */
function brief(text: string): string {
  const lines = text.trimEnd().split("\n").slice(-8)
  return lines.map((line) => line.slice(0, 200)).join("\n")
}

/** The kind of an object out of a manifest. Throws when Knarr has no such kind. */
export function kindOf(object: KubeObject): Kind {
  const found = kinds.find((kind) => kind.apiVersion === object.apiVersion && kind.kind === object.kind)
  if (!found) throw new Error(`There is no kind "${object.kind}" in "${object.apiVersion}"`)
  return found
}

/** Resolves when the pods of a namespace satisfy `isDone`; rejects after `timeoutMs`. */
export async function untilPods(
  client: Client,
  namespace: string,
  isDone: (pods: readonly Pod[]) => boolean,
  timeoutMs = 30_000,
): Promise<void> {
  await until<Pod>(client, pod, namespace, isDone, timeoutMs)
}

/** The addresses of the nodes, as soon as there is one and all are ready. */
export async function readyNodes(client: Client): Promise<string[]> {
  const found = await until<Node>(
    client,
    node,
    undefined,
    (nodes) => nodes.length > 0 && nodes.every(isReady),
    30_000,
  )
  return found.flatMap(
    ({ status }) =>
      status?.addresses?.filter(({ type }) => type === "InternalIP").map(({ address }) => address) ?? [],
  )
}

export function isReady(object: Pod | Node): boolean {
  return object.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false
}

async function until<T extends KubeObject>(
  client: Client,
  kind: Kind<T>,
  namespace: string | undefined,
  isDone: (objects: readonly T[]) => boolean,
  timeoutMs: number,
): Promise<T[]> {
  const signal = AbortSignal.timeout(timeoutMs)
  const objects = new Map<string, T>()
  const list = await client.list(kind, { namespace, signal })
  for (const object of list.items) objects.set(object.metadata.name ?? "", object)
  if (isDone([...objects.values()])) return [...objects.values()]
  const { resourceVersion } = list.metadata
  for await (const event of client.watch(kind, { namespace, resourceVersion, signal })) {
    if (event.type === "ERROR") throw new Error(`The watch of ${kind.plural} failed: ${event.object.message}`)
    const name = event.object.metadata.name ?? ""
    if (event.type === "DELETED") objects.delete(name)
    else if (event.type !== "BOOKMARK") objects.set(name, event.object)
    if (isDone([...objects.values()])) return [...objects.values()]
  }
  throw new Error(`The watch of ${kind.plural} ended early`)
}
