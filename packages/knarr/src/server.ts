/** The server's parts in one process: store, API server, controllers, scheduler, image registry. */
import { join } from "node:path"
import { startApiServer, type ApiServer } from "@knarr/apiserver"
import { kinds } from "@knarr/api"
import type { Env, Scope } from "@knarr/base"
import { createInformerFactory, type InformerFactory } from "@knarr/client"
import { runControllers } from "@knarr/controller-kit"
import { createControllers } from "@knarr/controller-manager"
import { startImageRegistry } from "@knarr/image-registry"
import { startScheduler } from "@knarr/scheduler"
import { openEmbeddedStore } from "@knarr/store"
import { addressesOf, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { ensurePki, type ClusterPki } from "./pki.ts"
import { serverAddresses } from "./server-certificate.ts"
import { ensureRegistrySecret } from "./registry-secret.ts"
import { waitForDefaultServiceAccount } from "./default-service-account.ts"
import { ensureDnsService } from "./dns-service.ts"
import { loadOpenApiDocs } from "./openapi-docs.ts"
import type { Steps } from "./steps.ts"

export interface RunningServer {
  readonly apiServer: ApiServer
  readonly pki: ClusterPki
  /** Shared by all parts of the process. */
  readonly informers: InformerFactory
}

const serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local"

/** Starts everything but nodes; `scope` ends it. Resolves when the API is ready and the controllers work. */
export async function startServer(options: {
  cluster: ClusterHome
  config: ClusterConfig
  env: Env
  scope: Scope
  steps: Steps
  /** Resolves when this machine has the address that nodes call; default: it has. */
  network?: Promise<void>
}): Promise<RunningServer> {
  const { cluster, config, env, scope, steps, network } = options
  const addresses = addressesOf(config)
  // Only a cluster with nodes can be reached from anywhere but this machine's loopback.
  const bindAddresses = config.hasNode ? ["127.0.0.1", addresses.hostAddress] : ["127.0.0.1"]
  const pki = ensurePki(cluster.pki, env, serverAddresses(config))
  const store = scope.use(await openEmbeddedStore({ dir: cluster.store, env }))
  await network
  const apiServer = await startApiServer({
    env,
    store,
    kinds,
    scope: scope.child("apiserver"),
    bindAddresses,
    port: config.port,
    certificates: { ...pki.server, clientCA: pki.ca.cert },
    clientCA: pki.ca.cert,
    serviceAccounts: { signingKey: pki.serviceAccount.privateKey, issuers: [serviceAccountIssuer] },
    serviceCIDRs: [addresses.serviceCIDR],
    ...(config.hasNode ? { advertise: { address: addresses.hostAddress, port: config.port } } : {}),
    openApiDocs: loadOpenApiDocs,
    kubelet: { clientCert: pki.kubeletClient.cert, clientKey: pki.kubeletClient.key, ca: pki.ca.cert },
  })
  steps.done("API server ready")

  await startImageRegistry({
    dir: cluster.images,
    env,
    scope: scope.child("image registry"),
    addresses: bindAddresses,
    port: config.registryPort,
    secret: ensureRegistrySecret(cluster, env),
    nodeNetworks: config.hasNode ? [addresses.nodeCIDR] : [],
  })
  const informers = createInformerFactory({
    client: apiServer.client(),
    scope: scope.child("informers"),
    env,
  })
  const controllers = createControllers({
    rootCA: pki.ca.cert,
    clusterCIDR: addresses.podCIDR,
    kinds,
  })
  const manager = {
    name: "system:kube-controller-manager",
    groups: ["system:authenticated", "system:masters"],
  }
  const scheduler = { name: "system:kube-scheduler", groups: ["system:authenticated"] }
  await Promise.all([
    ...(config.hasNode ? [ensureDnsService(apiServer.client(), addresses.dnsAddress, scope.signal)] : []),
    runControllers({
      controllers,
      client: apiServer.client(manager),
      env,
      scope: scope.child("controllers"),
      informers,
    }),
    startScheduler({
      client: apiServer.client(scheduler),
      env: { ...env, log: env.log.with({ component: "scheduler" }) },
      scope: scope.child("scheduler"),
      informers,
    }),
  ])
  await waitForDefaultServiceAccount(informers, scope.signal)
  steps.done("controllers and scheduler run")
  return { apiServer, pki, informers }
}

/** Where a node keeps what belongs to it. */
export function nodeDir(cluster: ClusterHome, node: string): string {
  return join(cluster.dir, "nodes", node)
}
