/** The scheduler: informers feed the cache and the queue; one pod at a time is decided, bindings run beside. */
import { messageOf, type Env, type Scope } from "@knarr/base"
import { node, pod, type Pod } from "@knarr/api"
import { createEventRecorder, createInformerFactory, type Client, type InformerFactory } from "@knarr/client"
import { Attempts } from "./attempt.ts"
import { ClusterCache } from "./cache/cluster-cache.ts"
import { Nominator } from "./cache/nominator.ts"
import { DecisionLog } from "./decision-log.ts"
import type { WrittenExtender } from "./config/written.ts"
import { extenderName, Extenders } from "./extenders/extenders.ts"
import { handleEvents, watchedKinds } from "./event-handlers.ts"
import type { PluginSets } from "./framework/points.ts"
import { createProfile, type PluginList, type Profile } from "./framework/profile.ts"
import { collectQueue } from "./metrics.ts"
import { defaultPlugins } from "./order.ts"
import { SchedulingQueue, type QueueBackoff } from "./queue/scheduling-queue.ts"

export interface ProfileConfig {
  /** Pods that name it are its own. */
  readonly schedulerName: string
  /** In their order; default: {@link defaultPlugins}. */
  readonly plugins?: PluginList
  /** Which of them are asked where. Default: all, wherever they have a say. */
  readonly sets?: PluginSets | undefined
  /** Default 0: by the number of nodes. */
  readonly percentageOfNodesToScore?: number | undefined
}

export interface SchedulerOptions {
  /** Acts as `system:kube-scheduler`. */
  readonly client: Client
  readonly env: Env
  readonly scope: Scope
  /** Default: informers of its own. */
  readonly informers?: InformerFactory
  /** Default: one, `default-scheduler`. All sort the queue by the same plugin. */
  readonly profiles?: readonly ProfileConfig[]
  /** How long a refused pod waits before it is tried again: doubling from `firstMs`. Default 1 s and 10 s. */
  readonly backoff?: QueueBackoff | undefined
  /** Programs of the operator's that are asked, too. Default: none. */
  readonly extenders?: readonly WrittenExtender[] | undefined
  /** Is told what decisions were made of. Default: nobody is. */
  readonly decisions?: DecisionLog | undefined
}

const defaultSchedulerName = "default-scheduler"

/** Starts scheduling; the scope's end stops it. Resolves once its informers are synced. Throws when a plugin cannot be made. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const { client, env, scope } = options
  const informers = options.informers ?? createInformerFactory({ client, scope, env })
  const cache = new ClusterCache()
  const nominator = new Nominator()
  const extenders = scope.use(new Extenders(options.extenders ?? [], env))
  const { decisions = new DecisionLog(env.clock) } = options
  const otherRefusers = extenders.isEmpty ? [] : [extenderName]
  const profiles = new Map<string, Profile>()
  for (const config of options.profiles ?? [{ schedulerName: defaultSchedulerName }]) {
    const { schedulerName, plugins = defaultPlugins, sets, percentageOfNodesToScore } = config
    if (profiles.has(schedulerName))
      throw new Error(`duplicate profile with scheduler name "${schedulerName}"`)
    const recorder = createEventRecorder({ client, scope, env, component: schedulerName })
    try {
      const profile = createProfile({
        ...{ name: schedulerName, plugins, sets, percentageOfNodesToScore },
        ...{ client, env, scope, informers, recorder, nominator, extenders, otherRefusers },
        activate: (pods) => queue.activate(pods),
      })
      profiles.set(schedulerName, profile)
    } catch (thrown) {
      const where = `initializing profiles: creating profile for scheduler name ${schedulerName}`
      throw new Error(`${where}: ${messageOf(thrown)}`, { cause: thrown })
    }
  }
  const [first, ...others] = profiles.values()
  if (!first) throw new Error("at least one profile is required")
  for (const { name, queueSort } of others)
    if (queueSort !== first.queueSort)
      throw new Error(
        `different queue sort plugins for profile "${name}": "${queueSort}", first: "${first.queueSort}"`,
      )
  const events = [...profiles.values()].flatMap((profile) => [...profile.events.values()].flat())
  const watched = watchedKinds(events)
  const profileOf = (of: Readonly<Pod>): Profile | undefined =>
    profiles.get(of.spec.schedulerName || defaultSchedulerName)
  const queue: SchedulingQueue = scope.use(
    new SchedulingQueue({
      env,
      profileOf,
      less: first.less,
      backoff: options.backoff,
      interests: events.map(({ event }) => event),
      onFailure: (of, thrown) => attempts.sayFailure(profileOf(of)!, of, thrown),
    }),
  )
  scope.use(
    collectQueue(
      env.meter,
      () => queue.pending(),
      () => refusalCounts(queue, profileOf),
    ),
  )
  const pods = informers.informer(pod)
  const attempts = new Attempts({ client, env, scope, pods, cache, queue, nominator, extenders, decisions })
  for (const kind of [node, ...watched.values()]) informers.informer(kind)
  await informers.waitForSync(scope.signal)
  handleEvents(informers, watched, { cache, queue, nominator, profileOf }, scope)
  const schedule = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const queued = await queue.next(signal)
      await attempts.run(queued, profileOf(queued.pod)!, signal)
    }
  }
  scope.run("scheduling", schedule, { restart: true })
}

/** How many pods each plugin of each profile refused. */
function refusalCounts(
  queue: SchedulingQueue,
  profileOf: (pod: Readonly<Pod>) => Profile | undefined,
): Iterable<readonly [plugin: string, profile: string, pods: number]> {
  const counts = new Map<string, readonly [string, string, number]>()
  for (const [of, plugin] of queue.refusals()) {
    const profile = profileOf(of)?.name ?? ""
    const key = `${profile}/${plugin}`
    counts.set(key, [plugin, profile, (counts.get(key)?.[2] ?? 0) + 1])
  }
  return counts.values()
}
