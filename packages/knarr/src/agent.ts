/**
 * A node's agent: the parts of `node/order.ts`, and what it says of their health. They speak to the server over HTTPS
 * with the node's own certificates, and read nothing else of the cluster's secrets.
 */
import type { Env, Scope } from "@knarr/base"
import { serveHealthz, socketOfEndpoint } from "@knarr/kubelet"
import { UsageError, type ClusterConfig, type ClusterHome } from "./cluster-home.ts"
import { startNodeParts } from "./node/node-parts.ts"
import { nodeParts } from "./node/order.ts"
import { nodesOf } from "./node-names.ts"
import { readNodePki } from "./pki.ts"
import type { Steps } from "./start-progress.ts"

export interface AgentOptions {
  readonly cluster: ClusterHome
  readonly config: ClusterConfig
  readonly env: Env
  readonly scope: Scope
  readonly steps: Steps
  readonly nodeName: string
  /** The CRI endpoint of a runtime that runs already; default: the node starts a containerd of its own. */
  readonly runtimeEndpoint?: string | undefined
}

/** On the loopback address of the node, as upstream's kubelet; of several first nodes on one machine one has it. */
const healthzPort = 10_248

/**
 * Runs a node of the cluster in the network namespace that this process is in: the machine's own for the first node.
 * Network and containerd are made ready while the server starts. Resolves when the node is ready; a part that cannot
 * start is told to whoever waits for it, and tried again.
 */
export async function startAgent(options: AgentOptions): Promise<void> {
  const { cluster, config, env, scope, steps, nodeName, runtimeEndpoint } = options
  const local = nodesOf(config).find((candidate) => candidate.node === nodeName)
  if (!local) throw new UsageError(`the cluster "${cluster.name}" has no node "${nodeName}"`)
  const runtimeSocket = runtimeEndpoint === undefined ? undefined : socketOfEndpoint(runtimeEndpoint)
  const pki = readNodePki(cluster.nodePki(nodeName), cluster.caCertificate)
  const parts = startNodeParts(nodeParts, {
    ...{ env, scope },
    node: { cluster, config, local, pki, steps, runtimeSocket },
    onEarlyFailure: (error) => steps.failed(error),
  })
  scope.run("healthz", (signal) => serveHealthz(env, healthzPort, parts, signal), { restart: true })
  await parts.started(scope.signal)
}
