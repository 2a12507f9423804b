/**
 * Shows static pods in the API: a mirror is made for each, and made again when it is deleted or is another's.
 * Mirrors: pkg/kubelet/pod/mirror_client.go, pkg/kubelet/kubelet.go (tryReconcileMirrorPods)
 */
import { pod as podKind, type Node, type Pod } from "@knarr/api"
import { deepClone, isAlreadyExists, isNotFound } from "@knarr/apimachinery"
import { messageOf, type Env } from "@knarr/base"
import { createWorkQueue, type Client } from "@knarr/client"
import { configHashAnnotation, configMirrorAnnotation, isMirrorPod } from "../pod-worker/labels.ts"

export interface MirrorPodsOptions {
  readonly env: Env
  readonly client: Client
  /** Owns the mirrors; undefined until the node is known. */
  node(): Readonly<Node> | undefined
}

export class MirrorPods {
  readonly #options: MirrorPodsOptions
  /** `namespace/name` → the static pod of that name. */
  readonly #statics = new Map<string, Readonly<Pod>>()
  /** The mirrors in the API. */
  readonly #mirrors = new Map<string, Readonly<Pod>>()
  readonly #queue: ReturnType<typeof createWorkQueue>

  constructor(options: MirrorPodsOptions) {
    this.#options = options
    this.#queue = createWorkQueue(options.env, "mirror_pods")
  }

  setStatics(pods: readonly Readonly<Pod>[]): void {
    const keys = new Set(this.#statics.keys())
    this.#statics.clear()
    for (const pod of pods) {
      this.#statics.set(keyOf(pod), pod)
      keys.add(keyOf(pod))
    }
    for (const key of keys) this.#queue.add(key)
  }

  setMirror(pod: Readonly<Pod>): void {
    this.#mirrors.set(keyOf(pod), pod)
    this.#queue.add(keyOf(pod))
  }

  mirrorGone(pod: Readonly<Pod>): void {
    if (this.#mirrors.get(keyOf(pod))?.metadata.uid === pod.metadata.uid) this.#mirrors.delete(keyOf(pod))
    this.#queue.add(keyOf(pod))
  }

  /** The mirror of a static pod. */
  mirrorOf(pod: Readonly<Pod>): Readonly<Pod> | undefined {
    return this.#mirrors.get(keyOf(pod))
  }

  /** The node has become known: mirrors can be made. */
  retry(): void {
    for (const key of this.#statics.keys()) this.#queue.add(key)
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.get(signal)
      if (key === undefined) return
      try {
        await this.#reconcile(key, signal)
        this.#queue.forget(key)
      } catch (thrown) {
        signal.throwIfAborted()
        this.#options.env.log.warn("Cannot mirror a static pod, retrying", {
          pod: key,
          err: messageOf(thrown),
        })
        this.#queue.addRateLimited(key)
      } finally {
        this.#queue.done(key)
      }
    }
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const pod = this.#statics.get(key)
    const mirror = this.#mirrors.get(key)
    const hash = pod?.metadata.annotations?.[configHashAnnotation]
    const fits =
      mirror?.metadata.annotations?.[configMirrorAnnotation] === hash && !mirror?.metadata.deletionTimestamp
    if (mirror && (!pod || !fits)) {
      const { uid, namespace, name } = mirror.metadata
      try {
        await client.delete(
          podKind,
          { namespace, name },
          { gracePeriodSeconds: 0, preconditions: { uid }, signal },
        )
      } catch (thrown) {
        if (!isNotFound(thrown)) throw thrown
      }
      this.#mirrors.delete(key)
    }
    if (!pod || (mirror && fits)) return
    const node = this.#options.node()
    if (!node) return
    try {
      await client.create(podKind, mirrorFor(pod, node), { signal })
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown
      const { namespace, name } = pod.metadata
      const found = await client.get(podKind, { namespace, name }, { signal })
      if (isMirrorPod(found)) this.#mirrors.set(key, found)
      if (found.metadata.annotations?.[configMirrorAnnotation] !== hash) throw thrown
    }
  }
}

/** The object that shows a static pod. The node owns it, and so it goes with the node. */
function mirrorFor(pod: Readonly<Pod>, node: Readonly<Node>): Pod {
  const mirror = deepClone(pod) as Pod
  const { name, namespace, labels, annotations } = mirror.metadata
  mirror.metadata = {
    name,
    ...(namespace ? { namespace } : {}),
    ...(labels ? { labels } : {}),
    annotations: { ...annotations, [configMirrorAnnotation]: annotations?.[configHashAnnotation] ?? "" },
    ownerReferences: [
      { apiVersion: "v1", kind: "Node", name: node.metadata.name, uid: node.metadata.uid, controller: true },
    ],
  } as unknown as Pod["metadata"]
  return mirror
}

function keyOf({ metadata }: Readonly<Pod>): string {
  return `${metadata.namespace}/${metadata.name}`
}
