/**
 * Runs controllers: shared informers, a work queue and workers each, events to keys, retries with back-off.
 * Mirrors: cmd/kube-controller-manager/app/controllermanager.go
 */
import {
  controllerOf,
  isConflict,
  isNotFound,
  parseKey,
  refKey,
  refOf,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { asError, TerminalError, type Env, type Scope } from "@knarr/base"
import {
  createEventRecorder,
  createInformerFactory,
  createServedKinds,
  createWorkQueue,
  type Client,
  type InformerFactory,
  type InformerSelection,
  type Ref,
  type ServedKinds,
  type WorkQueue,
} from "@knarr/client"
import { ControllerCache } from "./cache.ts"
import { refersToKind } from "./controller-ref.ts"
import type { Controller, ReconcileContext } from "./controller.ts"
import { eventSource } from "./event-source.ts"
import { OwnWrites } from "./own-writes.ts"
import { controllerNamespace, ensureRbac } from "./rbac-objects.ts"

export interface RunControllersOptions {
  readonly controllers: readonly Controller[]
  /** Acts as an administrator: writes roles, reads for the informers, and impersonates service accounts. */
  readonly client: Client
  readonly env: Env
  /** Closing it stops every controller. */
  readonly scope: Scope
  /** Default: informers of their own on `client`. */
  readonly informers?: InformerFactory
  /**
   * Each controller acts as `system:serviceaccount:kube-system:<serviceAccount>` with the rights that it
   * declared. False: all act as `client`. Default true.
   */
  readonly useServiceAccounts?: boolean
}

/** Starts every controller in `scope`; resolves when all have read their caches and begun to work. */
export async function runControllers(options: RunControllersOptions): Promise<void> {
  const { controllers, client, env, scope } = options
  const names = new Set<string>()
  for (const { name } of controllers) {
    if (names.has(name)) throw new Error(`Cannot start two controllers named "${name}"`)
    names.add(name)
  }
  const informers =
    options.informers ?? createInformerFactory({ client, scope: scope.child("informers"), env })
  const useServiceAccounts = options.useServiceAccounts ?? true
  const served = createServedKinds({ client, informers, env, scope: scope.child("served kinds") })
  await Promise.all([
    served.waitForSync(scope.signal),
    useServiceAccounts ? ensureRbac(client, controllers, scope.signal) : undefined,
  ])
  const started = controllers.map((controller) =>
    startController(controller, { ...options, informers, served, useServiceAccounts }),
  )
  await Promise.all(started)
}

type Started = RunControllersOptions & {
  readonly informers: InformerFactory
  readonly served: ServedKinds
  readonly useServiceAccounts: boolean
}

/** `cronjob` for `cronjob-controller`: what most of upstream's are called. */
function defaultQueueName(controllerName: string): string {
  return controllerName.replace(/-controller$/, "").replaceAll("-", "_")
}

async function startController(controller: Controller, options: Started): Promise<void> {
  const scope = options.scope.child(controller.name)
  const env: Env = { ...options.env, log: options.env.log.with({ controller: controller.name }) }
  const writes = new OwnWrites(controller, options.env.clock)
  const own = options.useServiceAccounts
    ? options.client.as({
        name: `system:serviceaccount:${controllerNamespace}:${controller.serviceAccount}`,
        groups: [
          "system:serviceaccounts",
          `system:serviceaccounts:${controllerNamespace}`,
          "system:authenticated",
        ],
        userAgent: `kube-controller-manager/${controller.name}`,
      })
    : options.client
  const client = writes.noting(own)
  const recorder = createEventRecorder({ client: own, env, scope, component: eventSource(controller.name) })
  const cache = new ControllerCache(controller, options.informers)
  // Whoever looks at no keys has no queue, and tells of none.
  const queue = controller.reconcile
    ? scope.use(createWorkQueue(env, controller.queueName ?? defaultQueueName(controller.name)))
    : undefined
  const enqueue = (ref: Ref, afterMs?: number): void => {
    if (!queue) throw new Error(`Cannot queue a key: the controller "${controller.name}" looks at none`)
    if (afterMs === undefined) queue.add(refKey(ref))
    else queue.addAfter(refKey(ref), afterMs)
  }
  // One object for `reconcile` and `run`: it stands for this run (see run-state.ts).
  const ctx = {
    ...env,
    client,
    cache,
    recorder,
    served: options.served,
    signal: scope.signal,
    informer: <K extends KubeObject>(kind: Kind<K>) => cache.informer(kind),
    lease: <K extends KubeObject>(kind: Kind<K>, selection?: InformerSelection) =>
      options.informers.lease(kind, selection),
    enqueue,
  }
  if (controller.run) {
    // Started before the event handlers, so that what it observes is known when a key is looked at.
    const run = controller.run.bind(controller)
    scope.run("run", () => run(ctx), { restart: { firstMs: 1000, maxMs: 60_000 } })
  }
  subscribe(controller, cache, enqueue, scope)
  await cache.waitForSync(scope.signal)
  if (!controller.reconcile || !queue) return
  const reconcile = controller.reconcile.bind(controller)
  const isAhead = (ref: Ref): boolean => writes.areAhead(ref, (id) => cache.byId(id))
  for (let i = 0; i < (controller.workers ?? 5); i++) {
    scope.run(`worker-${i}`, (signal) => work(reconcile, ctx, queue, isAhead, signal), { restart: true })
  }
}

function subscribe(
  controller: Controller,
  cache: ControllerCache,
  enqueue: (ref: Ref) => void,
  scope: Scope,
): void {
  const on = (
    kind: Kind,
    keys: (obj: KubeObject) => readonly Ref[],
    wakes: (obj: KubeObject, old: KubeObject) => boolean = () => true,
  ): void => {
    const each = (obj: KubeObject): void => {
      for (const ref of keys(obj)) enqueue(ref)
    }
    scope.use(
      cache.informer(kind).subscribe({
        added: each,
        deleted: each,
        updated(obj, old) {
          if (!wakes(obj, old)) return
          each(obj)
          // A change can move an object from one key to another: both look again.
          each(old)
        },
      }),
    )
  }
  const main = controller.for
  if (!main) return
  on(main, (obj) => [refOf(obj)], controller.wakes?.bind(controller))
  for (const kind of controller.owns ?? []) {
    on(kind, (obj) => {
      const owner = controllerOf(obj)
      if (!owner || !refersToKind(owner, main)) return []
      return [{ namespace: main.namespaced ? obj.metadata.namespace : undefined, name: owner.name }]
    })
  }
  for (const { kind, map } of controller.watches ?? []) on(kind, (obj) => map(obj, cache))
}

async function work(
  reconcile: NonNullable<Controller["reconcile"]>,
  ctx: ReconcileContext,
  queue: WorkQueue,
  isAhead: (ref: Ref) => boolean,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const key = await queue.get(signal)
    if (isAhead(parseKey(key))) {
      // The cache lacks what was written last for this object. What it waits for wakes it, as a rule.
      queue.addAfter(key, aheadMs)
      queue.done(key)
      continue
    }
    try {
      const result = await reconcile(parseKey(key), ctx)
      queue.forget(key)
      if (result) queue.addAfter(key, result.afterMs)
    } catch (thrown) {
      if (signal.aborted) return
      retry(key, thrown, ctx, queue)
    } finally {
      queue.done(key)
    }
  }
}

/** How long until a key is looked at again whose cache was behind. */
const aheadMs = 200

/** An object that is still missing after so many tries is no race. */
const quietNotFound = 3

function retry(key: string, thrown: unknown, ctx: ReconcileContext, queue: WorkQueue): void {
  if (thrown instanceof TerminalError) {
    queue.forget(key)
    ctx.log.error("Reconciling failed for good", thrown, { key })
    return
  }
  // Somebody else was faster; the change or deletion that they made is on its way to the cache.
  const isRace = isConflict(thrown) || (isNotFound(thrown) && queue.failures(key) < quietNotFound)
  if (isRace)
    ctx.log.debug("Reconciling met a newer state and is tried again", { key, err: asError(thrown).message })
  else ctx.log.error("Reconciling failed and is tried again", thrown, { key })
  queue.addRateLimited(key)
}
