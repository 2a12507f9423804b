/** The runtime's interface to a {@link SimulatedHost}: no processes, no network, the Env's clock. */
import { abortable } from "@knarr/base"
import { grpcCodes, type MessageInit } from "@knarr/grpc"
import { completeMessage as complete } from "./cri-codec.ts"
import {
  RuntimeError,
  type ContainerRuntime,
  type RuntimeCall,
  type RuntimeEvent,
  type RuntimeRequest,
  type RuntimeResponse,
} from "./container-runtime.ts"
import type { ContainerStats, CriMessages, PodSandboxStats } from "./cri.gen.ts"
import { criMethods } from "./cri.gen.ts"
import { SimulatedHost, type ContainerRecord, type SandboxRecord } from "./simulated-host.ts"

/**
 * A client of `host`. Several may be open; closing one leaves the host's containers running, as a restart of the
 * kubelet does.
 */
export function createSimulatedRuntime(host: SimulatedHost): ContainerRuntime {
  const closing = new AbortController()
  const calls: Record<string, unknown> = {}
  for (const name of Object.keys(handlers) as RuntimeCall[]) {
    const [, requestName] = criMethods[name]
    calls[name] = async (init: RuntimeRequest<typeof name>, { signal }: { signal: AbortSignal }) => {
      signal.throwIfAborted()
      if (closing.signal.aborted)
        throw new RuntimeError(name, grpcCodes.unavailable, "The connection is closed")
      const request = complete(requestName, init as MessageInit<CriMessages[typeof requestName]>)
      return handlers[name](host, request as never, signal)
    }
  }
  return {
    ...(calls as Omit<ContainerRuntime, "events" | "close">),
    events: (signal) => watch(host, signal, closing.signal),
    async close() {
      closing.abort()
    },
  }
}

async function* watch(
  host: SimulatedHost,
  signal: AbortSignal,
  closing: AbortSignal,
): AsyncGenerator<RuntimeEvent> {
  if (signal.aborted || closing.aborted) return
  const channel = host.watch()
  const stop = (): void => host.unwatch(channel)
  signal.addEventListener("abort", stop, { once: true })
  closing.addEventListener("abort", stop, { once: true })
  try {
    for await (const event of channel) {
      if (signal.aborted) return
      yield event
    }
  } finally {
    stop()
    signal.removeEventListener("abort", stop)
    closing.removeEventListener("abort", stop)
  }
}

type Handlers = {
  readonly [Call in RuntimeCall]: (
    host: SimulatedHost,
    request: CriMessages[(typeof criMethods)[Call][1]],
    signal: AbortSignal,
  ) => RuntimeResponse<Call> | Promise<RuntimeResponse<Call>>
}

const handlers: Handlers = {
  version: () => ({
    version: "0.1.0",
    runtimeName: "simulated",
    runtimeVersion: "1.0.0",
    runtimeApiVersion: "v1",
  }),
  status: () =>
    complete("StatusResponse", {
      status: {
        conditions: [
          { type: "RuntimeReady", status: true },
          { type: "NetworkReady", status: true },
        ],
      },
    }),
  updateRuntimeConfig(host, { runtimeConfig }) {
    const cidr = runtimeConfig?.networkConfig?.podCidr.split(",").find((item) => item.includes("."))
    if (cidr) host.setPodCIDR(cidr)
    return {}
  },
  runPodSandbox(host, { config, runtimeHandler }) {
    if (!config?.metadata)
      throw new RuntimeError(
        "RunPodSandbox",
        grpcCodes.invalidArgument,
        "sandbox config must include metadata",
      )
    return { podSandboxId: host.runSandbox(config, runtimeHandler).id }
  },
  stopPodSandbox(host, { podSandboxId }) {
    const sandbox = host.sandboxes.get(podSandboxId)
    if (sandbox) host.stopSandbox(sandbox)
    return {}
  },
  removePodSandbox(host, { podSandboxId }) {
    const sandbox = host.sandboxes.get(podSandboxId)
    if (sandbox) host.removeSandbox(sandbox)
    return {}
  },
  podSandboxStatus(host, { podSandboxId }) {
    const sandbox = sandboxOf(host, podSandboxId)
    return complete("PodSandboxStatusResponse", {
      status: {
        id: sandbox.id,
        metadata: sandbox.config.metadata,
        state: sandbox.state,
        createdAt: nanos(sandbox.createdAtMs),
        network: { ip: sandbox.state === "SANDBOX_READY" ? sandbox.ip : "" },
        linux: { namespaces: { options: sandbox.config.linux?.securityContext?.namespaceOptions } },
        labels: sandbox.config.labels,
        annotations: sandbox.config.annotations,
        runtimeHandler: sandbox.runtimeHandler,
      },
    })
  },
  listPodSandbox(host, { filter }) {
    const items = [...host.sandboxes.values()].filter(
      (sandbox) =>
        (!filter?.id || sandbox.id === filter.id) &&
        (!filter?.state || sandbox.state === filter.state.state) &&
        matches(filter?.labelSelector, sandbox.config.labels),
    )
    return complete("ListPodSandboxResponse", {
      items: items.map((sandbox) => ({
        id: sandbox.id,
        metadata: sandbox.config.metadata,
        state: sandbox.state,
        createdAt: nanos(sandbox.createdAtMs),
        labels: sandbox.config.labels,
        annotations: sandbox.config.annotations,
        runtimeHandler: sandbox.runtimeHandler,
      })),
    })
  },
  createContainer(host, { podSandboxId, config }) {
    const sandbox = sandboxOf(host, podSandboxId)
    if (!config?.metadata)
      throw new RuntimeError("CreateContainer", grpcCodes.unknown, "container config must include metadata")
    return { containerId: host.createContainer(sandbox, config).id }
  },
  async startContainer(host, { containerId }, signal) {
    await host.startContainer(containerOf(host, containerId), signal)
    return {}
  },
  async stopContainer(host, { containerId, timeout }, signal) {
    const container = host.containers.get(containerId)
    if (container) await host.stopContainer(container, Math.max(timeout, 0) * 1000, signal)
    return {}
  },
  removeContainer(host, { containerId }) {
    const container = host.containers.get(containerId)
    if (container) host.removeContainer(container)
    return {}
  },
  listContainers(host, { filter }) {
    const found = [...host.containers.values()].filter(
      (container) =>
        (!filter?.id || container.id === filter.id) &&
        (!filter?.state || container.state === filter.state.state) &&
        (!filter?.podSandboxId || container.sandbox.id === filter.podSandboxId) &&
        matches(filter?.labelSelector, container.config.labels),
    )
    return complete("ListContainersResponse", {
      containers: found.map((container) => ({
        id: container.id,
        podSandboxId: container.sandbox.id,
        metadata: container.config.metadata,
        image: container.config.image,
        imageRef: container.image.id,
        imageId: container.image.id,
        state: container.state,
        createdAt: nanos(container.createdAtMs),
        labels: container.config.labels,
        annotations: container.config.annotations,
      })),
    })
  },
  containerStatus(host, { containerId }) {
    const container = containerOf(host, containerId)
    const { config } = container
    const logPath = config.logPath === "" ? "" : `${container.sandbox.config.logDirectory}/${config.logPath}`
    return complete("ContainerStatusResponse", {
      status: {
        id: container.id,
        metadata: config.metadata,
        state: container.state,
        createdAt: nanos(container.createdAtMs),
        startedAt: nanos(container.startedAtMs),
        finishedAt: nanos(container.finishedAtMs),
        exitCode: container.exitCode,
        image: { image: container.image.repoTags[0] ?? config.image?.image },
        imageRef: container.image.repoDigests[0] ?? container.image.id,
        imageId: container.image.id,
        reason: container.reason,
        labels: config.labels,
        annotations: config.annotations,
        mounts: config.mounts,
        logPath,
        resources: { linux: config.linux?.resources },
      },
    })
  },
  updateContainerResources(host, { containerId, linux }) {
    const { config } = containerOf(host, containerId)
    if (linux) (config.linux ??= complete("LinuxContainerConfig", {})).resources = linux
    return {}
  },
  async execSync(host, { containerId, cmd, timeout }, signal) {
    const container = containerOf(host, containerId)
    if (container.state !== "CONTAINER_RUNNING")
      throw new RuntimeError("ExecSync", grpcCodes.unknown, `container is in ${container.state} state`)
    const {
      exitCode = 0,
      stdout = "",
      stderr = "",
      delayMs = 0,
    } = host.options.exec?.(host.view(container), cmd) ?? {}
    const limitMs = timeout * 1000
    if (timeout > 0 && delayMs > limitMs) {
      await host.env.clock.sleep(limitMs, signal)
      const message = `failed to exec in container: timeout ${timeout}s exceeded: context deadline exceeded`
      throw new RuntimeError("ExecSync", grpcCodes.deadlineExceeded, message)
    }
    if (delayMs > 0) await host.env.clock.sleep(delayMs, signal)
    return { exitCode, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) }
  },
  exec: () => noStreams("Exec"),
  attach: () => noStreams("Attach"),
  portForward: () => noStreams("PortForward"),
  containerStats: (host, { containerId }) => ({ stats: statsOf(host, containerOf(host, containerId)) }),
  listContainerStats(host, { filter }) {
    const found = [...host.containers.values()].filter(
      (container) =>
        container.state === "CONTAINER_RUNNING" &&
        (!filter?.id || container.id === filter.id) &&
        (!filter?.podSandboxId || container.sandbox.id === filter.podSandboxId) &&
        matches(filter?.labelSelector, container.config.labels),
    )
    return { stats: found.map((container) => statsOf(host, container)) }
  },
  podSandboxStats: (host, { podSandboxId }) => ({
    stats: sandboxStatsOf(host, sandboxOf(host, podSandboxId)),
  }),
  listPodSandboxStats(host, { filter }) {
    const found = [...host.sandboxes.values()].filter(
      (sandbox) =>
        sandbox.state === "SANDBOX_READY" &&
        (!filter?.id || sandbox.id === filter.id) &&
        matches(filter?.labelSelector, sandbox.config.labels),
    )
    return { stats: found.map((sandbox) => sandboxStatsOf(host, sandbox)) }
  },
  reopenContainerLog(host, { containerId }) {
    containerOf(host, containerId)
    return {}
  },
  listImages(host, { filter }) {
    const wanted = filter?.image?.image
    const image = wanted ? host.findImage(wanted) : undefined
    return complete("ListImagesResponse", {
      images: wanted ? (image ? [image] : []) : [...host.images.values()],
    })
  },
  imageStatus: (host, { image }) =>
    complete("ImageStatusResponse", { image: host.findImage(image?.image ?? "") }),
  async pullImage(host, { image }, signal) {
    const pulled = await abortable(host.pullImage(image?.image ?? "", signal), signal)
    return { imageRef: pulled.id }
  },
  removeImage(host, { image }) {
    const found = host.findImage(image?.image ?? "")
    if (found) host.images.delete(found.id)
    return {}
  },
  imageFsInfo(host) {
    let size = 0
    for (const image of host.images.values()) size += image.size
    const usage = {
      timestamp: nanos(host.env.clock.now()),
      fsId: { mountpoint: "/simulated" },
      usedBytes: { value: size },
      inodesUsed: { value: host.images.size },
    }
    return complete("ImageFsInfoResponse", { imageFilesystems: [usage], containerFilesystems: [usage] })
  },
}

function noStreams(call: string): never {
  throw new RuntimeError(call, grpcCodes.unimplemented, "A simulated container has no streams")
}

function sandboxOf(host: SimulatedHost, id: string): SandboxRecord {
  const sandbox = host.sandboxes.get(id)
  if (sandbox) return sandbox
  const message = `an error occurred when try to find sandbox "${id}": not found`
  throw new RuntimeError("PodSandboxStatus", grpcCodes.notFound, message)
}

function containerOf(host: SimulatedHost, id: string): ContainerRecord {
  const container = host.containers.get(id)
  if (container) return container
  const message = `an error occurred when try to find container "${id}": not found`
  throw new RuntimeError("ContainerStatus", grpcCodes.notFound, message)
}

function statsOf(host: SimulatedHost, container: ContainerRecord): ContainerStats {
  const { cpuNanoCores = 1_000_000, memoryBytes = 10 * 1024 * 1024 } = container.behaviour
  const running = container.state === "CONTAINER_RUNNING"
  const now = host.env.clock.now()
  const seconds =
    container.startedAtMs === 0
      ? 0
      : ((running ? now : container.finishedAtMs) - container.startedAtMs) / 1000
  const timestamp = nanos(now)
  const memory = { value: running ? memoryBytes : 0 }
  return complete("ContainerStats", {
    attributes: {
      id: container.id,
      metadata: container.config.metadata,
      labels: container.config.labels,
      annotations: container.config.annotations,
    },
    cpu: {
      timestamp,
      usageCoreNanoSeconds: { value: Math.round(seconds * cpuNanoCores) },
      usageNanoCores: { value: running ? cpuNanoCores : 0 },
    },
    memory: { timestamp, workingSetBytes: memory, usageBytes: memory, rssBytes: memory },
    writableLayer: {
      timestamp,
      fsId: { mountpoint: "/simulated" },
      usedBytes: { value: 0 },
      inodesUsed: { value: 0 },
    },
  })
}

function sandboxStatsOf(host: SimulatedHost, sandbox: SandboxRecord): PodSandboxStats {
  const containers = [...host.containers.values()]
    .filter((container) => container.sandbox === sandbox && container.state === "CONTAINER_RUNNING")
    .map((container) => statsOf(host, container))
  const timestamp = nanos(host.env.clock.now())
  const sum = (read: (stats: ContainerStats) => number | undefined): { value: number } => ({
    value: containers.reduce((total, stats) => total + (read(stats) ?? 0), 0),
  })
  return complete("PodSandboxStats", {
    attributes: {
      id: sandbox.id,
      metadata: sandbox.config.metadata,
      labels: sandbox.config.labels,
      annotations: sandbox.config.annotations,
    },
    linux: {
      cpu: {
        timestamp,
        usageCoreNanoSeconds: sum((stats) => stats.cpu?.usageCoreNanoSeconds?.value),
        usageNanoCores: sum((stats) => stats.cpu?.usageNanoCores?.value),
      },
      memory: {
        timestamp,
        workingSetBytes: sum((stats) => stats.memory?.workingSetBytes?.value),
        usageBytes: sum((stats) => stats.memory?.usageBytes?.value),
      },
      network: {
        timestamp,
        defaultInterface: { name: "eth0", rxBytes: { value: 0 }, txBytes: { value: 0 } },
      },
      process: { timestamp, processCount: { value: containers.length + 1 } },
      containers,
    },
  })
}

function matches(
  selector: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false
  return true
}

function nanos(ms: number): number {
  return ms * 1e6
}
