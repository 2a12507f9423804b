/**
 * The life of one pod on this node: syncing → terminating → terminated → gone. One step at a time; it wakes on
 * updates, exits, probe results and its own timers, and never polls.
 * Mirrors: pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet.go (SyncPod, SyncTerminatingPod, SyncTerminatedPod)
 */
import type { Container, Pod } from "@knarr/api"
import { parseTime } from "@knarr/apimachinery"
import { Backoff, abortable, deferred, messageOf, type Deferred } from "@knarr/base"
import type { SourcedPod } from "../contract.ts"
import type { ObjectChange } from "../objects/object-reader.ts"
import { podReferences } from "../objects/references.ts"
import type { Backoffs } from "./backoffs.ts"
import { erasePod, releasePod, removeExpendable, removeSuperfluous } from "./cleanup.ts"
import { addressesOf, killPod, performActions } from "./perform.ts"
import { planPod, type ProbeResult } from "./plan.ts"
import { podCgroup } from "./pod-cgroup.ts"
import { isWantedAnew } from "./pod-change.ts"
import { isTerminalPhase } from "./pod-status.ts"
import type { PodFailure } from "./pod-failure.ts"
import { publishStatus } from "./publish-status.ts"
import { podCgroupResources } from "./linux-resources.ts"
import type { Refusal } from "./refusal.ts"
import { addRestarts, performResize, planResize, type AppliedResources } from "./resize.ts"
import { ResizeAllocation, resizeRetryMs } from "./resize-allocation.ts"
import { isAnyRunning, latestContainer, type RuntimePod, type RuntimePods } from "./runtime-pod.ts"
import { podDir, statusNotKnownYet, type PodWorkerParts } from "./settings.ts"
import type { StartError } from "./start-error.ts"
import type { StopMemory } from "./stop-containers.ts"

export type WorkerPhase = "syncing" | "terminating" | "terminated" | "gone"

export interface PodWorkerOptions {
  readonly parts: PodWorkerParts
  readonly pods: RuntimePods
  /** Of containers' restarts; shared by all pods. */
  readonly backoff: Backoffs
  /** Why the node has no room for the pod with the resources that it asks for now. */
  readonly resizeRefusal: (pod: Readonly<Pod>) => Refusal | undefined
}

const networkRetryMs = 10_000

export class PodWorker {
  readonly uid: string
  readonly #parts: PodWorkerParts
  readonly #pods: RuntimePods
  readonly #backoff: Backoffs
  readonly #allocation: ResizeAllocation
  #sourced: SourcedPod
  #phase: WorkerPhase = "syncing"
  #failure: PodFailure | undefined
  /** Given by the node itself: eviction. */
  #ownGraceSeconds: number | undefined
  /** The grace period that the termination under way was begun with. */
  #graceSeconds: number | undefined
  #removed = false
  #dirty = true
  #waiting: Deferred<void> | undefined
  /** Somebody waits for the removal of dead containers. */
  #pruning: Deferred<void> | undefined
  #step: AbortController | undefined
  readonly #retry = new Backoff({ firstMs: 1000, maxMs: 10_000 })
  readonly #startRetry = new Backoff({ firstMs: 1000, maxMs: 10_000 })
  readonly #volumeRetry = new Backoff({ firstMs: 500, maxMs: 122_000 })
  #cgroupSet = false
  #finishedTold = false
  /** The volumes could not be mounted, or containers not be made. */
  #blocked = false
  /** The spec whose references are watched. */
  #registered: Readonly<Pod["spec"]> | undefined
  readonly #failures = new Map<string, StartError>()
  readonly #probed = new Set<string>()
  readonly #applied: AppliedResources = new Map()
  readonly #memory: StopMemory = { begun: new Set() }

  constructor(sourced: SourcedPod, { parts, pods, backoff, resizeRefusal }: PodWorkerOptions) {
    this.uid = sourced.pod.metadata.uid
    this.#sourced = sourced
    this.#parts = parts
    this.#pods = pods
    this.#backoff = backoff
    this.#allocation = new ResizeAllocation({
      events: parts.events,
      refusal: resizeRefusal,
      nowMs: () => parts.env.clock.now(),
    })
    this.#noteEnd()
  }

  get sourced(): SourcedPod {
    return this.#sourced
  }

  /** The pod with the resources that the node has granted it. */
  get granted(): Readonly<Pod> {
    return this.#allocation.granted(this.#sourced.pod)
  }

  get phase(): WorkerPhase {
    return this.#phase
  }

  /** Whether the pod may have running containers, now or later. */
  get active(): boolean {
    return this.#phase === "syncing" || this.#phase === "terminating"
  }

  /** Whether new pods have to leave it its share: of one that is gone from its source nobody else knows any more. */
  get takesRoom(): boolean {
    return this.active && !this.#removed
  }

  /** Whether the pod goes on: nobody has told it to end. */
  get goesOn(): boolean {
    return this.#phase === "syncing"
  }

  update(sourced: SourcedPod): void {
    const before = this.#sourced.pod
    this.#sourced = sourced
    this.#noteEnd()
    // Most updates only bring back the status that was written from here.
    if (isWantedAnew(before, sourced.pod)) this.wake()
  }

  /** The pod is gone from its source. */
  remove(): void {
    this.#removed = true
    this.#noteEnd()
    this.wake()
  }

  evict(failure: PodFailure, graceSeconds: number): void {
    this.#failure ??= failure
    this.#ownGraceSeconds = Math.min(this.#ownGraceSeconds ?? Infinity, graceSeconds)
    this.#beginEnd()
    this.wake()
  }

  /**
   * Removes containers that have ended and can be done without. Resolves when that is done, or nothing is left of
   * the pod.
   */
  async prune(signal: AbortSignal): Promise<void> {
    if (this.#phase === "gone") return
    this.#pruning ??= deferred()
    const { promise } = this.#pruning
    this.wake()
    await abortable(promise, signal)
  }

  /** There may be room for what did not fit before. */
  retryResize(): void {
    if (this.#allocation.isPending) this.wake()
  }

  wake(): void {
    this.#dirty = true
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  /** What the pod could not start for may be there now. */
  objectChanged(change: ObjectChange): void {
    if (this.#phase !== "syncing" || !(this.#blocked || this.#step)) return
    const { pod } = this.#sourced
    switch (change.kind) {
      case "token":
        return
      case "certificate":
        if (change.podUid === this.uid) this.wake()
        return
      case "trustBundle":
        if (podReferences(pod).trustBundles) this.wake()
        return
    }
    if (change.namespace !== pod.metadata.namespace) return
    const { secrets, configMaps } = podReferences(pod)
    if ((change.kind === "secret" ? secrets : configMaps).has(change.name)) this.wake()
  }

  /** Returns when nothing of the pod is left, or rejects with the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    while (this.#phase !== "gone") {
      signal.throwIfAborted()
      this.#dirty = false
      const nextMs = await this.#runStep(signal)
      if (this.#dirty || nextMs === 0) continue
      await this.#sleep(nextMs, signal)
    }
  }

  async #sleep(ms: number | undefined, signal: AbortSignal): Promise<void> {
    const wakeup = (this.#waiting = deferred())
    if (this.#phase === "gone") return
    using _timer = ms === undefined ? undefined : this.#parts.env.clock.timer(ms, () => wakeup.resolve())
    await abortable(wakeup.promise, signal)
    this.#waiting = undefined
  }

  /** Answers when the next step is due at the latest; undefined: only when woken. */
  async #runStep(signal: AbortSignal): Promise<number | undefined> {
    const step = (this.#step = new AbortController())
    const onAbort = (): void => step.abort(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      const nextMs = await this.#doStep(step.signal)
      await this.#pruneNow(step.signal)
      this.#retry.reset()
      return nextMs
    } catch (thrown) {
      signal.throwIfAborted()
      // The step was cut short because the pod is to end now.
      if (step.signal.aborted) return 0
      const { namespace, name } = this.#sourced.pod.metadata
      const log = this.#parts.env.log
      log.warn("Cannot sync a pod, retrying", {
        pod: `${namespace}/${name}`,
        phase: this.#phase,
        err: messageOf(thrown),
      })
      return this.#retry.next()
    } finally {
      signal.removeEventListener("abort", onAbort)
      this.#step = undefined
    }
  }

  #doStep(signal: AbortSignal): Promise<number | undefined> {
    switch (this.#phase) {
      case "syncing":
        return this.#sync(signal)
      case "terminating":
        return this.#terminate(signal)
      default:
        return this.#erase(signal)
    }
  }

  // ── syncing ──

  async #sync(signal: AbortSignal): Promise<number | undefined> {
    this.#allocation.update(this.#sourced.pod)
    const pod = this.granted
    const parts = this.#parts
    let runtime = await this.#read(signal)
    // What failed after the start, or only seemed to, is no reason not to look after what runs.
    for (const name of this.#failures.keys())
      if (latestContainer(runtime, name)?.state === "running") this.#failures.delete(name)
    const deadlineMs = this.#deadlineInMs(pod)
    if (deadlineMs !== undefined && deadlineMs <= 0) {
      const message = "Pod was active on the node longer than the specified deadline"
      parts.events.event(pod, "Normal", "DeadlineExceeded", message)
      this.#failure ??= { reason: "DeadlineExceeded", message }
    }
    if (isTerminalPhase(this.#publish(runtime, false))) {
      this.#beginEnd()
      return 0
    }
    const problem = parts.networkProblem()
    if (problem !== undefined && !pod.spec.hostNetwork) {
      if (problem !== statusNotKnownYet)
        parts.events.event(pod, "Warning", "NetworkNotReady", `network is not ready: ${problem}`)
      return networkRetryMs
    }
    if (this.#registered !== this.#sourced.pod.spec) {
      this.#registered = this.#sourced.pod.spec
      parts.objects.registerPod(pod)
    }
    await this.#prepare(pod, runtime)
    let volumes
    try {
      volumes = await parts.volumes.mount(pod, signal)
      this.#volumeRetry.reset()
    } catch (thrown) {
      signal.throwIfAborted()
      this.#blocked = true
      parts.events.event(pod, "Warning", "FailedMount", messageOf(thrown))
      return this.#volumeRetry.next()
    }
    const actions = planPod(pod, runtime, this.#probe)
    if (!actions.killPod) {
      const resizes = planResize(pod, runtime, this.#applied)
      this.#allocation.actuated(pod, resizes.length === 0)
      try {
        await performResize(pod, resizes, this.#applied, parts, signal)
      } catch (thrown) {
        signal.throwIfAborted()
        this.#allocation.actuated(pod, false, messageOf(thrown))
        this.#publish(runtime, false)
        throw thrown
      }
      addRestarts(resizes, actions)
    }
    await performActions(
      {
        pod,
        runtime,
        actions,
        volumes,
        backoff: this.#backoff,
        parts,
        pods: this.#pods,
        memory: this.#memory,
        failures: this.#failures,
        publish: async () => void this.#publish(await this.#read(signal), false),
        started: (container, id, podIP) => this.#containerStarted(container, id, podIP),
      },
      signal,
    )
    this.#blocked = this.#failures.size > 0
    runtime = await this.#read(signal)
    this.#adoptProbes(pod, runtime)
    this.#allocation.actuated(pod, planResize(pod, runtime, this.#applied).length === 0)
    if (isTerminalPhase(this.#publish(runtime, false))) {
      this.#beginEnd()
      return 0
    }
    await removeSuperfluous(runtime, parts, signal)
    // After a sidecar's start, and after everything was taken away, there is more to do at once.
    const goesOn = actions.startInit.some(({ name }) => !this.#failures.has(name))
    return actions.restartAll || goesOn ? 0 : this.#nextMs(this.#deadlineInMs(pod))
  }

  /** Folders and the cgroup, once. */
  async #prepare(pod: Readonly<Pod>, runtime: RuntimePod): Promise<void> {
    if (this.#cgroupSet && runtime.sandboxes[0]?.ready) return
    const { host, settings } = this.#parts
    await Promise.all([
      host.makeDir(podDir(settings, this.uid), 0o750),
      host.setCgroup(podCgroup(settings, pod), podCgroupResources(pod, settings.cpuQuota)),
    ])
    this.#cgroupSet = true
  }

  #containerStarted(container: Readonly<Container>, id: string, podIP: string): void {
    this.#probed.add(id)
    this.#applied.set(id, container.resources ?? {})
    this.#parts.probes.containerStarted(this.#sourced.pod, container.name, id, podIP)
  }

  /** Containers that run from before a restart of the kubelet are probed too. */
  #adoptProbes(pod: Readonly<Pod>, runtime: RuntimePod): void {
    const podIP = addressesOf({ pod, runtime, parts: this.#parts })[0] ?? ""
    const probed = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
    for (const { id, name, state } of runtime.containers) {
      if (state !== "running" || this.#probed.has(id)) continue
      const container = probed.find((other) => other.name === name)
      if (!container || this.#failures.has(name)) continue
      this.#probed.add(id)
      this.#parts.probes.containerStarted(pod, name, id, podIP)
    }
  }

  #deadlineInMs(pod: Readonly<Pod>): number | undefined {
    const { activeDeadlineSeconds } = pod.spec
    const start = (this.#parts.status.get(this.uid) ?? pod.status).startTime
    if (activeDeadlineSeconds === undefined || start === undefined) return undefined
    return parseTime(start) + activeDeadlineSeconds * 1000 - this.#parts.env.clock.now()
  }

  #nextMs(deadlineMs: number | undefined): number | undefined {
    let next = deadlineMs
    if (this.#allocation.isPending) next = Math.min(next ?? Infinity, resizeRetryMs)
    let ordinary = false
    for (const { retryAfterMs } of this.#failures.values()) {
      if (retryAfterMs === undefined) ordinary = true
      else next = Math.min(next ?? Infinity, retryAfterMs)
    }
    if (!ordinary) {
      this.#startRetry.reset()
      return next
    }
    return Math.min(next ?? Infinity, this.#startRetry.next())
  }

  // ── the end ──

  /** Sees whether the pod is to end, or to end sooner. */
  #noteEnd(): void {
    if (this.#removed || this.#sourced.pod.metadata.deletionTimestamp) this.#beginEnd()
  }

  #beginEnd(): void {
    if (this.#phase === "syncing") {
      this.#phase = "terminating"
      this.#parts.probes.stopLivenessAndStartup(this.uid)
      this.#step?.abort(new Error("The pod is to end"))
    } else if (this.#phase === "terminating" && this.#graceSeconds !== undefined) {
      if (this.#grace() < this.#graceSeconds) this.#step?.abort(new Error("The pod is to end sooner"))
    }
  }

  #grace(): number {
    const { metadata, spec } = this.#sourced.pod
    const wanted =
      metadata.deletionGracePeriodSeconds ?? this.#ownGraceSeconds ?? spec.terminationGracePeriodSeconds
    return Math.max(Math.min(wanted ?? 30, this.#ownGraceSeconds ?? Infinity), 1)
  }

  async #terminate(signal: AbortSignal): Promise<number | undefined> {
    const { pod } = this.#sourced
    const parts = this.#parts
    let runtime = await this.#read(signal)
    this.#graceSeconds = this.#grace()
    this.#publish(runtime, false)
    const graceSeconds = this.#graceSeconds
    await killPod({ pod, runtime, parts, memory: this.#memory, graceSeconds }, signal)
    parts.probes.stop(this.uid)
    runtime = await this.#read(signal)
    if (isAnyRunning(runtime)) throw new Error("detected running containers after a successful KillPod")
    this.#publish(runtime, true)
    await releasePod(this.uid, parts, signal)
    // Whoever was ended for want of room must leave it.
    if (this.#failure?.disruption) await removeExpendable(pod, runtime, true, parts, signal)
    parts.objects.unregisterPod(this.uid)
    this.#phase = "terminated"
    this.#tellFinished()
    return 0
  }

  async #pruneNow(signal: AbortSignal): Promise<void> {
    const pruning = this.#pruning
    if (!pruning) return
    if (this.#phase !== "gone") {
      const { pod } = this.#sourced
      const ended = this.#phase === "terminated"
      await removeExpendable(pod, await this.#read(signal), ended, this.#parts, signal)
    }
    this.#pruning = undefined
    pruning.resolve()
  }

  #tellFinished(): void {
    const { pod } = this.#sourced
    if (!pod.metadata.deletionTimestamp || this.#removed || this.#finishedTold) return
    this.#finishedTold = true
    this.#parts.status.finished(pod)
  }

  /** When the pod is gone from its source too, nothing of it may stay. */
  async #erase(signal: AbortSignal): Promise<number | undefined> {
    if (!this.#removed) {
      this.#tellFinished()
      return undefined
    }
    const runtime = await this.#read(signal)
    await erasePod(runtime, this.#parts, signal)
    this.#parts.images.forget(this.uid)
    this.#backoff.forget(this.uid)
    this.#parts.status.forget(this.uid)
    this.#phase = "gone"
    return undefined
  }

  // ── state ──

  readonly #probe: ProbeResult = (container, containerId, type) =>
    this.#parts.probes.result(this.uid, container, containerId, type)

  #read(signal: AbortSignal): Promise<RuntimePod> {
    const { name, namespace } = this.#sourced.pod.metadata
    return this.#pods.read(this.uid, name, namespace!, signal)
  }

  /** Tells the pod's status and answers its phase, which the API hears only once nothing runs any more. */
  #publish(runtime: RuntimePod, ended: boolean): string {
    return publishStatus(this.#parts, {
      pod: this.granted,
      runtime,
      failures: this.#failures,
      applied: this.#applied,
      resizing: ended ? [] : this.#allocation.conditions,
      probe: this.#probe,
      ended,
      failure: this.#failure,
    })
  }
}
