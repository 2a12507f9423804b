/** What the pod workers need: the parts around them, and how this node is set up. */
import type { Pod, Taint } from "@knarr/api"
import type { Env } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import type { StatusManager, VolumeManager } from "../contract.ts"
import type { ImageManager } from "../images/image-manager.ts"
import type { PodObjectReader } from "../objects/object-reader.ts"
import type { NodeProbeManager } from "../probes/probe-manager.ts"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import type { KubeletHost } from "./host.ts"
import type { NodeFeatures } from "./node-features.ts"

/** How this node is set up. Paths are absolute. */
export interface NodeSettings {
  readonly nodeName: string
  /** The node's addresses, the main one first. */
  readonly nodeIPs: readonly string[]
  /** Holds `pods/<uid>`; usually `/var/lib/kubelet`. */
  readonly rootDir: string
  /** Holds a folder of logs per pod; usually `/var/log/pods`. */
  readonly podLogsDir: string
  /** Holds links to the logs by name; usually `/var/log/containers`. Empty: none. */
  readonly containerLogsDir: string
  readonly clusterDNS: readonly string[]
  readonly clusterDomain: string
  /** Where `kubepods` begins: empty, or a path like `/node1`. */
  readonly cgroupRoot: string
  readonly cpuQuota: boolean
  /** In bytes; 0: unknown. */
  readonly memoryCapacity: number
  readonly seccompDefault: boolean
  /** How the kernel keeps a container out of swap; undefined: it has no means. */
  readonly swapControl: "v1" | "v2" | undefined
}

/** What the API server says about this node. */
export interface NodeView {
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly Taint[]
  readonly allocatable: Readonly<Record<string, string>>
}

/** The network's problem before the runtime was asked for the first time: no reason for an event. */
export const statusNotKnownYet = "container runtime status check may not have completed yet"

export interface PodWorkerParts {
  readonly env: Env
  readonly runtime: ContainerRuntime
  /** Comes before the ids of containers in statuses: `containerd`. */
  readonly runtimeName: string
  readonly host: KubeletHost
  readonly objects: PodObjectReader
  readonly volumes: VolumeManager
  readonly probes: NodeProbeManager
  readonly status: StatusManager
  readonly images: ImageManager
  readonly events: EventRecorder
  readonly settings: NodeSettings
  /** Undefined until the node is known. */
  node(): NodeView | undefined
  /** What machine and runtime can do, as far as they have told. */
  features(): NodeFeatures
  /** Why the pod must not start now for lack of something on the node; undefined: it may. */
  refusal?(pod: Readonly<Pod>): { readonly reason: string; readonly message: string } | undefined
  /** Undefined when containers may be started, else why the network is not ready. */
  networkProblem(): string | undefined
  /** The runtime's handler for the pod's runtime class. Rejects when there is no such class. */
  runtimeHandler(pod: Readonly<Pod>, signal: AbortSignal): Promise<string>
  /** Gets ready what the pod claims. Rejects when it cannot be had. */
  prepareResources(pod: Readonly<Pod>, signal: AbortSignal): Promise<void>
}

/** The folder of what belongs to the pod. */
export function podDir(settings: NodeSettings, uid: string): string {
  return `${settings.rootDir}/pods/${uid}`
}

export function podLogDir(settings: NodeSettings, namespace: string, name: string, uid: string): string {
  return `${settings.podLogsDir}/${namespace}_${name}_${uid}`
}
