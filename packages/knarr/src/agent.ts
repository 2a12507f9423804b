/**
 * A node's parts: containerd, pod network, kubelet, service proxy, cluster DNS. They speak to the server over HTTPS
 * with the node's own certificates, and read nothing else of the cluster's secrets.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { readPort } from "@knarr/apimachinery"
import { kubernetesVersion, pod } from "@knarr/api"
import { messageOf, type Env, type KeyPair, type Scope } from "@knarr/base"
import {
  createEventRecorder,
  createInformerFactory,
  createRestClient,
  createTransport,
  type Client,
  type InformerFactory,
  type Transport,
} from "@knarr/client"
import { startDns } from "@knarr/dns"
import { createLinuxMachine, ensureContainerd, startKubelet, type Containerd } from "@knarr/kubelet"
import { ensureNodeNetwork, podBridge, runPodNetwork } from "@knarr/pod-network"
import { startServiceProxy } from "@knarr/proxy"
import { addServiceAddress, serviceRoute } from "./node-addresses.ts"
import { UsageError, addressesOf, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { openDoors, watchHost } from "./host-watch.ts"
import { cgroupRoot, networkOf, nodeContainerd, nodesOf, type LocalNode } from "./node-names.ts"
import { kubeletHealthzPort, kubeletPort, proxySettings } from "./node-proxy.ts"
import { readNodePki, type NodePki } from "./pki.ts"
import type { Steps } from "./start-progress.ts"

export interface NodeOptions {
  readonly cluster: ClusterHome
  readonly config: ClusterConfig
  readonly env: Env
  readonly scope: Scope
  readonly steps: Steps
}

/** How a node speaks to its cluster. */
interface Joining {
  /** Acts as the node. */
  readonly client: Client
  /** Of the node's network parts: they read services, slices and all nodes. */
  readonly informers: InformerFactory
  readonly pki: NodePki
}

const clusterDomain = "cluster.local"
/** How long a server that was started with us may take. */
const serverStartMs = 10_000
const serverPollMs = 10
const lateServerPollMs = 500
const cniBinDirs = ["/usr/lib/cni", "/opt/cni/bin"]

/**
 * Runs a node of the cluster in the network namespace that this process is in: the machine's own for the first node.
 * Network and containerd are made ready while the server starts. Resolves when the node is ready.
 */
export async function startAgent(options: NodeOptions & { readonly nodeName: string }): Promise<void> {
  const { cluster, config, env, scope, nodeName } = options
  const node = nodesOf(config).find((candidate) => candidate.node === nodeName)
  if (!node) throw new UsageError(`the cluster "${cluster.name}" has no node "${nodeName}"`)
  const pki = readNodePki(cluster.nodePki(nodeName), cluster.caCertificate)
  const connect = (identity: KeyPair): Transport =>
    scope.use(
      createTransport({
        server: `https://${addressesOf(config).hostAddress}:${config.port}`,
        tls: { ca: pki.ca, ...identity },
        headers: () => ({ "user-agent": "knarr-agent" }),
      }),
    )
  const transport = connect(pki.kubelet)
  const [containerd] = await Promise.all([prepare(options, node), untilServes(transport, env, scope.signal)])
  const client = createRestClient({ transport, env })
  const proxyClient = createRestClient({ transport: connect(pki.proxy), env })
  const informers = createInformerFactory({ client: proxyClient, scope: scope.child("informers"), env })
  await joinCluster(options, node, containerd, { client, informers, pki })
}

/**
 * Resolves when the API server serves, whatever troubles its controllers or other nodes. It is asked often at first,
 * since it starts when we do, and gently later.
 */
async function untilServes(transport: Transport, env: Env, signal: AbortSignal): Promise<void> {
  const begun = env.clock.monotonic()
  for (let isSaid = false; ;) {
    let problem
    try {
      const response = await transport.request({
        method: "GET",
        path: "/readyz?exclude=tasks&exclude=processes",
        signal,
      })
      await response.buffer()
      if (response.status === 200) return
      problem = `status ${response.status}`
    } catch (thrown) {
      signal.throwIfAborted()
      problem = messageOf(thrown)
    }
    const isLate = env.clock.monotonic() - begun > serverStartMs
    if (isLate && !isSaid)
      env.log.warn("The API server does not answer yet", { server: transport.server, err: problem })
    isSaid ||= isLate
    await env.clock.sleep(isLate ? lateServerPollMs : serverPollMs, signal)
  }
}

async function prepare(options: NodeOptions, node: LocalNode): Promise<Containerd> {
  const { cluster, config, env, scope, steps } = options
  const addresses = addressesOf(config)
  if (node.number === 0) await ensureNodeNetwork(networkOf(config), scope.signal)
  await Promise.all([
    node.number === 0 ? openDoors(config, scope.signal) : undefined,
    addServiceAddress(addresses.dnsAddress, config, scope.signal),
    serviceRoute(addresses.serviceCIDR, node, config, scope.signal),
  ])
  const containerd = await ensureContainerd(
    {
      ...nodeContainerd(cluster, config, node.node),
      env,
      cniBinDir: cniBinDirs.find((dir) => existsSync(join(dir, "bridge"))) ?? cniBinDirs[0]!,
      cniConfDir: join(cluster.node(node.node), "cni"),
      registryMirror: `http://${addresses.hostAddress}:${config.registryPort}`,
    },
    scope.signal,
  )
  scope.defer(() => containerd.close())
  scope.run("containerd", (signal) => containerd.run(signal), { restart: true })
  steps.done(containerd.adopted ? "containerd found running" : "containerd started")
  return containerd
}

async function joinCluster(
  options: NodeOptions,
  node: LocalNode,
  containerd: Containerd,
  joining: Joining,
): Promise<void> {
  const { cluster, config, env, scope, steps } = options
  const { client, informers, pki } = joining
  const addresses = addressesOf(config)
  const dir = cluster.node(node.node)
  const events = createEventRecorder({ client, scope, env, component: "knarr-agent", host: node.node })
  const dns = await startDns({
    informers,
    env,
    scope: scope.child("dns"),
    addresses: [addresses.dnsAddress],
    domain: clusterDomain,
    shares: true,
  })
  const runNetwork = (signal: AbortSignal): Promise<void> =>
    runPodNetwork(
      {
        env,
        informers,
        nodeName: node.node,
        clusterName: networkOf(config).name,
        clusterCIDR: addresses.podCIDR,
        nodeCIDR: addresses.nodeCIDR,
        dns: { address: addresses.dnsAddress, ports: dns.shares.flatMap((port) => readPort(port) ?? []) },
        events,
        cni: { dir: join(dir, "cni"), bridge: podBridge(config, node.number), ipamDir: join(dir, "ipam") },
      },
      signal,
    )
  scope.run("pod network", runNetwork, { restart: true })
  scope.run("host watch", (signal) => watchHost({ env, config, node, events }, signal), { restart: true })
  const nodeInformers = createInformerFactory({ client, scope: scope.child("node informers"), env })
  const proxy = startServiceProxy({
    informers,
    pods: nodeInformers.informer(pod, { fieldSelector: `spec.nodeName=${node.node}` }),
    env,
    scope: scope.child("service proxy"),
    events,
    ...proxySettings(config, node),
  })
  const rootDir = join(dir, "kubelet")
  const kubelet = await startKubelet({
    env: { ...env, log: env.log.with({ component: "kubelet" }) },
    client,
    scope: scope.child("kubelet"),
    nodeName: node.node,
    version: `v${kubernetesVersion}+knarr`,
    nodeIPs: [node.address],
    runtime: containerd.runtime,
    machine: createLinuxMachine({ clock: env.clock, rootDir, facts: { hostname: node.node } }),
    rootDir,
    podLogsDir: join(dir, "logs", "pods"),
    containerLogsDir: join(dir, "logs", "containers"),
    manifestDir: join(dir, "manifests"),
    clusterDNS: [addresses.dnsAddress],
    clusterDomain,
    cgroupRoot: cgroupRoot(config, node),
    // Only there: every cluster on this machine has a first node with this port.
    address: node.address,
    port: kubeletPort,
    healthzPort: kubeletHealthzPort,
    tls: { ...pki.kubelet, clientCA: pki.ca },
    nodeLogDir: join(dir, "logs"),
  })
  await proxy
  await kubelet.ready(scope.signal)
  steps.done(`${node.node} ready`)
}
