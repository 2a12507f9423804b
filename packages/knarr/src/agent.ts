/** A node's parts: containerd, pod network, kubelet, service proxy, cluster DNS. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Scope, type Env, type KeyPair } from "@knarr/base"
import {
  createInformerFactory,
  createRestClient,
  createTransport,
  type Client,
  type InformerFactory,
} from "@knarr/client"
import { startDns } from "@knarr/dns"
import { ensureContainerd, startKubelet, type Containerd } from "@knarr/kubelet"
import { createNodeNetns, ensureNodeNetwork, nodeCIDR, podBridge, runPodNetwork } from "@knarr/pod-network"
import { startServiceProxy } from "@knarr/proxy"
import { addServiceAddress, serviceRoute } from "./node-addresses.ts"
import { addressesOf, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { runDirOf } from "./machine.ts"
import { agentNames, firstNode, type LocalNode } from "./node-names.ts"
import { ensureNodeCertificate } from "./pki.ts"
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
  readonly client: Client
  readonly informers: InformerFactory
  readonly ca: KeyPair
}

const clusterDomain = "cluster.local"
const kubeletPort = 10_250
const cniBinDirs = ["/usr/lib/cni", "/opt/cni/bin"]

/** The nftables table of the cluster's services. */
export function proxyTable(config: Pick<ClusterConfig, "name">): string {
  return `knarr-${config.name}-services`
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
export async function startFirstNode(options: NodeOptions): Promise<FirstNode> {
  const { config, scope } = options
  const node = firstNode(config)
  await ensureNodeNetwork(config, scope.signal)
  const containerd = await prepare(options, node)
  return {
    async join({ apiServer, informers, pki }) {
      const client = apiServer.client({
        name: `system:node:${node.node}`,
        groups: ["system:nodes", "system:authenticated"],
      })
      await joinCluster(options, node, containerd, { client, informers, ca: pki.ca })
    },
  }
}

/** Makes the network namespaces of the further nodes, for their agents to be started in. */
export async function ensureAgentNetworks(config: ClusterConfig, signal: AbortSignal): Promise<void> {
  for (const { number } of agentNames(config))
    await createNodeNetns({ cluster: config, index: number }, signal)
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
      server: `https://${addressesOf(config.index).hostAddress}:${config.port}`,
      tls: { ca: ca.cert, ...identity },
      headers: () => ({ "user-agent": "knarr-agent" }),
    }),
  )
  const client = createRestClient({ transport })
  const containerd = await prepare(options, node)
  const informers = createInformerFactory({ client, scope: scope.child("informers"), env })
  await joinCluster(options, node, containerd, { client, informers, ca })
}

async function prepare(options: NodeOptions, node: LocalNode): Promise<Containerd> {
  const { cluster, config, env, scope, steps } = options
  const addresses = addressesOf(config.index)
  await Promise.all([
    addServiceAddress(addresses.dnsAddress, scope.signal),
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
  scope.run("containerd", (signal) => containerd.run(signal))
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
  const addresses = addressesOf(config.index)
  const dir = cluster.node(node.node)
  scope.run("pod network", (signal) =>
    runPodNetwork(
      {
        env,
        informers,
        nodeName: node.node,
        clusterName: config.name,
        clusterCIDR: addresses.podCIDR,
        nodeCIDR: nodeCIDR(config),
        cni: { dir: join(dir, "cni"), bridge: podBridge(config, node.number), ipamDir: join(dir, "ipam") },
      },
      signal,
    ),
  )
  const proxy = startServiceProxy({
    informers,
    env,
    scope: scope.child("service proxy"),
    nodeName: node.node,
    table: proxyTable(config),
    podCIDR: addresses.podCIDR,
    localAddresses: [addresses.dnsAddress],
  })
  const dns = startDns({
    informers,
    env,
    scope: scope.child("dns"),
    addresses: [addresses.dnsAddress],
    domain: clusterDomain,
  })
  const identity = ensureNodeCertificate(join(dir, "pki"), env, ca, node.node, node.address)
  const kubelet = await startKubelet({
    env,
    client,
    scope: scope.child("kubelet"),
    nodeName: node.node,
    nodeIP: node.address,
    runtime: containerd.runtime,
    rootDir: join(dir, "kubelet"),
    logDir: join(dir, "logs"),
    manifestDir: join(dir, "manifests"),
    clusterDNS: [addresses.dnsAddress],
    clusterDomain,
    cgroupRoot: `/knarr-${config.index}-${node.number}`,
    server: {
      address: node.address,
      port: kubeletPort,
      cert: identity.cert,
      key: identity.key,
      clientCA: ca.cert,
    },
    nodeLabels: node.number === 0 ? { "node-role.kubernetes.io/control-plane": "" } : {},
  })
  await Promise.all([proxy, dns])
  await kubelet.ready(scope.signal)
  steps.done(`${node.node} ready`)
}
