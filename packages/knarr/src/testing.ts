/**
 * `knarr/testing`: a complete control plane inside a test process. On the system's clock it behaves as a real
 * one; on a {@link VirtualClock} with a seed, the same test gives the same sequence of revisions every time.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  Scope,
  VirtualClock,
  createPrivateKeyPem,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  type Env,
  type Logger,
} from "@knarr/base"
import { kinds as builtInKinds } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import {
  createControlPlane,
  startApiServer,
  type ControlPlane,
  type ControlPlaneOptions,
} from "@knarr/apiserver"
import { createInformerFactory, type Client, type InformerFactory, type Kubeconfig } from "@knarr/client"
import { runControllers, type Controller } from "@knarr/controller-kit"
import { createControllers } from "@knarr/controller-manager"
import { startScheduler, type SchedulerPlugin, defaultPlugins } from "@knarr/scheduler"
import { createMemoryStore, type Store } from "@knarr/store"

import { waitForDefaultServiceAccount } from "./default-service-account.ts"
import { adminKubeconfig } from "./kubeconfig-file.ts"
import { loadOpenApiDocs } from "./openapi-docs.ts"
import { ensurePki } from "./pki.ts"

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
  /** Listens on the loopback, too: 0 for any free port. Not with a seed: networks know no virtual time. */
  readonly port?: number
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
  /** With `port`: an administrator's kubeconfig for it. */
  readonly kubeconfig: Kubeconfig | undefined
  /** PEM of the key that signs service account tokens: for tests of what a forged one may do. */
  readonly signingKey: string
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
    const planeOptions: ControlPlaneOptions = {
      env,
      store,
      kinds,
      scope: root.child("apiserver"),
      serviceAccounts: { signingKey, issuers: ["https://kubernetes.default.svc.cluster.local"] },
    }
    const { plane, kubeconfig } = await startPlane(planeOptions, options.port)
    const client = plane.client()
    const informers = createInformerFactory({ client, scope: root.child("informers"), env })
    const controllers = [
      ...createControllers({ clusterCIDR: "10.244.0.0/16", kinds }),
      ...(options.controllers ?? []),
    ]
    const manager = plane.client({
      name: "system:kube-controller-manager",
      groups: ["system:masters", "system:authenticated"],
    })
    await runControllers({ controllers, client: manager, env, scope: root.child("controllers"), informers })
    await startScheduler({
      client: plane.client({ name: "system:kube-scheduler", groups: ["system:authenticated"] }),
      env,
      scope: root.child("scheduler"),
      informers,
      plugins: [...defaultPlugins, ...(options.schedulerPlugins ?? [])],
    })
    await waitForDefaultServiceAccount(informers, root.signal)
    return {
      env,
      clock: virtual,
      store,
      plane,
      client,
      informers,
      kubeconfig,
      signingKey,
      scope: root.child("test"),
      [Symbol.asyncDispose]: () => root.close(),
    }
  } catch (thrown) {
    await root.close().catch(() => {})
    throw thrown
  }
}

async function startPlane(
  options: ControlPlaneOptions,
  port: number | undefined,
): Promise<{ plane: ControlPlane; kubeconfig: Kubeconfig | undefined }> {
  if (port === undefined) {
    const plane = await createControlPlane(options)
    await plane.bootstrap()
    return { plane, kubeconfig: undefined }
  }
  const dir = mkdtempSync(join(tmpdir(), "knarr-testing-"))
  options.scope.defer(() => rmSync(dir, { recursive: true, force: true }))
  const pki = ensurePki(dir, options.env, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] })
  const plane = await startApiServer({
    ...options,
    bindAddresses: ["127.0.0.1"],
    port,
    certificates: { ...pki.server, clientCA: pki.ca.cert },
    clientCA: pki.ca.cert,
    openApiDocs: loadOpenApiDocs,
  })
  return { plane, kubeconfig: adminKubeconfig("testing", `https://127.0.0.1:${plane.port}`, pki) }
}
