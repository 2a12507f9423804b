/** An API server in memory for tests of the kubelet: what it needs of one, with real patches, defaults and watches. */
import { pod as podKind, type Pod } from "@knarr/api"
import {
  alreadyExists,
  applyStrategicMergePatch,
  conflict,
  deepClone,
  deepFreeze,
  formatTime,
  notFound,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { Channel, uuid, type Env } from "@knarr/base"
import type { Client, ListOptions, Ref, WatchEvent } from "@knarr/client"

type Any = KubeObject & { status?: Record<string, unknown>; spec?: Record<string, unknown> }

interface Watcher {
  readonly plural: string
  readonly options: ListOptions
  readonly channel: Channel<WatchEvent<Any>>
}

/** `objects` is what there is: `plural/namespace/name`. `events` are the recorded Events, in order. */
export class MemoryApi {
  readonly objects: Map<string, Any> = new Map()
  readonly history: { type: string; object: Any }[] = []
  readonly client: Client
  readonly #env: Env
  readonly #watchers = new Set<Watcher>()
  #revision = 1

  constructor(env: Env) {
    this.#env = env
    this.client = this.#client()
  }

  pod(name: string, namespace: string = "default"): Pod | undefined {
    return this.objects.get(`pods/${namespace}/${name}`) as Pod | undefined
  }

  /** `reason: message` of every Event about the object. */
  eventsOf(name: string): string[] {
    const out: string[] = []
    for (const object of this.objects.values()) {
      const event = object as unknown as {
        kind: string
        involvedObject?: { name: string }
        reason: string
        message: string
      }
      if (event.kind === "Event" && event.involvedObject?.name === name)
        out.push(`${event.reason}: ${event.message}`)
    }
    return out
  }

  /** A pod as the scheduler leaves it. */
  createPod(name: string, spec: Partial<Pod["spec"]>, metadata: Partial<Pod["metadata"]> = {}): Pod {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        namespace: "default",
        uid: uuid(this.#env.random),
        generation: 1,
        creationTimestamp: formatTime(this.#env.clock.now()),
        ...metadata,
      },
      spec: { nodeName: "n1", ...deepClone(spec) },
      status: { phase: "Pending" },
    } as unknown as Pod
    podKind.setDefaults?.(pod)
    this.#put(podKind, pod as unknown as Any, "ADDED")
    return pod
  }

  updatePod(name: string, change: (pod: Pod) => void): void {
    const pod = deepClone(this.pod(name)!) as Pod
    change(pod)
    this.#put(podKind, pod as unknown as Any, "MODIFIED")
  }

  /** As `kubectl delete` does. */
  deletePod(name: string, graceSeconds?: number): void {
    if (graceSeconds === 0) return this.#remove(podKind, { namespace: "default", name })
    this.updatePod(name, (pod) => {
      const seconds = graceSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
      pod.metadata.deletionTimestamp = formatTime(this.#env.clock.now() + seconds * 1000)
      pod.metadata.deletionGracePeriodSeconds = seconds
      pod.metadata.generation = (pod.metadata.generation ?? 0) + 1
    })
  }

  #put(kind: Kind, object: Any, type: "ADDED" | "MODIFIED"): Any {
    const stored = deepFreeze(
      Object.assign(deepClone(object) as Any, {
        apiVersion: kind.apiVersion,
        kind: kind.kind,
        metadata: { ...object.metadata, resourceVersion: String(++this.#revision) },
      }),
    )
    this.objects.set(keyOf(kind, stored.metadata), stored)
    this.#tell(kind, type, stored)
    return stored
  }

  #remove(kind: Kind, ref: Ref): void {
    const object = this.objects.get(keyOf(kind, ref))
    if (!object) throw notFound({ group: kind.group, resource: kind.plural } as never, ref.name)
    this.objects.delete(keyOf(kind, ref))
    this.#tell(kind, "DELETED", {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++this.#revision) },
    })
  }

  #tell(kind: Kind, type: "ADDED" | "MODIFIED" | "DELETED", object: Any): void {
    this.history.push({ type, object })
    for (const { plural, options, channel } of this.#watchers)
      if (plural === kind.plural && selects(kind, options, object)) channel.push({ type, object })
  }

  #client(): Client {
    const get = (kind: Kind, ref: Ref): Any => {
      const found = this.objects.get(keyOf(kind, ref))
      if (!found) throw notFound({ group: kind.group, resource: kind.plural } as never, ref.name)
      return found
    }
    const list = (kind: Kind, options: ListOptions = {}): Any[] =>
      [...this.objects.entries()]
        .filter(([key, object]) => key.startsWith(`${kind.plural}/`) && selects(kind, options, object))
        .map(([, object]) => object)
    const client = {
      get: async (kind: Kind, ref: Ref) => get(kind, ref),
      list: async (kind: Kind, options?: ListOptions) => ({
        metadata: { resourceVersion: String(this.#revision) },
        items: list(kind, options),
      }),
      watch: (kind: Kind, options: ListOptions & { signal: AbortSignal; sendInitialEvents?: boolean }) =>
        this.#watch(kind, options),
      create: async (kind: Kind, object: Any) => {
        const namespace = object.metadata.namespace
        if (this.objects.has(keyOf(kind, object.metadata)))
          throw alreadyExists({ group: kind.group, resource: kind.plural } as never, object.metadata.name)
        const made = deepClone(object) as Any
        made.metadata = { ...made.metadata, ...(namespace ? { namespace } : {}), uid: uuid(this.#env.random) }
        if (kind.plural === "subjectaccessreviews") return { ...made, status: { allowed: true } }
        if (kind.plural === "pods") made.status = { phase: "Pending" }
        return this.#put(kind, made, "ADDED")
      },
      update: async (kind: Kind, object: Any) => this.#put(kind, object, "MODIFIED"),
      patch: async (kind: Kind, ref: Ref, type: string, body: Any) => {
        const old = get(kind, ref)
        const wanted = body.metadata?.uid
        if (wanted && wanted !== old.metadata.uid)
          throw conflict(
            { group: kind.group, resource: kind.plural } as never,
            ref.name,
            new Error("uid") as never,
          )
        const patched =
          type === "strategic"
            ? applyStrategicMergePatch(kind.schema, deepClone(old) as never, body as never)
            : { ...old, ...body, metadata: { ...old.metadata, ...body.metadata } }
        return this.#put(kind, patched as never, "MODIFIED")
      },
      delete: async (kind: Kind, ref: Ref) => {
        const found = get(kind, ref)
        this.#remove(kind, ref)
        return found
      },
      createSubresource: async () => ({
        status: { token: "token", expirationTimestamp: formatTime(this.#env.clock.now() + 3_600_000) },
      }),
    }
    return client as unknown as Client
  }

  async *#watch(
    kind: Kind,
    options: ListOptions & { signal: AbortSignal; sendInitialEvents?: boolean },
  ): AsyncGenerator<WatchEvent<Any>> {
    const channel = new Channel<WatchEvent<Any>>(100_000)
    const watcher = { plural: kind.plural, options, channel }
    const since = options.resourceVersion
    for (const [key, object] of this.objects)
      if (key.startsWith(`${kind.plural}/`) && selects(kind, options, object))
        if (since === undefined || Number(object.metadata.resourceVersion) > Number(since))
          channel.push({ type: "ADDED", object })
    if (options.sendInitialEvents)
      channel.push({
        type: "BOOKMARK",
        object: {
          apiVersion: kind.apiVersion,
          kind: kind.kind,
          metadata: {
            resourceVersion: String(this.#revision),
            annotations: { "k8s.io/initial-events-end": "true" },
          },
        } as unknown as Any,
      })
    this.#watchers.add(watcher)
    try {
      for (;;) {
        const event = await channel.next(options.signal)
        if (event === undefined) return
        yield event
      }
    } finally {
      this.#watchers.delete(watcher)
    }
  }
}

function keyOf(kind: Kind, ref: { readonly namespace?: string | undefined; readonly name: string }): string {
  return `${kind.plural}/${kind.namespaced ? (ref.namespace ?? "default") : ""}/${ref.name}`
}

function selects(kind: Kind, { namespace, fieldSelector }: ListOptions, object: Any): boolean {
  if (namespace && object.metadata.namespace !== namespace) return false
  return (fieldSelector ?? "").split(",").every((requirement) => {
    if (requirement === "") return true
    const [path, value] = requirement.split("=") as [string, string]
    if (path === "metadata.name") return object.metadata.name === value
    return kind.selectableFields[path]?.(object as never) === value
  })
}
