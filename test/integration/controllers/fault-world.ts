/**
 * A control plane on virtual time whose controllers meet with faults: their process is killed at a write, the answer to a
 * write is lost, or what they watch comes late, twice, or again from the beginning.
 */
import { kinds, type Event, type Pod } from "@knarr/api"
import { internalError, type Kind, type KubeObject } from "@knarr/apimachinery"
import { Scope, seededRandom, type Clock, type Random } from "@knarr/base"
import { createInformerFactory, type Client, type WatchEvent, type WatchOptions } from "@knarr/client"
import { runControllers } from "@knarr/controller-kit"
import { createControllers } from "@knarr/controller-manager"
import { startControlPlane, type VirtualControlPlane } from "knarr/testing"

/** What goes wrong. Writes are those of the controllers that a scenario is about, counted from 1. */
export interface Faults {
  /** The process of all controllers is killed when such a write is done, before it hears of it; another one starts. */
  readonly killedAt?: readonly number[]
  /** Such a write is done, and answered with an error. */
  readonly answerLostAt?: readonly number[]
  /** Watches are late by up to 3 s, each for itself, say things twice, and end or expire now and then; by this seed. */
  readonly watchSeed?: number
}

export interface World {
  readonly cluster: VirtualControlPlane
  readonly client: Client
  /** Lets time pass. */
  pass(seconds: number): Promise<void>
}

export interface Scenario {
  /** Whose writes are counted: names of controllers. */
  readonly controllers: readonly string[]
  run(world: World): Promise<void>
}

export interface Outcome {
  /** What is there at the end, one object a line, without what differs from run to run. */
  readonly state: readonly string[]
  /** How many pods were ever made. */
  readonly podsMade: number
  /** Writes of the scenario's controllers. */
  readonly writes: number
}

const restartMs = 2_000
const nodes = 2

export async function play(scenario: Scenario, faults: Faults): Promise<Outcome> {
  await using cluster = await startControlPlane({
    time: "virtual",
    seed: 11,
    nodes,
    controllerManager: false,
  })
  const pods = new Set<string>()
  using _subscription = cluster.informers
    .informer((await import("@knarr/api")).pod)
    .subscribe({ added: ({ metadata }: Pod) => void pods.add(metadata.uid) })
  const manager = new Manager(cluster, scenario, faults)
  await manager.start()
  const pass = (seconds: number): Promise<void> => cluster.clock.advance(seconds * 1000)
  await pass(10)
  manager.begin()
  await scenario.run({ cluster, client: cluster.client, pass })
  return { state: stateOf(cluster), podsMade: pods.size, writes: manager.writes }
}

/** The process of the controllers, which may be another one later. */
class Manager {
  writes = 0
  #counts = false
  readonly #cluster: VirtualControlPlane
  readonly #names: ReadonlySet<string>
  readonly #faults: Faults

  constructor(cluster: VirtualControlPlane, scenario: Scenario, faults: Faults) {
    this.#cluster = cluster
    this.#names = new Set(scenario.controllers)
    this.#faults = faults
  }

  /** From now on writes count. */
  begin(): void {
    this.#counts = true
  }

  async start(): Promise<void> {
    const { env, plane, scope: root } = this.#cluster
    const scope = root.child("controllers")
    const client = this.#faulty(plane.client(), scope, "")
    const { watchSeed } = this.#faults
    const watched = watchSeed === undefined ? client : lateWatches(client, env.clock, watchSeed)
    await runControllers({
      controllers: createControllers({ rootCA: "", clusterCIDR: "10.244.0.0/16" }),
      ...{ client, env, scope },
      informers: createInformerFactory({ client: watched, env, scope: scope.child("informers") }),
    })
  }

  /** `client` for the process that `scope` is. `agent` is the controller's name. */
  #faulty(client: Client, scope: Scope, agent: string): Client {
    return new Proxy(client, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property)
        if (typeof value !== "function") return value
        if (property === "as")
          return (user: Parameters<Client["as"]>[0]) =>
            this.#faulty(target.as(user), scope, user.userAgent?.split("/")[1] ?? "")
        if (!writeVerbs.has(property as string)) return value.bind(target)
        return async (...args: readonly unknown[]): Promise<unknown> => {
          scope.signal.throwIfAborted()
          const done: unknown = await value.apply(target, args)
          const isEvent = (args[0] as Kind).plural === "events"
          if (isEvent || !this.#counts || !this.#names.has(agent)) return done
          this.writes++
          await this.#strike(scope)
          return done
        }
      },
    })
  }

  async #strike(scope: Scope): Promise<void> {
    const { killedAt = [], answerLostAt = [] } = this.#faults
    if (answerLostAt.includes(this.writes)) throw internalError("the answer of this write was lost")
    if (!killedAt.includes(this.writes)) return
    const { scope: root, env } = this.#cluster
    root.run("another process", async (signal) => {
      const dead = scope.close()
      await env.clock.sleep(restartMs, signal)
      await dead
      await this.start()
    })
    scope.signal.throwIfAborted()
  }
}

const writeVerbs: ReadonlySet<string> = new Set([
  "create",
  "update",
  "patch",
  "delete",
  "deleteCollection",
  "createSubresource",
])

/** Order within a watch is kept, as is promised; nothing else is. */
function lateWatches(client: Client, clock: Clock, seed: number): Client {
  const random = seededRandom(seed)
  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (property === "watch")
        return (kind: Kind, options: WatchOptions) =>
          disturbed(target.watch(kind, options), options, clock, random)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

async function* disturbed(
  events: AsyncIterable<WatchEvent<KubeObject>>,
  { signal }: WatchOptions,
  clock: Clock,
  random: Random,
): AsyncGenerator<WatchEvent<KubeObject>> {
  for await (const event of events) {
    if (random.next() < 0.3) await clock.sleep(3_000 * random.next(), signal)
    yield event
    if (event.type === "MODIFIED" && random.next() < 0.2) yield event
    const luck = random.next()
    if (luck < 0.03) return
    if (luck < 0.06) {
      const expired = { status: "Failure", reason: "Expired", code: 410, message: "too old resource version" }
      yield { type: "ERROR", object: expired } as WatchEvent<KubeObject>
      return
    }
  }
}

const leftOut = new Set([
  "Event",
  "Node",
  "IPAddress",
  "Lease",
  "APIService",
  "FlowSchema",
  "PriorityLevelConfiguration",
])

function stateOf(cluster: VirtualControlPlane): string[] {
  const lines: string[] = []
  for (const kind of kinds) {
    if (leftOut.has(kind.kind) || kind.group === "rbac.authorization.k8s.io") continue
    let objects: readonly KubeObject[]
    try {
      objects = cluster.plane.registry.list(kind) as readonly KubeObject[]
    } catch {
      continue // of what is not stored
    }
    for (const obj of objects) lines.push(describe(kind, obj as KubeObject & Partial<Event>))
  }
  return [...new Set(lines.sort())].concat(`${lines.length} objects`)
}

/** What a run may do otherwise: names and times that are made, and what node a pod went to. */
const volatile = new Set([
  ...["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "observedGeneration"],
  ...["podIP", "podIPs", "ip", "hostIP", "hostIPs", "containerID", "imageID", "nodeName", "controllerUid"],
  ...["batch.kubernetes.io/controller-uid", "controller-uid", "resourceVersionOfPod", "podCIDR", "podCIDRs"],
  ...[
    "collisionCount",
    "annotations",
    "terminatingReplicas",
    "addresses",
    "targetRef",
    "clusterIP",
    "clusterIPs",
  ],
])

function describe(kind: Kind, obj: KubeObject): string {
  const text = JSON.stringify(obj, (key, value: unknown) => {
    if (volatile.has(key) || /(Time|Timestamp|At|Times)$/.test(key) || key === "lastHeartbeatTime")
      return undefined
    if (key === "conditions" && Array.isArray(value))
      return (value as { type: string; status: string; reason?: string }[])
        .map(({ type, status, reason }) => `${type}=${status} ${reason ?? ""}`)
        .sort()
    if (typeof value === "string") return madeNames(value)
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
  return `${kind.kind} ${text}`
}

/** The five characters that the API server gives to names, and hashes of minutes. */
function madeNames(text: string): string {
  return text.replace(/-[bcdfghjklmnpqrstvwxz2456789]{5}$/, "-*").replace(/-\d{8}(?=$|-)/, "-MINUTE")
}
