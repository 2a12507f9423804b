/**
 * A complete control plane inside a process, any number of them beside one another. On the machine's clock it is a server as
 * any other, with an address and a kubeconfig; on a {@link VirtualClock} the same seed gives the same sequence of revisions
 * every time. It writes no files, and ends with the process.
 */
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
  type KeyPair,
  type Logger,
} from "@knarr/base"
import { kinds as builtInKinds, node as nodeKind } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import {
  createControlPlane,
  hostResourceMetrics,
  Samples,
  startApiServer,
  type ControlPlane,
  type ControlPlaneOptions,
} from "@knarr/apiserver"
import { createInformerFactory, type Client, type InformerFactory, type Kubeconfig } from "@knarr/client"
import { runControllers, type Controller } from "@knarr/controller-kit"
import { createControllers } from "@knarr/controller-manager"
import {
  DecisionLog,
  defaultPlugins,
  parseSchedulerConfiguration,
  startScheduler,
  type PluginList,
} from "@knarr/scheduler"
import { createMemoryStore, type Store } from "@knarr/store"

import { waitForDefaultServiceAccount } from "./default-service-account.ts"
import { adminKubeconfig } from "./kubeconfig-file.ts"
import { loadOpenApiDocs } from "./openapi-docs.ts"
import { passingPki } from "./pki.ts"
import { hostUse } from "./simulated-use.ts"
import { startSimulatedNode, type SimulatedNode, type SimulatedNodeOptions } from "./simulated-nodes.ts"

export interface TestControlPlaneOptions {
  /** `virtual`: time passes when the test says so, in a moment, and chance comes from `seed`. Default `system`. */
  readonly time?: "system" | "virtual"
  /** Of chance, on virtual time, which a seed alone asks for, too. Default 1. */
  readonly seed?: number
  /** When virtual time begins, in milliseconds since the epoch. Default: 2026 begins. */
  readonly startMs?: number
  /**
   * Where it listens on the loopback: 0 for any free port, false for none, which leaves `client`. Default 0; on virtual
   * time there is none, because networks know no virtual time.
   */
  readonly port?: number | false
  /** Default: nothing is logged. */
  readonly log?: Logger
  /** Beside the built-in kinds and those that custom resource definitions add. */
  readonly kinds?: readonly Kind[]
  /**
   * Whether the built-in controllers run. Default true. Without them nothing happens by itself, as in Go's envtest, and
   * pods need no service account.
   */
  readonly controllerManager?: boolean
  /** Beside the built-in controllers. */
  readonly controllers?: readonly Controller[]
  /** Whether pods are given nodes. Default true. */
  readonly scheduler?: boolean
  /** Beside the default plugins, after them; or what is made of these. */
  readonly schedulerPlugins?: PluginList | ((defaults: PluginList) => PluginList)
  /** A KubeSchedulerConfiguration, YAML or JSON, in the place of the default one. */
  readonly schedulerConfiguration?: string
  /** Admission plugins to turn on or off by name, beside the default ones. */
  readonly admission?: { readonly enable?: readonly string[]; readonly disable?: readonly string[] }
  /** Default: a new one in memory, which ends with the control plane. */
  readonly store?: Store
  /** How long the store keeps history at the least, in milliseconds. Default: as the API server has it. */
  readonly compactionIntervalMs?: number
  /** Simulated nodes: so many, named `node-0`, `node-1`, …, or as described. Default: none. */
  readonly nodes?: number | readonly SimulatedNodeOptions[]
}

export interface TestControlPlane extends AsyncDisposable {
  readonly env: Env
  /** On virtual time. */
  readonly clock: VirtualClock | undefined
  /** Where it listens, `https://127.0.0.1:<port>`; undefined when it does not. */
  readonly url: string | undefined
  /** An administrator's, where it listens: `JSON.stringify` makes a kubeconfig file of it. */
  readonly kubeconfig: Kubeconfig | undefined
  /** May do everything. */
  readonly client: Client
  readonly informers: InformerFactory
  readonly store: Store
  readonly plane: ControlPlane
  /** What the scheduler's last decisions were made of. */
  readonly decisions: Pick<DecisionLog, "list">
  /** PEM of the key that signs service account tokens: for tests of what a forged one may do. */
  readonly signingKey: string
  readonly nodes: readonly SimulatedNode[]
  /** Adds a simulated node. Resolves when it is ready; a virtual clock moves until then. */
  addNode(options: SimulatedNodeOptions): Promise<SimulatedNode>
  /** Ends the controllers as a crash would, and starts them anew with nothing in mind. */
  restartControllers(): Promise<void>
  /** For parts that the test adds: it is closed first. */
  readonly scope: Scope
  /** Ends everything, as `await using` does. Resolves when nothing is left; idempotent. */
  stop(): Promise<void>
}

/** On virtual time. */
export interface VirtualControlPlane extends TestControlPlane {
  readonly clock: VirtualClock
}

/** On the machine's time, with a port. */
export interface ListeningControlPlane extends TestControlPlane {
  readonly url: string
  readonly kubeconfig: Kubeconfig
}

const readyLimitMs = 60_000

/** A fixed key: tokens need one, and making one is not reproducible. */
let signingKey: string | undefined

/**
 * Starts store, API server, controllers and scheduler. Resolves when all of them work; rejects when one cannot start,
 * and nothing is left then.
 */
export function startControlPlane(
  options: TestControlPlaneOptions & ({ readonly time: "virtual" } | { readonly seed: number }),
): Promise<VirtualControlPlane>
export function startControlPlane(
  options?: TestControlPlaneOptions & {
    readonly time?: "system"
    readonly seed?: never
    readonly port?: number
  },
): Promise<ListeningControlPlane>
export function startControlPlane(options?: TestControlPlaneOptions): Promise<TestControlPlane>
export async function startControlPlane(options: TestControlPlaneOptions = {}): Promise<TestControlPlane> {
  const { time = options.seed === undefined ? "system" : "virtual", seed = 1 } = options
  if (time === "system" && options.seed !== undefined)
    throw new Error("A seed needs virtual time: the machine's gives no run again")
  const virtual = time === "virtual" ? new VirtualClock(options.startMs) : undefined
  const { controllerManager = true, scheduler = true, port = virtual ? false : 0 } = options
  if (virtual && port !== false) throw new Error("A port needs the machine's time: networks know no other")
  const env: Env = {
    clock: virtual ?? systemClock,
    random: virtual ? seededRandom(seed) : systemRandom,
    log: options.log ?? silentLogger,
    meter: new Meter(),
  }
  const root = new Scope("control plane", { env })
  try {
    const nodes: SimulatedNode[] = []
    const store = options.store ?? root.use(createMemoryStore({ env }))
    const kinds = [...builtInKinds, ...(options.kinds ?? [])]
    signingKey ??= createPrivateKeyPem()
    const { enable = [], disable = [] } = options.admission ?? {}
    const planeOptions: ControlPlaneOptions = {
      env,
      store,
      kinds,
      scope: root.child("apiserver"),
      compactionIntervalMs: options.compactionIntervalMs,
      serviceAccounts: { signingKey, issuers: ["https://kubernetes.default.svc.cluster.local"] },
      admission: { enable, disable: controllerManager ? disable : ["ServiceAccount", ...disable] },
      hosted: (registry) => [
        hostResourceMetrics({
          env,
          registry,
          samples: new Samples({
            env,
            scope: root,
            scrape: (name) => Promise.reject(new Error(`the node "${name}" is not simulated`)),
          }),
          known(name) {
            const host = nodes.find((one) => one.name === name)?.host
            return host && hostUse(host)
          },
        }),
      ],
    }
    const { plane, url, kubeconfig, ca } = await startPlane(planeOptions, signingKey, port)
    const client = plane.client()
    const informers = createInformerFactory({ client, scope: root.child("informers"), env })
    const controllers = [
      ...(controllerManager
        ? createControllers({
            rootCA: ca?.cert ?? "",
            signingCA: ca,
            signToken: (claims) => plane.signer.sign(claims),
            clusterCIDR: "10.244.0.0/16",
          })
        : []),
      ...(options.controllers ?? []),
    ]
    const manager = plane.client({
      name: "system:kube-controller-manager",
      groups: ["system:masters", "system:authenticated"],
    })
    let controllerScope = root.child("controllers")
    if (controllers.length > 0)
      await runControllers({ controllers, client: manager, env, scope: controllerScope, informers })
    const decisions = new DecisionLog(env.clock)
    if (scheduler) {
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
        decisions,
        ...(options.schedulerConfiguration === undefined
          ? { profiles: [{ schedulerName: "default-scheduler", plugins }] }
          : await parseSchedulerConfiguration(options.schedulerConfiguration, plugins)),
      })
    }
    if (controllerManager) await waitForDefaultServiceAccount(informers, root.signal)
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
      decisions,
      client,
      informers,
      url,
      kubeconfig,
      signingKey,
      nodes,
      async addNode(one) {
        await addNodes([one])
        return nodes.at(-1)!
      },
      async restartControllers() {
        await controllerScope.close()
        controllerScope = root.child("controllers")
        // What they knew ends with them: they read everything anew.
        if (controllers.length > 0)
          await runControllers({ controllers, client: manager, env, scope: controllerScope })
      },
      scope: root.child("test"),
      stop: () => root.close(),
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

interface StartedPlane {
  readonly plane: ControlPlane
  readonly url: string | undefined
  readonly kubeconfig: Kubeconfig | undefined
  readonly ca: KeyPair | undefined
}

async function startPlane(
  options: ControlPlaneOptions,
  signingKey: string,
  port: number | false,
): Promise<StartedPlane> {
  if (port === false) {
    const plane = await createControlPlane(options)
    await plane.bootstrap()
    // Nothing listens, so that there is nothing to trust; pods wait for the ConfigMap all the same.
    return { plane, url: undefined, kubeconfig: undefined, ca: undefined }
  }
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] }
  const pki = passingPki(options.env, names, signingKey)
  const plane = await startApiServer({
    ...options,
    bindAddresses: ["127.0.0.1"],
    port,
    certificates: { ...pki.server, clientCA: pki.ca.cert },
    clientCA: pki.ca.cert,
    openApiDocs: loadOpenApiDocs,
  })
  const url = `https://127.0.0.1:${plane.port}`
  return { plane, url, kubeconfig: adminKubeconfig("testing", url, pki), ca: pki.ca }
}
