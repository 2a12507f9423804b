/**
 * One pod's attempt: decide, reserve, and then bind beside the loop. Mirrors: pkg/scheduler/schedule_one.go
 */
import { Semaphore, messageOf, type Env, type Scope } from "@knarr/base"
import type { Pod } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import type { Client, Informer } from "@knarr/client"
import type { ClusterCache } from "./cache/cluster-cache.ts"
import type { Nominator } from "./cache/nominator.ts"
import {
  decide,
  fitMessage,
  place,
  refusalOfNode,
  refused,
  searchNodes,
  type Decision,
  type Diagnosis,
  type Placement,
} from "./cycle.ts"
import type { AttemptOf, DecisionLog } from "./decision-log.ts"
import { assignedPodDelete } from "./event-handlers.ts"
import { extenderName, type Extenders } from "./extenders/extenders.ts"
import { CycleState } from "./framework/cycle-state.ts"
import type { QueuedPod } from "./framework/plugin.ts"
import type { Profile } from "./framework/profile.ts"
import { Status } from "./framework/status.ts"
import { SchedulerMetrics } from "./metrics.ts"
import type { SchedulingQueue } from "./queue/scheduling-queue.ts"
import { reportStatus, type StatusReport, type Unscheduled } from "./report.ts"

export interface AttemptContext {
  readonly client: Client
  readonly env: Env
  readonly scope: Scope
  readonly pods: Informer<Pod>
  readonly cache: ClusterCache
  readonly queue: SchedulingQueue
  readonly nominator: Nominator
  readonly extenders: Extenders
  readonly decisions: DecisionLog
}

/** Bindings under way at the same time; those that are held back do not count. */
const maxBindings = 64
/** Upstream's bound of an event's message. */
const maxEventLength = 1024

/** A pod with its node, from the decision on. */
interface Binding {
  readonly profile: Profile
  readonly queued: QueuedPod
  readonly state: CycleState
  /** With the node. */
  readonly pod: Readonly<Pod>
  readonly nodeName: string
  /** When the attempt began, by the monotonic clock. */
  readonly beganMs: number
}

export class Attempts {
  readonly #context: AttemptContext
  readonly #metrics: SchedulerMetrics
  readonly #bindings = new Semaphore(maxBindings)
  /** Where the search through the nodes begins. */
  #startAt = 0

  constructor(context: AttemptContext) {
    this.#context = context
    this.#metrics = new SchedulerMetrics(context.env)
  }

  /** Ends when the pod is decided, and its binding has begun. What fails fails this pod only. */
  async run(queued: QueuedPod, profile: Profile, signal: AbortSignal): Promise<void> {
    const { cache, queue, pods } = this.#context
    const { uid } = queued.pod.metadata
    const pod = pods.get(queued.pod.metadata)
    if (!pod || pod.metadata.uid !== uid || pod.metadata.deletionTimestamp || cache.assumed(uid))
      return queue.done(uid)
    const beganMs = this.#metrics.now()
    let binding: Binding | undefined
    try {
      binding = await this.#schedule(queued, pod, profile, beganMs, signal)
    } catch (thrown) {
      if (signal.aborted) throw thrown
      this.#failed(profile, queued, beganMs, thrown)
    }
    if (!binding) return
    const isHeldBack = profile.waitingPods.get(uid) !== undefined
    const slot = isHeldBack ? undefined : await this.#bindings.acquire(signal)
    const { scope } = this.#context
    scope.run("bind", (during) => this.#bind(binding, slot, during), { contained: true })
  }

  /** Tells the pod, which is tried again. */
  sayFailure(profile: Profile, pod: Readonly<Pod>, thrown: unknown): void {
    this.#context.env.log.error("Cannot schedule the pod, retrying", thrown, { pod: keyOf(pod) })
    this.#say(profile, pod, "SchedulerError", messageOf(thrown), "")
  }

  #failed(profile: Profile, queued: QueuedPod, beganMs: number, thrown: unknown): void {
    this.#metrics.attempted("error", profile.name, beganMs)
    this.#comeBack(queued, undefined, "")
    this.#context.decisions.failed(attemptOf(profile, queued), messageOf(thrown))
    this.sayFailure(profile, queued.pod, thrown)
  }

  async #schedule(
    queued: QueuedPod,
    pod: Readonly<Pod>,
    profile: Profile,
    beganMs: number,
    signal: AbortSignal,
  ): Promise<Binding | undefined> {
    const { cache, env, nominator } = this.#context
    const state = new CycleState(cache.snapshot())
    const decision = this.#context.extenders.isEmpty
      ? decide(profile, state, pod, env.random, this.#startAt)
      : await this.#decideWithOthers(profile, state, pod, signal)
    this.#startAt = (this.#startAt + decision.evaluated) % Math.max(state.snapshot.nodes.length, 1)
    if (!("node" in decision)) {
      await this.#noNode(queued, pod, profile, state, decision, signal)
      this.#metrics.decided(beganMs)
      this.#metrics.attempted("unschedulable", profile.name, beganMs)
      return undefined
    }
    this.#metrics.decided(beganMs)
    this.#context.decisions.placed(attemptOf(profile, queued), decision, state.snapshot.nodes.length)
    const assigned = Object.freeze({ ...pod, spec: Object.freeze({ ...pod.spec, nodeName: decision.node }) })
    cache.assume(assigned)
    nominator.delete(pod.metadata.uid)
    const binding = { profile, queued, state, pod: assigned, nodeName: decision.node, beganMs }
    return this.#reserve(binding, decision)
  }

  /** Programs of the operator's have a say in it. */
  async #decideWithOthers(
    profile: Profile,
    state: CycleState,
    pod: Readonly<Pod>,
    signal: AbortSignal,
  ): Promise<Decision> {
    const { extenders, env } = this.#context
    let search = searchNodes(profile, state, pod, this.#startAt)
    if (!("feasible" in search)) return search
    let feasible = await extenders.filter(pod, search.feasible, search.statuses, signal)
    if (feasible.length === 0 && search.isNominated) {
      search = searchNodes(profile, state, pod, this.#startAt, true)
      if (!("feasible" in search)) return search
      feasible = await extenders.filter(pod, search.feasible, search.statuses, signal)
    }
    const left = { ...search, feasible }
    if (feasible.length > 0) {
      const scores = feasible.length > 1 ? await extenders.prioritize(pod, feasible, signal) : []
      return place(profile, state, pod, left, scores, env.random)
    }
    const diagnosis = refused(state, left)
    if (search.feasible.length === 0) return diagnosis
    // Extenders say nothing of what would help: everything may.
    return { ...diagnosis, unschedulablePlugins: new Set([...diagnosis.unschedulablePlugins, extenderName]) }
  }

  /** Plugins are asked to make room; then the pod is told why there is none. */
  async #noNode(
    queued: QueuedPod,
    pod: Readonly<Pod>,
    profile: Profile,
    state: CycleState,
    diagnosis: Diagnosis,
    signal: AbortSignal,
  ): Promise<void> {
    const { status, nominatedNode } =
      diagnosis.total > 0 && profile.hasPostFilter
        ? await profile.postFilter(state, pod, diagnosis.statuses, signal)
        : { nominatedNode: "" }
    this.#comeBack(queued, diagnosis, nominatedNode)
    const message = fitMessage(diagnosis, status?.message)
    this.#context.decisions.refused(attemptOf(profile, queued), diagnosis, message, nominatedNode)
    this.#say(profile, pod, "Unschedulable", message, nominatedNode)
  }

  /** The binding, unless a plugin refuses the node after all. */
  #reserve(binding: Binding, { node }: Placement): Binding | undefined {
    const { profile, state, pod } = binding
    try {
      const refusal = profile.reserve(state, pod, node) ?? profile.permit(state, pod, node)
      if (refusal instanceof Status) {
        this.#giveUp(binding)
        this.#refusedAt(binding, refusal)
        return undefined
      }
      if (refusal) profile.waitingPods.add(pod, node, refusal)
      return binding
    } catch (thrown) {
      this.#giveUp(binding)
      throw thrown
    }
  }

  async #bind(binding: Binding, held: Disposable | undefined, signal: AbortSignal): Promise<void> {
    const { profile, state, pod, nodeName, queued, beganMs } = binding
    const { queue, env, extenders } = this.#context
    let slot = held
    try {
      const binders = profile.preBinders(state, pod, nodeName)
      if (binders.length > 0 || profile.waitingPods.get(pod.metadata.uid)) await this.#expect(binding, signal)
      const rejection = await this.#permission(binding, signal)
      if (rejection?.isRejected) {
        this.#giveUp(binding)
        return this.#refusedAt(binding, rejection)
      }
      if (rejection) throw new Error(`waiting on permit for pod: ${rejection.message}`)
      queue.done(pod.metadata.uid)
      if (binders.length > 0) {
        // It may wait for others, such as volumes: nobody's binding waits for that.
        slot?.[Symbol.dispose]()
        slot = undefined
        const refusal = await profile.preBind(binders, state, pod, nodeName, signal)
        if (refusal) throw new Error(refusal.message)
      }
      slot ??= await this.#bindings.acquire(signal)
      if (extenders.isEmpty || !(await extenders.bind(pod, nodeName, signal))) {
        const refusal = await profile.bind(state, pod, nodeName, signal)
        if (refusal) throw new Error(refusal.message)
      }
      const { namespace, name } = pod.metadata
      const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`
      profile.handle.recorder.event(pod, "Normal", "Scheduled", message)
      this.#metrics.attempted("scheduled", profile.name, beganMs)
      this.#metrics.scheduled(queued.attempts, env.clock.now() - queued.firstMs)
      profile.postBind(state, pod, nodeName)
    } catch (thrown) {
      if (signal.aborted) return
      this.#giveUp(binding)
      if (isNotFound(causeOf(thrown))) return queue.done(pod.metadata.uid)
      this.#failed(profile, queued, beganMs, thrown)
    } finally {
      slot?.[Symbol.dispose]()
    }
  }

  /** Tells others, who may make or remove nodes, where a pod will be whose binding takes time. */
  async #expect({ queued, nodeName }: Binding, signal: AbortSignal): Promise<void> {
    const { client, env } = this.#context
    await reportStatus({ client, env, pod: queued.pod, report: { nominatedNode: nodeName }, signal })
  }

  /** What became of a pod that is held back. */
  async #permission({ profile, pod }: Binding, signal: AbortSignal): Promise<Status | undefined> {
    const { uid } = pod.metadata
    if (!profile.waitingPods.get(uid)) return undefined
    const beganMs = this.#metrics.now()
    const status = await profile.waitingPods.decision(uid, signal)
    this.#metrics.permitted(status?.code ?? "Success", beganMs)
    return status
  }

  /** The pod counts on its node no more; others may take its place. */
  #giveUp({ profile, state, pod, nodeName }: Binding): void {
    const { cache, queue } = this.#context
    profile.waitingPods.forget(pod.metadata.uid)
    profile.unreserve(state, pod, nodeName)
    cache.forget(pod)
    queue.moveAll(assignedPodDelete, pod, undefined, (other) => other.metadata.uid !== pod.metadata.uid)
  }

  #refusedAt({ profile, queued, nodeName, beganMs }: Binding, status: Status): void {
    this.#metrics.attempted("unschedulable", profile.name, beganMs)
    const diagnosis = refusalOfNode(nodeName, status)
    this.#comeBack(queued, diagnosis, "")
    const message = fitMessage(diagnosis)
    this.#context.decisions.refused(attemptOf(profile, queued), diagnosis, message, undefined)
    this.#say(profile, queued.pod, "Unschedulable", message, "")
  }

  /** Back into the queue, unless the pod is gone or has its node meanwhile. `nominatedNode` as in `PostFilterResult`. */
  #comeBack(queued: QueuedPod, diagnosis: Diagnosis | undefined, nominatedNode: string | undefined): void {
    const { queue, pods, nominator } = this.#context
    const { metadata } = queued.pod
    const now = pods.get(metadata)
    if (!now || now.metadata.uid !== metadata.uid || now.spec.nodeName || now.metadata.deletionTimestamp)
      return queue.done(metadata.uid)
    if (nominatedNode !== undefined) nominator.set(now, nominatedNode)
    else nominator.update(now, now)
    queue.refused(queued, now, diagnosis)
  }

  /** In an event, and in the pod's conditions. */
  #say(
    profile: Profile,
    pod: Readonly<Pod>,
    reason: Unscheduled,
    message: string,
    nominatedNode: string | undefined,
  ): void {
    const { client, env, scope } = this.#context
    const short = message.length > maxEventLength ? `${message.slice(0, maxEventLength - 4)} ...` : message
    profile.handle.recorder.event(pod, "Warning", "FailedScheduling", short)
    const report: StatusReport = { condition: { reason, message }, nominatedNode }
    const now = this.#context.pods.get(pod.metadata)
    const latest = now?.metadata.uid === pod.metadata.uid ? now : pod
    scope.run("report", (signal) => reportStatus({ client, env, pod: latest, report, signal }), {
      contained: true,
    })
  }
}

function attemptOf(profile: Profile, { pod, attempts }: QueuedPod): AttemptOf {
  return { pod, schedulerName: profile.name, attempt: attempts }
}

function keyOf(of: Readonly<Pod>): string {
  return `${of.metadata.namespace}/${of.metadata.name}`
}

/** What a plugin threw. */
function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown
}
