/** The server's parts in one process: store, API server, controllers, scheduler, image registry. */
import { createServer } from "node:net"
import { startApiServer } from "@knarr/apiserver"
import { isNotFound } from "@knarr/apimachinery"
import { kinds, node as nodeKind } from "@knarr/api"
import { Backoff, messageOf, TimeoutError, type Clock, type Env, type Scope } from "@knarr/base"
import { createInformerFactory, type Client, type InformerFactory } from "@knarr/client"
import { runControllers } from "@knarr/controller-kit"
import { createControllers } from "@knarr/controller-manager"
import { startImageRegistry } from "@knarr/image-registry"
import {
  DecisionLog,
  defaultPlugins,
  readSchedulerConfiguration,
  startScheduler,
  type SchedulerConfiguration,
} from "@knarr/scheduler"
import { openEmbeddedStore, openEtcdStore, type EtcdStoreOptions, type Store } from "@knarr/store"
import { etcdOptions } from "./api-server-flags/etcd.flags.ts"
import { namingFlag } from "./api-server-flags/naming-flag.ts"
import { apiServerOptions } from "./api-server-flags/order.ts"
import { controllersElection, controllersOptions } from "./api-server-flags/controllers.flags.ts"
import { schedulerConfigFile } from "./api-server-flags/scheduler.flags.ts"
import { givenServiceAccounts } from "./api-server-flags/service-account.flags.ts"
import { addressesOf, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { numbersOfUser } from "./cluster-numbers.ts"
import { liveSnapshots, snapshotPath, sweepSnapshots } from "./live-snapshot.ts"
import { firstNode, nodesOf } from "./node-names.ts"
import { ensureNodePki, ensurePki, ensureSimulatedPki, frontProxyName, servingFiles } from "./pki.ts"
import { tellRestarting } from "./process-state.ts"
import { decisionsPath, serveDecisions } from "./scheduler-decisions.ts"
import { ownAddresses, servedAt, serverAddresses } from "./server-addresses.ts"
import { runElected } from "./elected.ts"
import { annotatedUse } from "./simulated-use.ts"
import { ensureSimulatedRights } from "./simulated-rights.ts"
import { ensureRegistrySecret } from "./registry-secret.ts"
import { waitForDefaultServiceAccount } from "./default-service-account.ts"
import { ensureMetricsReader } from "./metrics-reader.ts"
import { ensureDnsService } from "./dns-service.ts"
import { loadOpenApiDocs } from "./openapi-docs.ts"
import { watchStoreFile } from "./store-file.ts"
import { answeringStep, type Steps } from "./start-progress.ts"

const serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local"

/** How often certificates near their end are looked for. */
const renewalMs = 24 * 60 * 60 * 1000

/** How long the address at which nodes call may take to be there: their network is made by the first node's agent. */
const networkLimitMs = 30_000
const networkPollMs = 5

/** Starts everything but nodes; `scope` ends it. Resolves when the API is ready and the controllers work. */
export async function startServer(options: {
  cluster: ClusterHome
  config: ClusterConfig
  env: Env
  scope: Scope
  steps: Steps
}): Promise<void> {
  const { cluster, config, env, scope, steps } = options
  const addresses = addressesOf(config)
  const { bindAddresses, advertise } = servedAt(config)
  const numbers = numbersOfUser()
  const pki = ensurePki(cluster.pki, env, serverAddresses(config))
  // Agents are started again without `up`, too; what they hold is renewed whenever the holder of the CA starts.
  for (const { node, address } of nodesOf(config))
    ensureNodePki(cluster.nodePki(node), env, pki.ca, node, address)
  if (config.simulatedNodes) ensureSimulatedPki(cluster, env, pki.ca)
  const etcd = etcdOptions(config.apiServer ?? {})
  const scheduling = await schedulingOf(config)
  const decisions = new DecisionLog(env.clock)
  await sweepSnapshots(cluster)
  const own = etcd
    ? undefined
    : scope.use(await openEmbeddedStore({ dir: cluster.store, env, mustExist: config.hasStore }))
  const store = own ?? scope.use(await openGivenEtcd({ ...etcd!, env }))
  if (own)
    scope.run("watch of the store's file", (signal) => watchStoreFile(cluster.store, env.clock, signal))
  if (config.hasNode) await untilAddress(addresses.hostAddress, env.clock, scope.signal)
  const given = { ...apiServerOptions(config.apiServer ?? {}), flags: config.apiServer ?? {} }
  let knownUse: ReturnType<typeof annotatedUse> | undefined
  const starting = startApiServer({
    ...given,
    env,
    store,
    kinds,
    scope: scope.child("apiserver"),
    bindAddresses,
    port: config.port,
    certificates: { ...pki.server, clientCA: pki.ca.cert },
    certificateFiles: servingFiles(cluster.pki, config.apiServer?.["client-ca-file"]),
    clientCA: pki.ca.cert,
    frontProxyClient: () => pki.frontProxyClient,
    requestHeader: { clientCA: pki.frontProxyCA.cert, allowedNames: [frontProxyName] },
    serviceAccounts: {
      signingKey: pki.serviceAccount.privateKey,
      issuers: [serviceAccountIssuer],
      ...givenServiceAccounts(config.apiServer ?? {}),
    },
    serviceCIDRs: [addresses.serviceCIDR],
    advertise,
    openApiDocs: loadOpenApiDocs,
    paths: new Map([
      [decisionsPath, serveDecisions(decisions)],
      ...(own ? [[snapshotPath, liveSnapshots(own, cluster, env.random)] as const] : []),
    ]),
    readyChecks: [{ name: "processes", check: () => checkProcesses(cluster) }],
    forbiddenNetworks: () => numbers.rangesOfOthers(config.index),
    resourceMetrics: { known: (node) => knownUse?.(node) },
    kubelet: { clientCert: pki.kubeletClient.cert, clientKey: pki.kubeletClient.key, ca: pki.ca.cert },
  })
  const apiServer = await starting.catch((thrown: unknown) => {
    throw namingFlag(thrown, config.apiServer ?? {})
  })
  // Beside the start: what users have put into the path of writes must not keep the server from coming up.
  if (config.simulatedNodes)
    scope.run("rights of simulated nodes", (signal) => ensureSimulatedRights(apiServer.client(), signal), {
      restart: true,
    })
  scope.run("role of metrics readers", (signal) => ensureMetricsReader(apiServer.client(), signal), {
    restart: true,
  })
  steps.done(answeringStep)
  // The API server sees what has changed in the files.
  scope.run(
    "renewal of certificates",
    async (signal) => {
      for (;;) {
        await env.clock.sleep(renewalMs, signal)
        ensurePki(cluster.pki, env, serverAddresses(config))
      }
    },
    { restart: true },
  )

  await startImageRegistry({
    dir: cluster.images,
    env,
    scope: scope.child("image registry"),
    addresses: ownAddresses(config),
    port: config.registryPort,
    secret: ensureRegistrySecret(cluster, env),
    nodeNetworks: config.hasNode ? [addresses.nodeCIDR] : [],
  })
  const informers = createInformerFactory({
    client: apiServer.client(),
    scope: scope.child("informers"),
    env,
  })
  if (config.simulatedNodes) knownUse = annotatedUse(informers)
  const controllers = createControllers({
    ...controllersOptions(config.apiServer ?? {}),
    rootCA: pki.ca.cert,
    signingCA: pki.ca,
    signToken: (claims) => apiServer.signer.sign(claims),
    clusterCIDR: addresses.podCIDR,
    bootstrapTokens: given.bootstrapTokens,
  })
  const manager = {
    name: "system:kube-controller-manager",
    groups: ["system:authenticated", "system:masters"],
  }
  const scheduler = { name: "system:kube-scheduler", groups: ["system:authenticated"] }
  const startControllers = (own: Scope): Promise<void> =>
    runControllers({ controllers, client: apiServer.client(manager), env, scope: own, informers })
  const startOwnScheduler = (own: Scope): Promise<void> =>
    startScheduler({
      client: apiServer.client(scheduler),
      env: { ...env, log: env.log.with({ component: "scheduler" }) },
      scope: own,
      informers,
      ...scheduling,
      decisions,
    })
  if (config.hasNode) await ensureDnsService(apiServer.client(), addresses.dnsAddress, scope.signal)
  if (etcd) {
    // Other servers may use the same etcd, and kube-apiserver's own managers.
    const candidate = { client: apiServer.client(), env, scope }
    const managing = controllersElection(config.apiServer ?? {})
    if (managing) runElected({ ...candidate, ...managing }, startControllers)
    else await startControllers(scope.child("controllers"))
    const { election } = scheduling
    if (election) runElected({ ...candidate, ...election }, startOwnScheduler)
    else await startOwnScheduler(scope.child("scheduler"))
  } else
    await Promise.all([
      startControllers(scope.child("controllers")),
      startOwnScheduler(scope.child("scheduler")),
    ])
  if (config.hasNode) labelControlPlane(firstNode(config).node, apiServer.client(), informers, env, scope)
  await waitForDefaultServiceAccount(informers, scope.signal)
  steps.done("controllers and scheduler run")
}

/** What the scheduler is told by its file. The error names the flag. */
async function schedulingOf(config: ClusterConfig): Promise<Partial<SchedulerConfiguration>> {
  const values = config.apiServer ?? {}
  const file = schedulerConfigFile(values)
  if (file === undefined) return { election: { name: "kube-scheduler" } }
  try {
    return await readSchedulerConfiguration(file, defaultPlugins)
  } catch (thrown) {
    throw namingFlag(thrown, values)
  }
}

/** The error names the flag. */
async function openGivenEtcd(options: EtcdStoreOptions): Promise<Store> {
  try {
    return await openEtcdStore(options)
  } catch (thrown) {
    throw new Error(`--etcd-servers: ${messageOf(thrown)}`, { cause: thrown })
  }
}

function checkProcesses(cluster: ClusterHome): void {
  const waiting = tellRestarting(cluster)
  if (waiting !== "") throw new Error(waiting)
}

/** Gives the first node the role that nodes may not give themselves, whenever it is new. */
function labelControlPlane(
  name: string,
  client: Client,
  informers: InformerFactory,
  env: Env,
  scope: Scope,
): void {
  const labels = { "node-role.kubernetes.io/control-plane": "" }
  const label = async (signal: AbortSignal): Promise<void> => {
    const options = { signal, fieldManager: "knarr" }
    const backoff = new Backoff({ firstMs: 100, maxMs: 30_000 })
    for (;;)
      try {
        await client.patch(nodeKind, { name }, "merge", { metadata: { labels } }, options)
        return
      } catch (thrown) {
        if (signal.aborted || isNotFound(thrown)) return
        // A webhook of the user may refuse it: no reason not to be ready.
        env.log.warn("Cannot label the first node, retrying", { node: name, err: thrown })
        await backoff.wait(env.clock, signal)
      }
  }
  const added = ({ metadata }: { readonly metadata: { readonly name: string } }): void => {
    if (metadata.name === name) scope.run("control plane label", label, { restart: true })
  }
  scope.use(informers.informer(nodeKind).subscribe({ added }))
}

/** Resolves when this machine has the address. */
async function untilAddress(address: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const limit = clock.monotonic() + networkLimitMs
  for (;;) {
    const problem = await new Promise<Error | undefined>((resolve) => {
      const server = createServer()
      server.once("error", resolve)
      server.listen(0, address, () => server.close(() => resolve(undefined)))
    })
    if (problem === undefined) return
    if ((problem as NodeJS.ErrnoException).code !== "EADDRNOTAVAIL") throw problem
    if (clock.monotonic() > limit)
      throw new TimeoutError(`this machine to have the address ${address}`, networkLimitMs)
    await clock.sleep(networkPollMs, signal)
  }
}
