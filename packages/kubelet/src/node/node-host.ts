/** What a Node object says about its machine. A simulated node gives the facts by hand. */

export interface HostFacts {
  readonly hostname: string
  /** Go's names: `amd64`, `arm64`; `linux`. */
  readonly architecture: string
  readonly operatingSystem: string
  readonly machineID: string
  readonly systemUUID: string
  readonly bootID: string
  readonly kernelVersion: string
  readonly osImage: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly swapBytes: number
  /** Bytes of huge pages by page size, for example `2Mi`. */
  readonly hugepages: Readonly<Record<string, number>>
  /** Whether the kernel enforces AppArmor profiles, and SELinux. */
  readonly appArmor: boolean
  readonly seLinux: boolean
  /** The version of cgroups whose controller for swap there is; undefined: there is none. */
  readonly swapControl: "v1" | "v2" | undefined
  /** Addresses that other machines reach this one at, the main one first. */
  readonly addresses: readonly string[]
}

export interface FilesystemUse {
  readonly capacityBytes: number
  readonly availableBytes: number
  readonly inodes: number
  readonly inodesFree: number
  /** The same number: the same file system. */
  readonly device: number
}

export interface MemoryUse {
  readonly totalBytes: number
  readonly availableBytes: number
}

export interface CpuUse {
  /** Of all CPUs together since the machine started. */
  readonly usageNanoSeconds: number
}

export interface NodeHost {
  readonly facts: HostFacts
  /** Of the file system that `path` is on; default: the kubelet's root folder. Throws when there is no such path. */
  filesystem(path?: string): FilesystemUse
  memory(): MemoryUse
  cpu(): CpuUse
  /** How many processes there are and may be. */
  processes(): { readonly count: number; readonly max: number }
}

const gibibyte = 1024 ** 3

/** A machine that does not exist: 4 CPUs, 8 GiB, 100 GiB unless said otherwise. */
export function createSimulatedNodeHost(
  options: Partial<HostFacts> & { readonly hostname: string; readonly diskBytes?: number },
): NodeHost {
  const { diskBytes = 100 * gibibyte, ...given } = options
  const facts: HostFacts = {
    architecture: "amd64",
    operatingSystem: "linux",
    machineID: given.hostname,
    systemUUID: given.hostname,
    bootID: given.hostname,
    kernelVersion: "6.12.0",
    osImage: "Simulated",
    cpus: 4,
    memoryBytes: 8 * gibibyte,
    swapBytes: 0,
    hugepages: {},
    appArmor: true,
    seLinux: false,
    swapControl: undefined,
    addresses: ["192.0.2.1"],
    ...given,
  }
  return {
    facts,
    filesystem: () => ({
      capacityBytes: diskBytes,
      availableBytes: diskBytes,
      inodes: 6_000_000,
      inodesFree: 6_000_000,
      device: 1,
    }),
    memory: () => ({ totalBytes: facts.memoryBytes, availableBytes: facts.memoryBytes }),
    cpu: () => ({ usageNanoSeconds: 0 }),
    processes: () => ({ count: 1, max: 32_768 }),
  }
}
