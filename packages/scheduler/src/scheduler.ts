/** The scheduler: informers feed the cache and the queue; one pod at a time is decided, bindings run beside. */
import { Semaphore, messageOf, type Env, type Scope } from "@knarr/base"
import {
  namespace,
  node,
  pod,
  replicaSet,
  replicationController,
  service,
  statefulSet,
  type Node,
  type Pod,
} from "@knarr/api"
import {
  controllerOf,
  isNotFound,
  selectorFrom,
  selectorFromLabels,
  selectorOf,
  type LabelRequirement,
  type Selector,
} from "@knarr/apimachinery"
import {
  createEventRecorder,
  createInformerFactory,
  type Client,
  type EventRecorder,
  type InformerFactory,
} from "@knarr/client"
import { isPodTerminal } from "@knarr/pod-rules"
import { bindPod, reportUnscheduled, type Unscheduled } from "./bind.ts"
import { ClusterCache } from "./cache/cluster-cache.ts"
import { decide, type Decision } from "./cycle.ts"
import type { ClusterEvent, SchedulerPlugin } from "./framework.ts"
import { defaultPlugins } from "./order.ts"
import { SchedulingQueue } from "./queue/scheduling-queue.ts"

export interface SchedulerOptions {
  /** Acts as `system:kube-scheduler`. */
  readonly client: Client
  readonly env: Env
  readonly scope: Scope
  /** Default: informers of its own. */
  readonly informers?: InformerFactory
  /** Pods that name it are its own; default `default-scheduler`. */
  readonly schedulerName?: string
  /** Default: {@link defaultPlugins}. */
  readonly plugins?: readonly SchedulerPlugin[]
}

/** Bindings under way at the same time. */
const maxBindings = 64

/** Starts scheduling; the scope's end stops it. Resolves once its informers are synced. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const { client, env, scope } = options
  const schedulerName = options.schedulerName ?? "default-scheduler"
  const plugins = options.plugins ?? defaultPlugins
  const names = new Set<string>()
  for (const { name } of plugins) {
    if (names.has(name)) throw new Error(`Cannot start the scheduler: the plugin "${name}" is listed twice`)
    names.add(name)
  }
  const informers = options.informers ?? createInformerFactory({ client, scope, env })
  const recorder = createEventRecorder({ client, scope, env, component: schedulerName })
  const pods = informers.informer(pod)
  const nodes = informers.informer(node)
  const namespaces = informers.informer(namespace)
  const cache = new ClusterCache({
    namespaceLabels: (name) => namespaces.get({ name })?.metadata.labels,
    defaultSelector: createDefaultSelector(informers),
  })
  /** Says why the pod has no node (yet), in an event and in its conditions. */
  const report = (of: Readonly<Pod>, reason: Unscheduled, message: string): void => {
    recorder.event(of, "Warning", "FailedScheduling", message)
    scope.run("report", (signal) => reportUnscheduled({ client, env, pod: of, reason, message, signal }), {
      contained: true,
    })
  }
  const fail = (of: Readonly<Pod>, thrown: unknown): void => {
    env.log.error("Cannot schedule the pod, retrying", thrown, { pod: keyOf(of) })
    report(of, "SchedulerError", messageOf(thrown))
  }
  const queue = scope.use(new SchedulingQueue(env.clock, plugins, fail))
  await informers.waitForSync(scope.signal)
  scope.use(nodes.subscribe(nodeHandler(cache, queue)))
  scope.use(pods.subscribe(podHandler(cache, queue, schedulerName)))

  const bindings = new Semaphore(maxBindings)
  let startAt = 0
  const schedule = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const next = await queue.next(signal)
      const current = pods.get(next.metadata)
      if (
        !current ||
        current.metadata.uid !== next.metadata.uid ||
        current.metadata.deletionTimestamp ||
        cache.isAssumed(next.metadata.uid)
      ) {
        queue.done(next.metadata.uid)
        continue
      }
      let decision: Decision
      try {
        decision = decide(current, cache.snapshot(), plugins, env.random, startAt++)
      } catch (thrown) {
        queue.refused(current, new Set())
        fail(current, thrown)
        continue
      }
      if ("message" in decision) {
        queue.refused(current, decision.refusedBy)
        report(current, "Unschedulable", decision.message)
        continue
      }
      const { node: nodeName } = decision
      cache.assume(current, nodeName)
      const slot = await bindings.acquire(signal)
      scope.run("bind", () => bind(current, nodeName, slot, signal), { contained: true })
    }
  }
  scope.run("scheduling", schedule, { restart: true })

  const bind = async (
    bound: Readonly<Pod>,
    nodeName: string,
    slot: Disposable,
    signal: AbortSignal,
  ): Promise<void> => {
    using _slot = slot
    try {
      await bindPod({ client, pod: bound, nodeName, signal })
      queue.done(bound.metadata.uid)
      announce(recorder, bound, nodeName)
    } catch (thrown) {
      if (signal.aborted) return
      cache.forget(bound)
      queue.moveOn("pod deleted")
      if (isNotFound(thrown)) return queue.done(bound.metadata.uid)
      env.log.warn("Cannot bind the pod, retrying", {
        pod: keyOf(bound),
        node: nodeName,
        err: thrown,
      })
      queue.refused(bound, new Set())
      const message = `binding rejected: running Bind plugin "DefaultBinder": ${messageOf(thrown)}`
      recorder.event(bound, "Warning", "FailedScheduling", message)
    }
  }
}

function keyOf(of: Readonly<Pod>): string {
  return `${of.metadata.namespace}/${of.metadata.name}`
}

function announce(recorder: EventRecorder, bound: Readonly<Pod>, nodeName: string): void {
  const { namespace: ns, name } = bound.metadata
  recorder.event(bound, "Normal", "Scheduled", `Successfully assigned ${ns}/${name} to ${nodeName}`)
}

function nodeHandler(
  cache: ClusterCache,
  queue: SchedulingQueue,
): { added(n: Node): void; updated(n: Node, old: Node): void; deleted(n: Node): void } {
  return {
    added(added) {
      cache.setNode(added)
      queue.moveOn("node added")
    },
    updated(changed, old) {
      cache.setNode(changed)
      for (const event of nodeEvents(changed, old)) queue.moveOn(event)
    },
    deleted: (gone) => cache.removeNode(gone.metadata.name),
  }
}

function nodeEvents(changed: Node, old: Node): ClusterEvent[] {
  const differ = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b)
  const events: ClusterEvent[] = []
  if (differ(changed.status.allocatable, old.status.allocatable)) events.push("node allocatable changed")
  if (differ(changed.metadata.labels, old.metadata.labels)) events.push("node labels changed")
  if (differ([changed.spec.taints, changed.spec.unschedulable], [old.spec.taints, old.spec.unschedulable]))
    events.push("node taints changed")
  return events
}

function podHandler(
  cache: ClusterCache,
  queue: SchedulingQueue,
  schedulerName: string,
): { added(p: Pod): void; updated(p: Pod, old: Pod): void; deleted(p: Pod): void } {
  const isOurs = (p: Pod): boolean => (p.spec.schedulerName || "default-scheduler") === schedulerName
  const set = (p: Pod): void => {
    cache.setPod(p)
    if (p.spec.nodeName || isPodTerminal(p) || p.metadata.deletionTimestamp) queue.remove(p.metadata.uid)
    else if (isOurs(p)) queue.update(p)
  }
  return {
    added(added) {
      set(added)
      if (added.spec.nodeName) queue.moveOn("pod added")
    },
    updated(changed, old) {
      set(changed)
      if (!changed.spec.nodeName) return
      if (!old.spec.nodeName) queue.moveOn("pod added")
      if (isPodTerminal(changed) && !isPodTerminal(old)) queue.moveOn("pod deleted")
      if (JSON.stringify(changed.metadata.labels) !== JSON.stringify(old.metadata.labels))
        queue.moveOn("pod labels changed")
    },
    deleted(gone) {
      cache.removePod(gone)
      queue.remove(gone.metadata.uid)
      if (gone.spec.nodeName) queue.moveOn("pod deleted")
    },
  }
}

/** Mirrors: plugins/helper/spread.go DefaultSelector */
function createDefaultSelector(informers: InformerFactory): (pod: Readonly<Pod>) => Selector | undefined {
  const services = informers.informer(service)
  const sets = informers.informer(replicaSet)
  const controllers = informers.informer(replicationController)
  const stateful = informers.informer(statefulSet)
  return (of) => {
    const requirements: LabelRequirement[] = []
    for (const candidate of services.list(of.metadata.namespace)) {
      const { selector } = candidate.spec
      if (!selector || Object.keys(selector).length === 0) continue
      const compiled = selectorFromLabels(selector)
      if (compiled.matches(of.metadata.labels)) requirements.push(...compiled.requirements)
    }
    const owner = controllerOf(of)
    if (owner) {
      const ref = { namespace: of.metadata.namespace, name: owner.name }
      if (owner.kind === "ReplicaSet")
        requirements.push(...selectorFrom(sets.get(ref)?.spec.selector).requirements)
      else if (owner.kind === "StatefulSet")
        requirements.push(...selectorFrom(stateful.get(ref)?.spec.selector).requirements)
      else if (owner.kind === "ReplicationController")
        requirements.push(...selectorFromLabels(controllers.get(ref)?.spec.selector ?? {}).requirements)
    }
    return requirements.length === 0 ? undefined : selectorOf(requirements)
  }
}
