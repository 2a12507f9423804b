/** A node's parts: containerd, pod network, kubelet, service proxy, cluster DNS. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { node as nodeKind, pod } from "@knarr/api"
import { Scope, type Env, type KeyPair } from "@knarr/base"
import {
  createEventRecorder,
  createInformerFactory,
  createRestClient,
  createTransport,
  type Client,
  type InformerFactory,
} from "@knarr/client"
import { kubernetesVersion } from "@knarr/apiserver"
import { startDns } from "@knarr/dns"
import { createLinuxMachine, ensureContainerd, startKubelet, type Containerd } from "@knarr/kubelet"
import { createNodeNetns, ensureNodeNetwork, podBridge, runPodNetwork } from "@knarr/pod-network"
import { startServiceProxy } from "@knarr/proxy"
import { addServiceAddress, serviceRoute } from "./node-addresses.ts"
import { addressesOf, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { runDirOf } from "./machine.ts"
import { agentNames, firstNode, networkOf, type LocalNode } from "./node-names.ts"
import { kubeletPort, proxySettings } from "./node-proxy.ts"
import { ensureNodeCertificate, ensureProxyCertificate } from "./pki.ts"
import type { RunningServer } from "./server.ts"
import type { Steps } from "./steps.ts"

export interface NodeOptions {
  readonly cluster: ClusterHome
  readonly config: ClusterConfig
  readonly env: Env
  readonly scope: Scope
  readonly steps: Steps
}

export interface FirstNode {
  join(server: RunningServer): Promise<void>
}

/** What a node needs of its cluster once that is there. */
interface Joining {
  /** Acts as the node. */
  readonly client: Client
  /** Of the node's network parts: they read services, slices and all nodes. */
  readonly informers: InformerFactory
  readonly ca: KeyPair
}

const clusterDomain = "cluster.local"
const cniBinDirs = ["/usr/lib/cni", "/opt/cni/bin"]

/** The cgroup in which a node's pods are. */
export function cgroupRoot(config: Pick<ClusterConfig, "index">, node: LocalNode): string {
  return `/knarr-${config.index}-${node.number}`
}

/** Where a node's containerd keeps its files. */
export function nodeContainerd(
  cluster: ClusterHome,
  config: Pick<ClusterConfig, "index">,
  node: string,
): { dir: string; runDir: string } {
  return { dir: join(cluster.node(node), "containerd"), runDir: join(runDirOf(config.index), node) }
}

/**
 * Prepares the first node while the server starts beside it: network and containerd need no API. `join`
 * makes it a member and resolves when the node is ready.
 */
export async function startFirstNode(
  options: NodeOptions & { readonly network: Promise<void> },
): Promise<FirstNode> {
  const { config, network, scope } = options
  const node = firstNode(config)
  await network
  const containerd = await prepare(options, node)
  return {
    async join({ apiServer, informers, pki }) {
      const client = apiServer.client({
        name: `system:node:${node.node}`,
        groups: ["system:nodes", "system:authenticated"],
      })
      await joinCluster(options, node, containerd, { client, informers, ca: pki.ca })
      await markControlPlane(apiServer.client(), node.node, scope.signal)
    },
  }
}

/** Makes the cluster's bridge, with the address by which nodes call the server. */
export function ensureClusterNetwork(config: ClusterConfig, signal: AbortSignal): Promise<void> {
  return ensureNodeNetwork(networkOf(config), signal)
}

/** Makes the network namespaces of the further nodes, for their agents to be started in. */
export async function ensureAgentNetworks(config: ClusterConfig, signal: AbortSignal): Promise<void> {
  for (const { number } of agentNames(config))
    await createNodeNetns({ cluster: networkOf(config), index: number }, signal)
}

/** A further node, in its own process and network namespace, speaking HTTPS. Resolves when the node is ready. */
export async function startAgent(
  options: NodeOptions & { readonly nodeName: string; readonly ca: KeyPair },
): Promise<void> {
  const { cluster, config, env, scope, ca, nodeName } = options
  const node = agentNames(config).find((candidate) => candidate.node === nodeName)
  if (!node) throw new Error(`the cluster "${cluster.name}" has no node "${nodeName}"`)
  const identity = ensureNodeCertificate(join(cluster.node(nodeName), "pki"), env, ca, nodeName, node.address)
  const transport = scope.use(
    createTransport({
      server: `https://${addressesOf(config).hostAddress}:${config.port}`,
      tls: { ca: ca.cert, ...identity },
      headers: () => ({ "user-agent": "knarr-agent" }),
    }),
  )
  const client = createRestClient({ transport, env })
  const containerd = await prepare(options, node)
  const proxyIdentity = ensureProxyCertificate(join(cluster.node(nodeName), "pki"), env, ca)
  const proxyTransport = scope.use(
    createTransport({ server: transport.server, tls: { ca: ca.cert, ...proxyIdentity } }),
  )
  const proxyClient = createRestClient({ transport: proxyTransport, env })
  const informers = createInformerFactory({ client: proxyClient, scope: scope.child("informers"), env })
  await joinCluster(options, node, containerd, { client, informers, ca })
}

async function prepare(options: NodeOptions, node: LocalNode): Promise<Containerd> {
  const { cluster, config, env, scope, steps } = options
  const addresses = addressesOf(config)
  await Promise.all([
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
  const { client, informers, ca } = joining
  const addresses = addressesOf(config)
  const dir = cluster.node(node.node)
  const events = createEventRecorder({ client, scope, env, component: "knarr-agent", host: node.node })
  const runNetwork = (signal: AbortSignal): Promise<void> =>
    runPodNetwork(
      {
        env,
        informers,
        nodeName: node.node,
        clusterName: networkOf(config).name,
        clusterCIDR: addresses.podCIDR,
        nodeCIDR: addresses.nodeCIDR,
        events,
        cni: { dir: join(dir, "cni"), bridge: podBridge(config, node.number), ipamDir: join(dir, "ipam") },
      },
      signal,
    )
  scope.run("pod network", runNetwork, { restart: true })
  const nodeInformers = createInformerFactory({ client, scope: scope.child("node informers"), env })
  const proxy = startServiceProxy({
    informers,
    pods: nodeInformers.informer(pod, { fieldSelector: `spec.nodeName=${node.node}` }),
    env,
    scope: scope.child("service proxy"),
    events,
    ...proxySettings(config, node),
  })
  const dns = startDns({
    informers,
    env,
    scope: scope.child("dns"),
    addresses: [addresses.dnsAddress],
    domain: clusterDomain,
  })
  const identity = ensureNodeCertificate(join(dir, "pki"), env, ca, node.node, node.address)
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
    tls: { ...identity, clientCA: ca.cert },
    nodeLogDir: join(dir, "logs"),
  })
  await Promise.all([proxy, dns])
  await kubelet.ready(scope.signal)
  steps.done(`${node.node} ready`)
}

/** Nodes may not give themselves a role. */
async function markControlPlane(client: Client, nodeName: string, signal: AbortSignal): Promise<void> {
  const labels = { "node-role.kubernetes.io/control-plane": "" }
  await client.patch(
    nodeKind,
    { name: nodeName },
    "merge",
    { metadata: { labels } },
    { signal, fieldManager: "knarr" },
  )
}
