/** For tests of this package: objects, and a profile of the default plugins without an API behind it. */
import { after } from "node:test"
import { createEventRecorder, SharedInformer, type Client, type InformerFactory } from "@knarr/client"
import { kinds, type Node, type Pod } from "@knarr/api"
import { Meter, Scope, seededRandom, silentLogger, VirtualClock } from "@knarr/base"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { ClusterCache } from "./cache/cluster-cache.ts"
import { Nominator } from "./cache/nominator.ts"
import { decide, fitMessage, type Decision } from "./cycle.ts"
import { CycleState } from "./framework/cycle-state.ts"
import { createProfile, type PluginList, type Profile, type ProfileOptions } from "./framework/profile.ts"
import { defaultPlugins } from "./order.ts"

type Change<T> = { [K in keyof T]?: unknown }

/** With 4 cpus, 8 GiB and room for 110 pods. */
export function nodeOf(
  name: string,
  change: { labels?: Record<string, string>; spec?: Change<Node["spec"]>; cpu?: string; pods?: string } = {},
): Node {
  const allocatable = { cpu: change.cpu ?? "4", memory: "8Gi", pods: change.pods ?? "110" }
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: name, labels: { "kubernetes.io/hostname": name, ...change.labels } },
    spec: { ...change.spec },
    status: { allocatable },
  } as unknown as Node
}

let made = 0

/** With one container that asks for nothing but `cpu`. */
export function podOf(
  change: {
    name?: string
    labels?: Record<string, string>
    on?: string
    cpu?: string
    spec?: Change<Pod["spec"]>
    status?: Change<Pod["status"]>
  } = {},
): Pod {
  const name = change.name ?? `p${made++}`
  const container = { name: "c", image: "c", resources: { requests: change.cpu ? { cpu: change.cpu } : {} } }
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name, uid: name, labels: change.labels },
    spec: { containers: [container], ...(change.on ? { nodeName: change.on } : {}), ...change.spec },
    status: { ...change.status },
  } as unknown as Pod
}

const scope = new Scope("test")
after(() => scope.close())

/** Decides pods on what a test puts into its cache. */
export class OfflineScheduler {
  readonly cache = new ClusterCache()
  readonly nominator = new Nominator()
  readonly profile: Profile
  readonly #random = seededRandom(1)
  readonly #informers: InformerFactory

  constructor(
    plugins: PluginList = defaultPlugins,
    config: Pick<ProfileOptions, "sets" | "percentageOfNodesToScore"> = {},
  ) {
    const env = { clock: new VirtualClock(), random: this.#random, log: silentLogger, meter: new Meter() }
    const informers = new Map<string, SharedInformer<any>>()
    const factory: InformerFactory = {
      informer<T extends KubeObject>(kind: Kind<T>) {
        const informer = informers.get(kind.id) ?? new SharedInformer<T>(kind, env)
        informers.set(kind.id, informer)
        return informer as SharedInformer<T>
      },
      lease: (kind) => ({ informer: factory.informer(kind), [Symbol.dispose]() {} }),
      waitForSync: () => Promise.resolve(),
    }
    this.#informers = factory
    const client = {} as Client
    this.profile = createProfile({
      name: "default-scheduler",
      plugins,
      ...config,
      client,
      env,
      scope,
      informers: factory,
      recorder: createEventRecorder({ client, scope, env, component: "test" }),
      nominator: this.nominator,
      activate: () => {},
    })
  }

  /** An object as an informer tells it; nodes and pods with a node are counted. */
  put(obj: KubeObject): void {
    const kind = kinds.find(
      ({ group, version, kind: name }) =>
        name === obj.kind && (group === "" ? version : `${group}/${version}`) === obj.apiVersion,
    )!
    ;(this.#informers.informer(kind) as SharedInformer<KubeObject>).changed(obj)
    if (obj.kind === "Node") this.cache.setNode(obj as Node)
    if (obj.kind === "Pod") this.cache.setPod(obj as Pod)
  }

  state(): CycleState {
    return new CycleState(this.cache.snapshot())
  }

  decide(pod: Pod, state = this.state()): Decision {
    return decide(this.profile, state, pod, this.#random, 0)
  }

  /** The node, or what the event says. */
  async outcome(pod: Pod): Promise<string> {
    const state = this.state()
    const decision = this.decide(pod, state)
    if ("node" in decision) return decision.node
    if (decision.total === 0) return fitMessage(decision)
    const { signal } = new AbortController()
    const { status } = await this.profile.postFilter(state, pod, decision.statuses, signal)
    return fitMessage(decision, status?.message)
  }
}
