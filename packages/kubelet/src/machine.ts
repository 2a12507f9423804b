/** The machine around the kubelet, as its parts see it: a real one, or one that is simulated. */
import type { Clock } from "@knarr/base"
import {
  createLinuxVolumeHost,
  simulatedVolumeHost,
  type ImageSnapshots,
  type VolumeHost,
} from "@knarr/volume"
import { createLinuxNodeHost } from "./node/linux-node-host.ts"
import { createSimulatedNodeHost, type HostFacts, type NodeHost } from "./node/node-host.ts"
import { createDiskHost } from "./pod-worker/disk-host.ts"
import type { KubeletHost } from "./pod-worker/host.ts"
import { createMemoryHost, type MemoryHostOptions } from "./pod-worker/memory-host.ts"
import { createHostProbeNetwork, simulatedProbeNetwork, type ProbeNetwork } from "./probes/probe-network.ts"

export interface Machine {
  readonly node: NodeHost
  readonly pods: KubeletHost
  readonly volumes: VolumeHost
  readonly probes: ProbeNetwork
  /** Nothing of it exists: there are no files to look at. */
  readonly simulated: boolean
}

export interface LinuxMachineOptions {
  readonly clock: Clock
  /** The kubelet's root folder. */
  readonly rootDir: string
  /** Overrides of what the machine says, for several nodes on one machine. */
  readonly facts?: Partial<HostFacts>
  /** Sets up cgroups of pods; default true. */
  readonly cgroups?: boolean
  /** The file that pods get the node's resolvers from; default `/etc/resolv.conf`; empty: none. */
  readonly resolvConf?: string
  /** The runtime's; default: volumes of images cannot be mounted. */
  readonly images?: ImageSnapshots
}

/** The machine that this process runs on. Needs root. */
export function createLinuxMachine(options: LinuxMachineOptions): Machine {
  const { clock, rootDir, facts, cgroups, resolvConf, images } = options
  return {
    node: createLinuxNodeHost({ rootDir, ...(facts ? { facts } : {}) }),
    pods: createDiskHost({
      clock,
      ...(cgroups === undefined ? {} : { cgroups }),
      ...(resolvConf === undefined ? {} : { resolvConf }),
    }),
    volumes: createLinuxVolumeHost({ clock, rootDir, ...(images ? { images } : {}) }),
    probes: createHostProbeNetwork(clock),
    simulated: false,
  }
}

/** A machine of which nothing exists, to go with a simulated runtime. */
export function createSimulatedMachine(
  options: Partial<HostFacts> & {
    readonly hostname: string
    readonly diskBytes?: number
  } & MemoryHostOptions,
): Machine {
  return {
    node: createSimulatedNodeHost(options),
    pods: createMemoryHost(options),
    volumes: simulatedVolumeHost,
    probes: simulatedProbeNetwork,
    simulated: true,
  }
}
