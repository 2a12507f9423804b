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
  abortable,
  createPrivateKeyPem,
  Meter,
  deferred,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  type Env,
  type Logger,
} from "@knarr/base"
import { kinds as builtInKinds, node as nodeKind } from "@knarr/api"
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
import { startScheduler, type PluginList, defaultPlugins } from "@knarr/scheduler"
import { createMemoryStore, type Store } from "@knarr/store"

import { waitForDefaultServiceAccount } from "./default-service-account.ts"
import { adminKubeconfig } from "./kubeconfig-file.ts"
import { loadOpenApiDocs } from "./openapi-docs.ts"
import { ensurePki } from "./pki.ts"
import { startSimulatedNode, type SimulatedNode, type SimulatedNodeOptions } from "./simulated-nodes.ts"

export { VirtualClock } from "@knarr/base"
export type { SimulatedNode, SimulatedNodeOptions } from "./simulated-nodes.ts"

export interface TestControlPlaneOptions {
  /** Makes time virtual and chance reproducible. Default: the machine's own. */
  readonly seed?: number
  /** Default: nothing is logged. */
  readonly log?: Logger
  /** Beside the built-in kinds. */
  readonly kinds?: readonly Kind[]
  /** Beside the built-in controllers. */
  readonly controllers?: readonly Controller[]
  /** Beside the default plugins, after them; or what is made of these. */
  readonly schedulerPlugins?: PluginList | ((defaults: PluginList) => PluginList)
  /** Default: a new one in memory, which ends with the control plane. */
  readonly store?: Store
  /** How long the store keeps history at the least, in milliseconds. Default: as the API server has it. */
  readonly compactionIntervalMs?: number
  /** Listens on the loopback, too: 0 for any free port. Not with a seed: networks know no virtual time. */
  readonly port?: number
  /** Simulated nodes: so many, named `node-0`, `node-1`, …, or as described. Default: none. */
  readonly nodes?: number | readonly SimulatedNodeOptions[]
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
  readonly nodes: readonly SimulatedNode[]
  /** Adds a simulated node. Resolves when it is ready; a virtual clock moves until then. */
  addNode(options: SimulatedNodeOptions): Promise<SimulatedNode>
  /** For parts that the test adds: it is closed first. */
  readonly scope: Scope
}

const readyLimitMs = 60_000

/** A fixed key: tokens need one, and making one is not reproducible. */
let signingKey: string | undefined

/** Starts store, API server, controllers and scheduler. Resolves when all of them work. */
export async function startControlPlane(options: TestControlPlaneOptions = {}): Promise<TestControlPlane> {
  const virtual = options.seed === undefined ? undefined : new VirtualClock()
  const env: Env = {
    clock: virtual ?? systemClock,
    random: options.seed === undefined ? systemRandom : seededRandom(options.seed),
    log: options.log ?? silentLogger,
    meter: new Meter(),
  }
  const root = new Scope("control plane", { env })
  try {
    const store = options.store ?? root.use(createMemoryStore({ env }))
    const kinds = [...builtInKinds, ...(options.kinds ?? [])]
    signingKey ??= createPrivateKeyPem()
    const planeOptions: ControlPlaneOptions = {
      env,
      store,
      kinds,
      scope: root.child("apiserver"),
      compactionIntervalMs: options.compactionIntervalMs,
      serviceAccounts: { signingKey, issuers: ["https://kubernetes.default.svc.cluster.local"] },
    }
    const { plane, kubeconfig, rootCA } = await startPlane(planeOptions, options.port)
    const client = plane.client()
    const informers = createInformerFactory({ client, scope: root.child("informers"), env })
    const controllers = [
      ...createControllers({
        rootCA,
        signToken: (claims) => plane.signer.sign(claims),
        clusterCIDR: "10.244.0.0/16",
      }),
      ...(options.controllers ?? []),
    ]
    const manager = plane.client({
      name: "system:kube-controller-manager",
      groups: ["system:masters", "system:authenticated"],
    })
    await runControllers({ controllers, client: manager, env, scope: root.child("controllers"), informers })
    const { schedulerPlugins = [] } = options
    const plugins =
      typeof schedulerPlugins === "function"
        ? schedulerPlugins(defaultPlugins)
        : [...defaultPlugins, ...schedulerPlugins]
    await startScheduler({
      client: plane.client({ name: "system:kube-scheduler", groups: ["system:authenticated"] }),
      env,
      scope: root.child("scheduler"),
      informers,
      profiles: [{ schedulerName: "default-scheduler", plugins }],
    })
    await waitForDefaultServiceAccount(informers, root.signal)
    const nodes: SimulatedNode[] = []
    const nodeScope = root.child("nodes")
    const addNodes = async (wanted: readonly SimulatedNodeOptions[]): Promise<void> => {
      for (const one of wanted)
        nodes.push(await startSimulatedNode(plane, env, nodeScope, nodes.length + 1, one))
      await waitForNodes(informers, wanted, virtual, root.signal)
    }
    const { nodes: first = [] } = options
    await addNodes(
      typeof first === "number" ? Array.from({ length: first }, (_, i) => ({ name: `node-${i}` })) : first,
    )
    return {
      env,
      clock: virtual,
      store,
      plane,
      client,
      informers,
      kubeconfig,
      signingKey,
      nodes,
      async addNode(one) {
        await addNodes([one])
        return nodes.at(-1)!
      },
      scope: root.child("test"),
      [Symbol.asyncDispose]: () => root.close(),
    }
  } catch (thrown) {
    await root.close().catch(() => {})
    throw thrown
  }
}

/** Resolves when the API says of each that it is ready and has its pod network. */
async function waitForNodes(
  informers: InformerFactory,
  wanted: readonly SimulatedNodeOptions[],
  clock: VirtualClock | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (wanted.length === 0) return
  const informer = informers.informer(nodeKind)
  const there = deferred()
  const areReady = (): boolean =>
    wanted.every(({ name }) => {
      const one = informer.get({ name })
      return one?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")
    })
  const check = (): void => void (areReady() && there.resolve())
  using _subscription = informer.subscribe({ added: check, updated: check })
  if (clock) await clock.runUntil(areReady, { limitMs: readyLimitMs, what: "the nodes to be ready" })
  else await abortable(there.promise, signal)
}

async function startPlane(
  options: ControlPlaneOptions,
  port: number | undefined,
): Promise<{ plane: ControlPlane; kubeconfig: Kubeconfig | undefined; rootCA: string }> {
  if (port === undefined) {
    const plane = await createControlPlane(options)
    await plane.bootstrap()
    // Nothing listens, so that there is nothing to trust; pods wait for the ConfigMap all the same.
    return { plane, kubeconfig: undefined, rootCA: "" }
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
  const kubeconfig = adminKubeconfig("testing", `https://127.0.0.1:${plane.port}`, pki)
  return { plane, kubeconfig, rootCA: pki.ca.cert }
}
