/**
 * All pods of the node, each with a worker of its own; and what nobody wants any more, which is ended.
 * Mirrors: pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet_pods.go (HandlePodCleanups)
 */
import type { Pod } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { Backoff, messageOf, withTimeout, type Scope } from "@knarr/base"
import type { PodWorkers, SourcedPod } from "../contract.ts"
import type { ObjectChange } from "../objects/object-reader.ts"
import { admitPod, findShortage } from "./admission.ts"
import type { Refusal } from "./refusal.ts"
import { Backoffs } from "./backoffs.ts"
import { erasePod, releasePod } from "./cleanup.ts"
import { isStaticPod } from "./labels.ts"
import { kubepodsCgroup, qosCgroups } from "./pod-cgroup.ts"
import { qosClassOf } from "./qos.ts"
import { burstableShares } from "./linux-resources.ts"
import { isTerminalPhase } from "./pod-status.ts"
import { isAnyRunning, RuntimePods, type RuntimeContainer, type RuntimePod } from "./runtime-pod.ts"
import type { PodWorkerParts } from "./settings.ts"
import { readTerminationMessage } from "./termination-message.ts"
import { PodWorker } from "./worker.ts"

/** How long a container of a pod that nobody knows may take to end when it does not say itself. */
const orphanGraceSeconds = 30
const eventsRetryMs = 1000
const pruneLimitMs = 10_000

export interface PodWorkersOptions {
  readonly parts: PodWorkerParts
  /** Workers run as its tasks. */
  readonly scope: Scope
}

export class NodePodWorkers implements PodWorkers {
  readonly #parts: PodWorkerParts
  readonly #scope: Scope
  readonly #pods: RuntimePods
  readonly #backoff = new Backoffs()
  readonly #workers = new Map<string, PodWorker>()
  /** Static pods that wait for the end of the one that had their name before. */
  readonly #successors = new Map<string, SourcedPod>()
  /** Pods that the node refused, by uid. */
  readonly #refused = new Map<string, SourcedPod>()
  readonly #orphans = new Set<string>()
  /** Pods that could not be taken up, or let go, at the last try. */
  readonly #retries = new Map<string, Disposable>()
  readonly #stopListeners = new Map<string, Set<() => void>>()
  #sharesWanted = false
  #sharesRunning = false

  constructor({ parts, scope }: PodWorkersOptions) {
    this.#parts = parts
    this.#scope = scope
    this.#pods = new RuntimePods(parts.runtime, (status) => readTerminationMessage(status, parts.host))
    scope.defer(() => {
      for (const retry of this.#retries.values()) retry[Symbol.dispose]()
    })
  }

  update(sourced: SourcedPod): void {
    this.#attempt(sourced.pod.metadata.uid, () => this.#update(sourced))
  }

  #update(sourced: SourcedPod): void {
    const { pod } = sourced
    const { uid } = pod.metadata
    const worker = this.#workers.get(uid)
    if (worker) return worker.update(sourced)
    if (this.#refused.has(uid)) {
      this.#refused.set(uid, sourced)
      if (pod.metadata.deletionTimestamp) this.#parts.status.finished(pod)
      return
    }
    if (isStaticPod(pod) && this.#predecessorOf(pod)) {
      this.#successors.set(uid, sourced)
      return
    }
    const refusal = this.#refusalOf(pod)
    if (refusal) return this.#refuse(sourced, refusal)
    this.#start(sourced)
  }

  remove(podUid: string): void {
    this.#attempt(podUid, () => this.#remove(podUid))
  }

  /**
   * What fails over one pod is said and tried again, until something newer is to be done with it: whoever told of
   * the pod has others to tell of.
   */
  #attempt(
    podUid: string,
    fn: () => void,
    delay: Backoff = new Backoff({ firstMs: 1000, maxMs: 60_000 }),
  ): void {
    const { env } = this.#parts
    this.#retries.get(podUid)?.[Symbol.dispose]()
    this.#retries.delete(podUid)
    try {
      fn()
    } catch (thrown) {
      const retryMs = delay.next()
      env.log.error("Cannot take up a pod, retrying", thrown, { uid: podUid, seconds: retryMs / 1000 })
      if (this.#scope.signal.aborted) return
      this.#retries.set(
        podUid,
        env.clock.timer(retryMs, () => this.#attempt(podUid, fn, delay)),
      )
    }
  }

  #remove(podUid: string): void {
    this.#successors.delete(podUid)
    if (this.#refused.delete(podUid)) this.#parts.status.forget(podUid)
    this.#workers.get(podUid)?.remove()
  }

  wake(podUid: string): void {
    this.#workers.get(podUid)?.wake()
  }

  evict(podUid: string, options: { reason: string; message: string; gracePeriodSeconds: number }): void {
    const { reason, message, gracePeriodSeconds } = options
    this.#workers.get(podUid)?.evict({ reason, message, disruption: true }, gracePeriodSeconds)
  }

  pods(): readonly SourcedPod[] {
    return [...this.#workers.values(), ...[...this.#refused.values()].map((sourced) => ({ sourced }))].map(
      ({ sourced }) => sourced,
    )
  }

  /** Those that nobody has told to end. */
  livePods(): readonly Readonly<Pod>[] {
    return [...this.#workers.values()].filter(({ goesOn }) => goesOn).map(({ sourced }) => sourced.pod)
  }

  /** Removes containers that have ended and can be done without, of all pods. What takes long is left to itself. */
  async removeDeadContainers(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts.env
    try {
      await withTimeout(clock, pruneLimitMs, "removal of dead containers", signal, async (limited) => {
        await Promise.all([...this.#workers.values()].map((worker) => worker.prune(limited)))
      })
    } catch (thrown) {
      signal.throwIfAborted()
      log.info("Not every dead container is removed yet", { err: messageOf(thrown) })
    }
  }

  /** Whether the pod is wanted here, or something of it is still being taken away. */
  isKnown(podUid: string): boolean {
    return [this.#workers, this.#successors, this.#refused, this.#retries, this.#orphans].some((known) =>
      known.has(podUid),
    )
  }

  /** Whether containers of the pod run, or may yet. */
  isActive(podUid: string): boolean {
    return this.#workers.get(podUid)?.active === true
  }

  /** The containers of all pods that were running when they were last looked at. */
  runningContainers(): readonly RuntimeContainer[] {
    return this.#pods.running()
  }

  /** The pod's sandboxes and containers as the runtime has them now. */
  runtimePod(pod: Readonly<Pod>, signal: AbortSignal): Promise<RuntimePod> {
    const { uid, name, namespace } = pod.metadata
    return this.#pods.read(uid, name, namespace!, signal)
  }

  /** Calls `fn` when the container ends. */
  onStopped(containerId: string, fn: () => void): Disposable {
    let listeners = this.#stopListeners.get(containerId)
    if (!listeners) this.#stopListeners.set(containerId, (listeners = new Set()))
    listeners.add(fn)
    return {
      [Symbol.dispose]: () => {
        listeners.delete(fn)
        if (listeners.size === 0) this.#stopListeners.delete(containerId)
      },
    }
  }

  /** Follows the runtime's events until `signal` is aborted. */
  async runEvents(signal: AbortSignal): Promise<void> {
    const { runtime, env } = this.#parts
    for (;;) {
      try {
        for await (const event of runtime.events(signal)) {
          if (event.type === "resync") this.wakeAll()
          else if (event.type === "stopped") this.#stopped(event.containerId)
        }
      } catch (thrown) {
        signal.throwIfAborted()
        env.log.warn("The runtime's events ended, following them anew", { err: messageOf(thrown) })
      }
      await env.clock.sleep(eventsRetryMs, signal)
    }
  }

  /** Something that all pods wait for has changed. */
  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake()
  }

  /** Pods that wait for a secret or a ConfigMap need not wait for their next try. */
  objectChanged(change: ObjectChange): void {
    for (const worker of this.#workers.values())
      this.#guard(worker.uid, "Cannot tell a pod of a change", () => worker.objectChanged(change))
  }

  /** One pod's failure is not the others'. */
  #guard(uid: string | undefined, message: string, fn: () => void): void {
    try {
      fn()
    } catch (thrown) {
      this.#parts.env.log.error(message, thrown, { uid: uid ?? "" })
    }
  }

  #stopped(containerId: string): void {
    const uid = this.#pods.ownerOf(containerId)
    for (const listener of this.#stopListeners.get(containerId) ?? [])
      this.#guard(uid, "Cannot tell of a container's end", listener)
    if (uid !== undefined) this.wake(uid)
  }

  /** Sets up the cgroups above those of pods. */
  async prepareNode(): Promise<void> {
    const { host, settings } = this.#parts
    for (const level of qosCgroups)
      await host.setCgroup(
        `${kubepodsCgroup(settings)}${level}`,
        level === "/besteffort" ? { cpuShares: 2 } : {},
      )
  }

  /** Ends what runs for pods that no source knows. To be called when every source has told its pods. */
  async adopt(signal: AbortSignal): Promise<void> {
    const known = (uid: string): boolean =>
      this.#workers.has(uid) || this.#successors.has(uid) || this.#orphans.has(uid)
    const all = await this.#pods.all(signal)
    const uids = new Map<string, RuntimePod>(all.map((pod) => [pod.uid, pod]))
    for (const uid of [...this.#parts.volumes.podsOnDisk(), ...(await this.#cgroupUids())])
      if (!uids.has(uid)) uids.set(uid, { uid, name: "", namespace: "", sandboxes: [], containers: [] })
    for (const [uid, pod] of uids) {
      if (known(uid)) continue
      this.#orphans.add(uid)
      this.#scope.run(`orphan ${uid}`, (taskSignal) => this.#endOrphan(pod, taskSignal), { restart: true })
    }
  }

  async #cgroupUids(): Promise<string[]> {
    const { host, settings } = this.#parts
    const names: string[] = []
    for (const level of qosCgroups)
      names.push(...(await host.listCgroups(`${kubepodsCgroup(settings)}${level}`)))
    return names.filter((name) => name.startsWith("pod")).map((name) => name.slice(3))
  }

  async #endOrphan({ uid, name, namespace }: RuntimePod, signal: AbortSignal): Promise<void> {
    const parts = this.#parts
    parts.env.log.info("Ending a pod that nobody wants", { pod: `${namespace}/${name}`, uid })
    const retry = new Backoff({ firstMs: 1000, maxMs: 60_000 })
    for (;;) {
      try {
        let runtime = await this.#pods.read(uid, name, namespace, signal)
        const running = runtime.containers.filter(({ state }) => state === "running")
        await Promise.all(
          running.map(({ id, graceSeconds = orphanGraceSeconds }) =>
            parts.runtime.stopContainer({ containerId: id, timeout: Math.max(graceSeconds, 1) }, { signal }),
          ),
        )
        for (const { id } of runtime.sandboxes)
          await parts.runtime.stopPodSandbox({ podSandboxId: id }, { signal })
        runtime = await this.#pods.read(uid, name, namespace, signal)
        if (isAnyRunning(runtime)) throw new Error("It still runs")
        await releasePod(uid, parts, signal)
        if (name !== "") await erasePod(runtime, parts, signal)
        this.#orphans.delete(uid)
        return
      } catch (thrown) {
        signal.throwIfAborted()
        parts.env.log.warn("Cannot end a pod that nobody wants, retrying", { uid, err: messageOf(thrown) })
        await retry.wait(parts.env.clock, signal)
      }
    }
  }

  #start(sourced: SourcedPod): void {
    const { uid } = sourced.pod.metadata
    const worker = new PodWorker(sourced, {
      ...{ parts: this.#parts, pods: this.#pods, backoff: this.#backoff },
      resizeRefusal: (pod) => this.#resizeRefusal(pod),
    })
    this.#workers.set(uid, worker)
    this.#updateQosShares()
    this.#scope.run(
      `pod ${sourced.pod.metadata.name}`,
      async (signal) => {
        await worker.run(signal)
        this.#workers.delete(uid)
        this.#updateQosShares()
        for (const other of this.#workers.values()) other.retryResize()
        this.#startSuccessor(sourced.pod)
      },
      { restart: true },
    )
  }

  /** Burstable pods share the node's cpu with guaranteed ones by the sum of what they ask for. */
  #updateQosShares(): void {
    this.#sharesWanted = true
    if (this.#sharesRunning) return
    this.#sharesRunning = true
    this.#scope.run(
      "cgroup of burstable pods",
      async () => {
        const { host, settings, env } = this.#parts
        while (this.#sharesWanted) {
          this.#sharesWanted = false
          try {
            const burstable = [...this.#workers.values()].filter(
              (worker) => worker.active && qosClassOf(worker.sourced.pod) === "Burstable",
            )
            await host.setCgroup(`${kubepodsCgroup(settings)}/burstable`, {
              cpuShares: burstableShares(burstable.map(({ sourced }) => sourced.pod)),
            })
          } catch (thrown) {
            env.log.warn("Cannot set the cgroup of burstable pods", { err: messageOf(thrown) })
          }
        }
        this.#sharesRunning = false
      },
      { restart: true },
    )
  }

  #predecessorOf(pod: Readonly<Pod>): PodWorker | undefined {
    for (const worker of this.#workers.values()) {
      const other = worker.sourced.pod
      if (!isStaticPod(other) || other.metadata.name !== pod.metadata.name) continue
      if (other.metadata.namespace === pod.metadata.namespace) return worker
    }
    return undefined
  }

  #startSuccessor(ended: Readonly<Pod>): void {
    for (const [uid, sourced] of this.#successors) {
      const { name, namespace } = sourced.pod.metadata
      if (name !== ended.metadata.name || namespace !== ended.metadata.namespace) continue
      this.#successors.delete(uid)
      return this.update(sourced)
    }
  }

  #refusalOf(pod: Readonly<Pod>): Refusal | undefined {
    // What has begun here before a restart of the kubelet was admitted then.
    const begun = pod.status.startTime !== undefined || isTerminalPhase(pod.status.phase)
    if (begun || pod.metadata.deletionTimestamp) return undefined
    const others = [...this.#workers.values()]
      .filter(({ takesRoom }) => takesRoom)
      .map(({ granted }) => granted)
    const refusal = this.#parts.refusal?.(pod)
    if (refusal) return refusal
    const { settings } = this.#parts
    return admitPod(pod, settings.nodeName, this.#parts.node(), others, this.#parts.features())
  }

  #resizeRefusal(pod: Readonly<Pod>): Refusal | undefined {
    const node = this.#parts.node()
    if (!node) return undefined
    const others = [...this.#workers.values()]
      .filter(({ takesRoom, uid }) => takesRoom && uid !== pod.metadata.uid)
      .map(({ granted }) => granted)
    return findShortage(pod, node, others)
  }

  #refuse(sourced: SourcedPod, { reason, message }: Refusal): void {
    const { pod } = sourced
    const { events, status, env } = this.#parts
    this.#refused.set(pod.metadata.uid, sourced)
    events.event(pod, "Warning", reason, message)
    status.set(pod, {
      ...pod.status,
      phase: "Failed",
      reason,
      message: `Pod was rejected: ${message}`,
      qosClass: qosClassOf(pod),
      startTime: formatTime(env.clock.now()),
      ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
    })
  }
}
