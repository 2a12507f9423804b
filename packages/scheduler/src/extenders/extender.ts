/**
 * A program of the operator's that is asked by HTTP about pods: which nodes it refuses, which it prefers, whom it would drive away; it may
 * bind, too. Mirrors: pkg/scheduler/extender.go, kube-scheduler extender/v1/types.go
 */
import { readFileSync } from "node:fs"
import type { Pod } from "@knarr/api"
import { parseGoDuration } from "@knarr/apimachinery"
import { type Env, parseJson, withTimeout } from "@knarr/base"
import { createTransport, type TlsOptions, type Transport } from "@knarr/client"
import type { NodeInfo } from "../cache/node-info.ts"
import type { Snapshot } from "../cache/snapshot.ts"
import type { WrittenExtender } from "../config/written.ts"
import { maxNodeScore, type PluginScores } from "../framework/plugin.ts"
import { unresolvable, unschedulable, type Status } from "../framework/status.ts"
import type { Candidate } from "../preemption/candidate.ts"

const defaultTimeoutMs = 5_000
/** Of an answer, in bytes: so much are 5,000 nodes as objects. */
const maxAnswerBytes = 256 * 1024 * 1024
/** An extender's best score. */
const maxExtenderScore = 10

/** What it said of nodes. */
export interface ExtenderFilterResult {
  readonly feasible: readonly NodeInfo[]
  /** Node → why it was refused. */
  readonly refused: ReadonlyMap<string, Status>
}

export class Extender implements Disposable {
  readonly name: string
  /** Its failure is no failure of the pod's. */
  readonly isIgnorable: boolean
  readonly #written: WrittenExtender
  readonly #env: Env
  readonly #transport: Transport
  readonly #path: string
  readonly #timeoutMs: number
  readonly #managed: ReadonlySet<string>

  /** Throws for a URL or a file that is no good. */
  constructor(written: WrittenExtender, env: Env) {
    const { urlPrefix = "", httpTimeout, managedResources = [], ignorable = false } = written
    const url = new URL(urlPrefix)
    const tls = tlsOf(written)
    this.name = urlPrefix
    this.isIgnorable = ignorable
    this.#written = written
    this.#env = env
    this.#transport = createTransport({ server: url.origin, tls: () => tls, env })
    this.#path = url.pathname.replace(/\/+$/, "")
    this.#timeoutMs = parseGoDuration(httpTimeout ?? "0s") || defaultTimeoutMs
    this.#managed = new Set(managedResources.map(({ name = "" }) => name))
  }

  get filters(): boolean {
    return Boolean(this.#written.filterVerb)
  }
  get prioritizes(): boolean {
    return Boolean(this.#written.prioritizeVerb)
  }
  get preempts(): boolean {
    return Boolean(this.#written.preemptVerb)
  }
  get binds(): boolean {
    return Boolean(this.#written.bindVerb)
  }

  /** Whether the pod asks for something that it looks after. */
  isInterestedIn({ spec }: Readonly<Pod>): boolean {
    if (this.#managed.size === 0) return true
    return [...spec.containers, ...(spec.initContainers ?? [])].some(({ resources = {} }) =>
      [resources.requests, resources.limits].some((list) =>
        Object.keys(list ?? {}).some((name) => this.#managed.has(name)),
      ),
    )
  }

  async filter(
    pod: Readonly<Pod>,
    nodes: readonly NodeInfo[],
    signal: AbortSignal,
  ): Promise<ExtenderFilterResult> {
    const answer = await this.#send(this.#written.filterVerb!, this.#nodesArgs(pod, nodes), signal)
    const error = textOf(member(answer, "Error"))
    if (error !== "") throw new Error(error)
    const refused = new Map<string, Status>()
    for (const [node, why] of entriesOf(member(answer, "FailedNodes")))
      refused.set(node, unschedulable(textOf(why)))
    for (const [node, why] of entriesOf(member(answer, "FailedAndUnresolvableNodes")))
      refused.set(node, unresolvable(textOf(why)))
    const byName = new Map(nodes.map((node) => [node.name, node]))
    const feasible = this.#namesIn(answer).map((name) => {
      const node = byName.get(name)
      if (!node)
        throw new Error(
          `extender "${this.name}" claims a filtered node "${name}" which is not found in the input node list`,
        )
      return node
    })
    return { feasible, refused }
  }

  #namesIn(answer: unknown): readonly string[] {
    const names = member(answer, "NodeNames")
    if (this.#written.nodeCacheCapable && Array.isArray(names)) return names.map(textOf)
    const items = member(member(answer, "Nodes"), "items")
    return Array.isArray(items) ? items.map((item) => textOf(member(member(item, "metadata"), "name"))) : []
  }

  /** What it gives to each node, on the scale of plugins, and weighted. */
  async prioritize(
    pod: Readonly<Pod>,
    nodes: readonly NodeInfo[],
    signal: AbortSignal,
  ): Promise<PluginScores> {
    const answer = await this.#send(this.#written.prioritizeVerb!, this.#nodesArgs(pod, nodes), signal)
    const given = new Map<string, number>()
    for (const one of Array.isArray(answer) ? answer : [])
      given.set(textOf(member(one, "Host")), Number(member(one, "Score") ?? 0))
    const scale = (this.#written.weight ?? 0) * (maxNodeScore / maxExtenderScore)
    return { plugin: this.name, scores: nodes.map(({ name }) => (given.get(name) ?? 0) * scale) }
  }

  /** Whom it would drive from which nodes, out of `candidates`. */
  async preempt(
    pod: Readonly<Pod>,
    candidates: readonly Candidate[],
    snapshot: Snapshot,
    signal: AbortSignal,
  ): Promise<readonly Candidate[]> {
    const isMeta = this.#written.nodeCacheCapable === true
    const victims = Object.fromEntries(
      candidates.map(({ nodeName, victims: pods, violations }) => [
        nodeName,
        {
          Pods: isMeta ? pods.map(({ metadata }) => ({ UID: metadata.uid })) : pods,
          NumPDBViolations: violations,
        },
      ]),
    )
    const args = {
      Pod: pod,
      NodeNameToVictims: isMeta ? null : victims,
      NodeNameToMetaVictims: isMeta ? victims : null,
    }
    const answer = await this.#send(this.#written.preemptVerb!, args, signal)
    return entriesOf(member(answer, "NodeNameToMetaVictims")).flatMap(([nodeName, value]) => {
      const pods = member(value, "Pods")
      const uids = Array.isArray(pods) ? pods.map((one) => textOf(member(one, "UID"))) : []
      if (uids.length === 0 && this.isIgnorable) return []
      if (uids.length === 0) throw new Error(`expected at least one victim pod on node "${nodeName}"`)
      const node = snapshot.get(nodeName)
      if (!node) throw new Error(`nodeinfo not found for node name "${nodeName}"`)
      const found = uids.map((uid) => {
        const info = node.pods.get(uid)
        if (info) return info.pod
        throw new Error(
          `extender: ${this.name} claims to preempt pod (UID: ${uid}) on node: ${nodeName}, but the pod is not found on that node`,
        )
      })
      return { nodeName, victims: found, violations: Number(member(value, "NumPDBViolations") ?? 0) }
    })
  }

  async bind(pod: Readonly<Pod>, nodeName: string, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid } = pod.metadata
    const args = { PodName: name, PodNamespace: namespace, PodUID: uid, Node: nodeName }
    const error = textOf(member(await this.#send(this.#written.bindVerb!, args, signal), "Error"))
    if (error !== "") throw new Error(error)
  }

  #nodesArgs(pod: Readonly<Pod>, nodes: readonly NodeInfo[]): object {
    const isCapable = this.#written.nodeCacheCapable === true
    return {
      Pod: pod,
      Nodes: isCapable ? null : { metadata: {}, items: nodes.map(({ node }) => node) },
      NodeNames: isCapable ? nodes.map(({ name }) => name) : null,
    }
  }

  #send(verb: string, args: object, signal: AbortSignal): Promise<unknown> {
    const path = `${this.#path}/${verb}`
    return withTimeout(
      this.#env.clock,
      this.#timeoutMs,
      `an answer of ${this.name}`,
      signal,
      async (during) => {
        const response = await this.#transport.request({
          method: "POST",
          path,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(args),
          signal: during,
        })
        if (response.status !== 200)
          throw new Error(
            `failed ${verb} with extender at URL ${this.name.replace(/\/+$/, "")}/${verb}, code ${response.status}`,
          )
        const pieces: Buffer[] = []
        let bytes = 0
        for await (const piece of response.body) {
          bytes += piece.length
          if (bytes > maxAnswerBytes)
            throw new Error(`the answer of ${this.name} is longer than ${maxAnswerBytes} bytes`)
          pieces.push(piece)
        }
        return parseJson(Buffer.concat(pieces).toString()) as unknown
      },
    )
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]()
  }
}

function tlsOf({ tlsConfig = {}, enableHTTPS }: WrittenExtender): TlsOptions {
  const text = (data: string | undefined, file: string | undefined): string | undefined =>
    data ? Buffer.from(data, "base64").toString() : file ? readFileSync(file, "utf8") : undefined
  const ca = text(tlsConfig.caData, tlsConfig.caFile)
  return {
    ca,
    cert: text(tlsConfig.certData, tlsConfig.certFile),
    key: text(tlsConfig.keyData, tlsConfig.keyFile),
    servername: tlsConfig.serverName || undefined,
    // As upstream: who asks for HTTPS and names no authority gets no check.
    rejectUnauthorized: !(tlsConfig.insecure || (enableHTTPS && ca === undefined)),
  }
}

/** A member by its name in Go, which does not tell capitals apart when it reads. */
function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name]
  const lower = name.toLowerCase()
  const found = Object.keys(value).find((one) => one.toLowerCase() === lower)
  return found === undefined ? undefined : (value as Record<string, unknown>)[found]
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}
