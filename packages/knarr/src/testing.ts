/**
 * `knarr/testing`: a complete control plane inside a test process. On the system's clock it behaves as a real
 * one; on a {@link VirtualClock} with a seed, the same test gives the same sequence of revisions every time.
 */
import { Scope, VirtualClock, createPrivateKeyPem, seededRandom, silentLogger, systemClock, systemRandom, type Env, type Logger } from "@knarr/base"
import { kinds as builtInKinds } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import { createControlPlane, type ControlPlane } from "@knarr/apiserver"
import { createInformerFactory, type Client, type InformerFactory } from "@knarr/client"
import { runControllers, type Controller } from "@knarr/controller-kit"
import { createControllers } from "@knarr/controller-manager"
import { startScheduler, type SchedulerPlugin, defaultPlugins } from "@knarr/scheduler"
import { createMemoryStore, type Store } from "@knarr/store"

export { VirtualClock } from "@knarr/base"

export interface TestControlPlaneOptions {
  /** Makes time virtual and chance reproducible. Default: the machine's own. */
  readonly seed?: number
  /** Default: nothing is logged. */
  readonly log?: Logger
  /** Beside the built-in kinds. */
  readonly kinds?: readonly Kind[]
  /** Beside the built-in controllers. */
  readonly controllers?: readonly Controller[]
  /** Beside the default plugins. */
  readonly schedulerPlugins?: readonly SchedulerPlugin[]
  /** Default: a new one in memory, which ends with the control plane. */
  readonly store?: Store
}

export interface TestControlPlane extends AsyncDisposable {
  readonly env: Env
  /** The virtual clock, when there is a seed. */
  readonly clock: VirtualClock | undefined
  readonly store: Store
  readonly plane: ControlPlane
  /** May do everything. */
  readonly client: Client
  readonly informers: InformerFactory
  /** For parts that the test adds: it is closed first. */
  readonly scope: Scope
}

/** A fixed key: tokens need one, and making one is not reproducible. */
let signingKey: string | undefined

/** Starts store, API server, controllers and scheduler. Resolves when all of them work. */
export async function startControlPlane(options: TestControlPlaneOptions = {}): Promise<TestControlPlane> {
  const virtual = options.seed === undefined ? undefined : new VirtualClock()
  const env: Env = {
    clock: virtual ?? systemClock,
    random: options.seed === undefined ? systemRandom : seededRandom(options.seed),
    log: options.log ?? silentLogger,
  }
  const root = new Scope("control plane")
  try {
    const store = options.store ?? root.use(createMemoryStore({ env }))
    const kinds = [...builtInKinds, ...(options.kinds ?? [])]
    signingKey ??= createPrivateKeyPem()
    const plane = await createControlPlane({
      env,
      store,
      kinds,
      scope: root.child("apiserver"),
      serviceAccounts: { signingKey, issuers: ["https://kubernetes.default.svc.cluster.local"] },
    })
    await plane.bootstrap()
    const client = plane.client()
    const informers = createInformerFactory({ client, scope: root.child("informers"), env })
    const controllers = [...createControllers({ clusterCIDR: "10.244.0.0/16", kinds }), ...(options.controllers ?? [])]
    await runControllers({ controllers, client, env, scope: root.child("controllers"), informers })
    await startScheduler({
      client: plane.client({ name: "system:kube-scheduler", groups: ["system:authenticated"] }),
      env,
      scope: root.child("scheduler"),
      informers,
      plugins: [...defaultPlugins, ...(options.schedulerPlugins ?? [])],
    })
    return {
      env,
      clock: virtual,
      store,
      plane,
      client,
      informers,
      scope: root.child("test"),
      [Symbol.asyncDispose]: () => root.close(),
    }
  } catch (thrown) {
    await root.close().catch(() => {})
    throw thrown
  }
}
