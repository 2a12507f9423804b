/**
 * The status of the Node object from what is known about machine and runtime.
 * Mirrors: pkg/kubelet/nodestatus/setters.go
 */
import type { ContainerImage, NodeAddress, NodeCondition, NodeRuntimeHandler, NodeStatus } from "@knarr/api"
import { Quantity, canonicalQuantity, formatTime, isValidIP, parseQuantity } from "@knarr/apimachinery"
import { keptByThreshold, type EvictionSignal, type Threshold } from "../eviction/thresholds.ts"
import type { RuntimeResponse } from "../runtime/container-runtime.ts"
import type { HostFacts, NodeHost } from "./node-host.ts"

export interface NodeStatusInput {
  readonly host: NodeHost
  readonly nodeName: string
  readonly nodeIPs: readonly string[]
  readonly port: number
  readonly maxPods: number
  readonly kubeletVersion: string
  /** Kept from pods: `{ cpu: "100m", memory: "256Mi" }`. */
  readonly reserved: Readonly<Record<string, string>>
  readonly runtime: RuntimeFacts
  readonly pressure: NodePressure
  /** What pods may not use, so that they are not evicted for it. */
  readonly thresholds: readonly Threshold[]
  readonly images: readonly ContainerImage[]
  /** Undefined: as it was. */
  readonly volumesInUse: readonly string[] | undefined
  /** More reasons for not being ready. */
  readonly problems: readonly string[]
  readonly nowMs: number
}

export interface NodePressure {
  readonly memory: boolean
  readonly disk: boolean
  readonly pid: boolean
}

/** What the runtime says about itself; undefined parts: it has not answered. */
export interface RuntimeFacts {
  readonly version: RuntimeResponse<"version"> | undefined
  readonly status: RuntimeResponse<"status"> | undefined
  /** Why it does not answer. */
  readonly error: string | undefined
}

/** What pods may need of their node beyond what every kubelet can do; the scheduler looks at it. Sorted. */
const declaredFeatures = ["RestartAllContainersOnContainerExits"]

/** The whole status; conditions' times are carried over from `previous` while their status stays. */
export function buildNodeStatus(
  input: NodeStatusInput,
  previous: Readonly<NodeStatus> | undefined,
): NodeStatus {
  const { host, runtime } = input
  const { facts } = host
  const { capacity, allocatable } = resources(input)
  const { runtimeName, runtimeVersion } = runtime.version ?? {}
  const handlers = runtimeHandlers(runtime)
  const features = runtime.status?.features
  const { images: _, volumesInUse: before, ...rest } = previous ?? {}
  const volumesInUse = input.volumesInUse ?? before ?? []
  return {
    ...rest,
    capacity: { ...extendedOf(previous?.capacity), ...capacity },
    allocatable: { ...extendedOf(previous?.capacity), ...allocatable },
    conditions: conditions(input, previous?.conditions ?? []),
    addresses: addresses(input),
    daemonEndpoints: { kubeletEndpoint: { Port: input.port } },
    nodeInfo: {
      architecture: facts.architecture,
      bootID: facts.bootID,
      containerRuntimeVersion: runtimeName
        ? `${runtimeName}://${versionText(runtimeVersion!)}`
        : (previous?.nodeInfo?.containerRuntimeVersion ?? ""),
      kernelVersion: facts.kernelVersion,
      kubeProxyVersion: "",
      kubeletVersion: input.kubeletVersion,
      machineID: facts.machineID,
      operatingSystem: facts.operatingSystem,
      osImage: facts.osImage,
      systemUUID: facts.systemUUID,
      ...(facts.swapBytes > 0 ? { swap: { capacity: facts.swapBytes } } : {}),
    },
    ...(input.images.length > 0 ? { images: [...input.images] } : {}),
    ...(volumesInUse.length > 0 ? { volumesInUse: [...volumesInUse] } : {}),
    ...(handlers.length > 0 ? { runtimeHandlers: handlers } : {}),
    declaredFeatures: [...declaredFeatures],
    ...(features ? { features: { supplementalGroupsPolicy: features.supplementalGroupsPolicy } } : {}),
  }
}

/** A semantic version without its `v`; of anything else the numbers that it begins with. */
function versionText(version: string): string {
  const text = version.trim().replace(/^v/, "")
  if (/^\d+\.\d+\.\d+(-[\w.-]+)?(\+[\w.-]+)?$/.test(text)) return text
  return /^\d+(\.\d+)*/.exec(text)?.[0] ?? version
}

/** What others have added: device plugins, patches by hand. */
function extendedOf(list: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => name.includes("/")))
}

function resources(input: NodeStatusInput): {
  capacity: Record<string, string>
  allocatable: Record<string, string>
} {
  const { host, maxPods, reserved, thresholds } = input
  const { facts } = host
  const disk = host.filesystem().capacityBytes
  const capacity: Record<string, string> = {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    "ephemeral-storage": `${Math.floor(disk / 1024)}Ki`,
    pods: String(maxPods),
  }
  let huge = 0
  for (const [size, bytes] of Object.entries(facts.hugepages)) {
    capacity[`hugepages-${size}`] = bytes === 0 ? "0" : Quantity.of(bytes, "BinarySI").toString()
    huge += bytes
  }
  const part = (name: string): Quantity => parseQuantity(reserved[name] ?? "0")
  const kept = (signal: EvictionSignal, of: number): number => keptByThreshold(thresholds, signal, of)
  const memory =
    facts.memoryBytes - kept("memory.available", facts.memoryBytes) - Number(part("memory").value()) - huge
  const storage = disk - kept("nodefs.available", disk) - Number(part("ephemeral-storage").value())
  return {
    capacity: canonical(capacity),
    allocatable: canonical({
      ...capacity,
      cpu: Quantity.ofMilli(Math.max(facts.cpus * 1000 - part("cpu").milliValue(), 0)).toString(),
      memory: `${Math.floor(Math.max(memory, 0) / 1024)}Ki`,
      "ephemeral-storage": String(Math.floor(Math.max(storage, 0))),
    }),
  }
}

/** As the API writes quantities, so that comparing is comparing texts. */
function canonical(list: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(list).map(([name, text]) => [name, canonicalQuantity(text)]))
}

function addresses({ nodeIPs, host, nodeName }: NodeStatusInput): NodeAddress[] {
  const { hostname } = host.facts
  const hostAddress = hostname === "" ? nodeName : hostname
  return [
    ...nodeIPs.filter(isValidIP).map((address) => ({ type: "InternalIP", address })),
    { type: "Hostname", address: hostAddress },
  ]
}

/** Whether the runtime and its network are ready, or why not. */
function runtimeProblems({ status, error }: RuntimeFacts): string[] {
  if (error !== undefined) return [`container runtime status check failed: ${error}`]
  if (!status) return ["container runtime status check may not have completed yet"]
  const out: string[] = []
  for (const [type, what] of [
    ["RuntimeReady", "container runtime not ready"],
    ["NetworkReady", "container runtime network not ready"],
  ] as const) {
    const condition = status.status?.conditions.find((candidate) => candidate.type === type)
    if (condition?.status) continue
    const { reason = "", message = "" } = condition ?? {}
    out.push(`${what}: ${type}=false reason:${reason} message:${message}`)
  }
  return out
}

function conditions(input: NodeStatusInput, previous: readonly NodeCondition[]): NodeCondition[] {
  const { pressure } = input
  const problems = [...runtimeProblems(input.runtime), ...input.problems]
  const own: Omit<NodeCondition, "lastHeartbeatTime" | "lastTransitionTime">[] = [
    pressure.memory
      ? [
          "MemoryPressure",
          "True",
          "KubeletHasInsufficientMemory",
          "kubelet has insufficient memory available",
        ]
      : ["MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
    pressure.disk
      ? ["DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure"]
      : ["DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
    pressure.pid
      ? ["PIDPressure", "True", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"]
      : ["PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"],
    problems.length === 0
      ? ["Ready", "True", "KubeletReady", "kubelet is posting ready status"]
      : [
          "Ready",
          "False",
          "KubeletNotReady",
          problems.length === 1 ? problems[0]! : `[${problems.join(", ")}]`,
        ],
  ].map(([type, status, reason, message]) => ({
    type: type!,
    status: status!,
    reason: reason!,
    message: message!,
  }))
  const now = formatTime(input.nowMs)
  const mine = own.map((condition) => {
    const before = previous.find(({ type }) => type === condition.type)
    const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : now
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime: lastTransitionTime ?? now }
  })
  const others = previous.filter(({ type }) => !own.some((condition) => condition.type === type))
  return [...others, ...mine]
}

function runtimeHandlers({ status }: RuntimeFacts): NodeRuntimeHandler[] {
  return (status?.runtimeHandlers ?? []).map(({ name, features }) => ({
    name,
    ...(features
      ? {
          features: {
            recursiveReadOnlyMounts: features.recursiveReadOnlyMounts,
            // Pods that ask for one are refused, whatever the runtime could do.
            userNamespaces: false,
          },
        }
      : {}),
  }))
}

const maxImages = 50
const maxNamesPerImage = 5

/** The largest images, as the status shows them. */
export function imagesStatus(response: RuntimeResponse<"listImages">): ContainerImage[] {
  return [...response.images]
    .filter((image) => image.repoDigests.length > 0 || image.repoTags.length > 0)
    .sort((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1))
    .slice(0, maxImages)
    .map((image) => ({
      names: [...image.repoDigests, ...image.repoTags].slice(0, maxNamesPerImage),
      sizeBytes: image.size,
    }))
}

/** The labels that a node gives itself. */
export function nodeLabels(nodeHostname: string, facts: HostFacts): Record<string, string> {
  return {
    "kubernetes.io/hostname": nodeHostname,
    "kubernetes.io/os": facts.operatingSystem,
    "kubernetes.io/arch": facts.architecture,
    "beta.kubernetes.io/os": facts.operatingSystem,
    "beta.kubernetes.io/arch": facts.architecture,
  }
}
