/** Nodes that only pretend to run containers: a whole cluster then fits into one process, and into a moment. */
import { Meter, type Env, type Scope } from "@knarr/base"
import { kubernetesVersion, pod as podKind } from "@knarr/api"
import type { ControlPlane } from "@knarr/apiserver"
import {
  SimulatedHost,
  behaviourOf,
  createSimulatedMachine,
  createSimulatedRuntime,
  startKubelet,
  type Kubelet,
  type SimulatedBehaviour,
  type SimulatedContainer,
  type SimulatedHostOptions,
} from "@knarr/kubelet"

/**
 * What a simulated node is like; its containers do what `behaviour`, `exec` and `pull` say, and without `behaviour` what
 * their pods' annotations say (docs/simulated-nodes.md).
 */
export interface SimulatedNodeOptions extends Omit<SimulatedHostOptions, "env" | "podCIDR"> {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  /** Default 4. */
  readonly cpus?: number
  /** Default 8 GiB. */
  readonly memoryBytes?: number
  /** Default 110. */
  readonly maxPods?: number
  /** Default 40 s; renewed four times as often. */
  readonly leaseSeconds?: number
  /** Default 10 s: how often the node's status is computed. */
  readonly statusPeriodMs?: number
  /** Whether its kubelet looks for shortages every 10 s. Default true. */
  readonly eviction?: boolean
}

export interface SimulatedNode {
  readonly name: string
  /** Its containers: they run on while the kubelet is stopped. */
  readonly host: SimulatedHost
  /** Undefined while it is stopped. */
  readonly kubelet: Kubelet | undefined
  /** Ends the kubelet as a crash or a lost network would: nothing is said to the API. Idempotent. */
  stop(): Promise<void>
  /** Starts the kubelet again, which adopts what runs. Idempotent. */
  start(): Promise<void>
}

function said(plane: ControlPlane, { config, sandboxConfig }: SimulatedContainer): SimulatedBehaviour {
  const { namespace = "", name = "", uid } = sandboxConfig.metadata ?? {}
  const known = plane.registry.get(podKind, { namespace, name })
  return known && known.metadata.uid === uid ? behaviourOf(known, config.metadata?.name ?? "") : {}
}

/** In the default range of services; nobody answers there. */
const clusterDNS = "10.96.0.10"

/** Starts a node with a kubelet of its own. Resolves when it runs; it is ready once it has told the API. */
export async function startSimulatedNode(
  plane: ControlPlane,
  env: Env,
  scope: Scope,
  number: number,
  options: SimulatedNodeOptions,
): Promise<SimulatedNode> {
  const { name, labels, cpus, memoryBytes, maxPods, leaseSeconds, statusPeriodMs, eviction, ...script } =
    options
  const host = new SimulatedHost({ behaviour: (container) => said(plane, container), ...script, env })
  const client = plane.client({
    name: `system:node:${name}`,
    groups: ["system:nodes", "system:authenticated"],
  })
  const machine = createSimulatedMachine({
    hostname: name,
    addresses: [`192.0.${2 + (number >> 8)}.${number & 255}`],
    ...(cpus === undefined ? {} : { cpus }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  })
  let kubelet: Kubelet | undefined
  const node: SimulatedNode = {
    name,
    host,
    get kubelet() {
      return kubelet
    },
    async stop() {
      const stopped = kubelet
      kubelet = undefined
      await stopped?.close()
    },
    async start() {
      kubelet ??= await startKubelet({
        env: { ...env, log: env.log.with({ node: name }), meter: new Meter() },
        scope,
        client,
        nodeName: name,
        version: `v${kubernetesVersion}+knarr`,
        runtime: createSimulatedRuntime(host),
        machine,
        clusterDNS: [clusterDNS],
        ...(labels === undefined ? {} : { labels }),
        ...(maxPods === undefined ? {} : { maxPods }),
        ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
        ...(statusPeriodMs === undefined ? {} : { statusPeriodMs }),
        ...(eviction === false ? { eviction } : {}),
      })
    },
  }
  await node.start()
  return node
}
