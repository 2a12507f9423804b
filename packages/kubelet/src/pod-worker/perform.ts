/**
 * Does to the runtime what the plan says, and no more.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod)
 */
import type { Container, Pod } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { partOf } from "@knarr/client"
import { isSidecar } from "@knarr/pod-rules"
import type { MountedVolume } from "../contract.ts"
import { isRuntimeNotFound } from "../runtime/container-runtime.ts"
import { formatGoDuration } from "@knarr/apimachinery"
import type { Backoffs } from "./backoffs.ts"
import { containerNamed, fieldPathOf } from "./container-paths.ts"
import { ImageVolumes } from "./image-volumes.ts"
import { hashContainer, podText } from "./labels.ts"
import type { PodActions } from "./plan.ts"
import type { RuntimePod, RuntimePods } from "./runtime-pod.ts"
import { sandboxConfig, type SandboxConfig } from "./sandbox-config.ts"
import { podLogDir, type PodWorkerParts } from "./settings.ts"
import { startContainer, wantedImage, type StartContext } from "./start-container.ts"
import { StartError, callErrorText } from "./start-error.ts"
import { stopContainers, type StopMemory } from "./stop-containers.ts"
import { requireNoUserNamespace } from "./unsupported.ts"

export interface PerformContext {
  readonly pod: Readonly<Pod>
  readonly runtime: RuntimePod
  readonly actions: PodActions
  readonly volumes: ReadonlyMap<string, MountedVolume>
  /** Of containers' restarts. */
  readonly backoff: Backoffs
  readonly parts: PodWorkerParts
  readonly pods: RuntimePods
  readonly memory: StopMemory
  /** Kept up to date: why containers were not started. */
  readonly failures: Map<string, StartError>
  /** Tells the pod's state as it is now, before something that takes long. */
  publish(signal: AbortSignal): Promise<void>
  /** A container has started. */
  started(container: Readonly<Container>, containerId: string, podIP: string): void
}

/** Rejects when the pod as a whole cannot go on; failures of single containers are left in `failures`. */
export async function performActions(context: PerformContext, signal: AbortSignal): Promise<void> {
  const { pod, runtime, actions, parts, pods } = context
  if (actions.killPod) {
    if (actions.createSandbox && actions.sandboxId !== undefined)
      parts.events.event(
        pod,
        "Normal",
        "SandboxChanged",
        "Pod sandbox changed, it will be killed and re-created.",
      )
    await killPod({ ...context, graceSeconds: undefined }, signal)
    if (!actions.createSandbox) return
    await removeInitContainers(context, signal)
  } else if (actions.kill.length > 0) {
    const podIP = addressesOf(context)[0] ?? ""
    for (const { container } of actions.kill) parts.probes.stop(pod.metadata.uid, container.name)
    await stopContainers(actions.kill, { ...context, podIP }, signal)
  }
  if (actions.restartAll) {
    for (const { id } of runtime.containers)
      await parts.runtime.removeContainer({ containerId: id }, { signal })
    return
  }
  if (actions.start.length + actions.startInit.length + actions.startEphemeral.length === 0) {
    if (!actions.createSandbox) return
  }

  let sandboxId = actions.sandboxId
  let podIPs = addressesOf(context)
  let config: SandboxConfig
  if (!actions.createSandbox) config = await sandboxConfig(pod, actions.attempt, parts)
  else {
    await prepareResources(context, signal)
    ;[sandboxId, config] = await createSandbox(context, signal)
    const { ips } = await pods.made(sandboxId, pod.metadata.uid, signal)
    if (!pod.spec.hostNetwork) podIPs = ips
  }
  const start: Start = {
    ...{ ...context, sandboxId: sandboxId!, sandboxConfig: config, podIPs },
    images: new ImageVolumes({ ...context, sandboxConfig: config }),
  }
  for (const container of actions.startEphemeral) await tryStart(container, start, context, signal)
  for (const container of actions.startInit) {
    const done = await tryStart(container, start, context, signal)
    // Those behind a failed init container have to wait; a sidecar is tried again beside them.
    if (!done && !isSidecar(container)) return
  }
  for (const container of actions.start) await tryStart(container, start, context, signal)
}

interface Start extends StartContext {
  readonly images: ImageVolumes
}

async function prepareResources({ pod, parts }: PerformContext, signal: AbortSignal): Promise<void> {
  try {
    await parts.prepareResources(pod, signal)
  } catch (thrown) {
    signal.throwIfAborted()
    const message = `Failed to prepare dynamic resources: ${messageOf(thrown)}`
    parts.events.event(pod, "Warning", "FailedPrepareDynamicResources", message)
    throw new Error(message, { cause: thrown })
  }
}

async function createSandbox(
  { pod, actions, parts }: PerformContext,
  signal: AbortSignal,
): Promise<[id: string, config: SandboxConfig]> {
  const { name, namespace, uid } = pod.metadata
  try {
    const runtimeHandler = await parts.runtimeHandler(pod, signal)
    requireNoUserNamespace(pod, runtimeHandler)
    const config = await sandboxConfig(pod, actions.attempt, parts)
    await parts.host.makeDir(podLogDir(parts.settings, namespace!, name, uid), 0o755)
    const { podSandboxId } = await parts.runtime.runPodSandbox({ config, runtimeHandler }, { signal })
    return [podSandboxId, config]
  } catch (thrown) {
    signal.throwIfAborted()
    const message = `Failed to create pod sandbox: ${callErrorText(thrown)}`
    parts.events.event(pod, "Warning", "FailedCreatePodSandBox", message)
    throw new Error(message, { cause: thrown })
  }
}

/** Whether the container was started. */
async function tryStart(
  container: Readonly<Container>,
  start: Start,
  context: PerformContext,
  signal: AbortSignal,
): Promise<boolean> {
  const { pod, parts, failures } = context
  try {
    waitOutBackoff(container, context)
    // The other containers of the pod have started by now; that must not wait for this image.
    const volumes = await start.images.volumesFor(container, signal)
    if (await parts.images.needsPull(wantedImage(container), signal)) await context.publish(signal)
    const id = await startContainer(
      container,
      volumes === start.volumes ? start : { ...start, volumes },
      signal,
    )
    failures.delete(container.name)
    context.started(container, id, start.podIPs[0] ?? "")
    return true
  } catch (thrown) {
    signal.throwIfAborted()
    const failure =
      thrown instanceof StartError ? thrown : new StartError("RunContainerError", callErrorText(thrown))
    failures.set(container.name, failure)
    parts.env.log.info("A container was not started", {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      container: container.name,
      reason: failure.reason,
      err: failure.message,
    })
    return false
  }
}

/** Throws `CrashLoopBackOff` while the container has to wait. */
function waitOutBackoff(container: Readonly<Container>, context: PerformContext): void {
  const { pod, runtime, backoff, parts } = context
  // Of a container that runs and was just killed, the one before it counts.
  const last = runtime.containers.find(({ name, state }) => name === container.name && state === "exited")
  if (!last) return
  const key = `${pod.metadata.uid}_${container.name}_${hashContainer(container)}`
  const nowMs = parts.env.clock.now()
  const waitMs = backoff.remainingMs(key, last.finishedAtMs, nowMs)
  if (waitMs <= 0) return backoff.next(key, last.finishedAtMs, nowMs)
  const text = podText(pod)
  const subject = partOf(pod, fieldPathOf(pod, container.name))
  const message = `Back-off restarting failed container ${container.name} in pod ${text}`
  parts.events.event(subject, "Warning", "BackOff", message)
  const delay = formatGoDuration(backoff.delayMs(key))
  throw new StartError(
    "CrashLoopBackOff",
    `back-off ${delay} restarting failed container=${container.name} pod=${text}`,
    waitMs,
  )
}

/** The pod's addresses; on the host's network those of the node. */
export function addressesOf({
  pod,
  runtime,
  parts,
}: Pick<PerformContext, "pod" | "runtime" | "parts">): readonly string[] {
  if (pod.spec.hostNetwork) return parts.settings.nodeIPs
  const newest = runtime.sandboxes[0]
  return newest?.ready ? newest.ips : []
}

/** Ends every container of the pod, then its sandboxes. */
export async function killPod(
  context: Pick<PerformContext, "pod" | "runtime" | "parts" | "memory"> & {
    readonly graceSeconds: number | undefined
  },
  signal: AbortSignal,
): Promise<void> {
  const { pod, runtime, parts } = context
  const running = runtime.containers.filter(({ state }) => state === "running" || state === "unknown")
  const targets = running.map(({ name, id }) => ({
    container: containerNamed(pod, name) ?? { name },
    containerId: id,
  }))
  try {
    await stopContainers(targets, { ...context, podIP: addressesOf(context)[0] ?? "" }, signal)
    for (const { id } of runtime.sandboxes)
      await parts.runtime.stopPodSandbox({ podSandboxId: id }, { signal })
  } catch (thrown) {
    signal.throwIfAborted()
    if (isRuntimeNotFound(thrown)) return
    const message = `error killing pod: ${callErrorText(thrown)}`
    parts.events.event(pod, "Warning", "FailedKillPod", message)
    throw new Error(message, { cause: thrown })
  }
}

/** In a new sandbox the pod begins from the start. */
async function removeInitContainers(
  { pod, runtime, parts }: PerformContext,
  signal: AbortSignal,
): Promise<void> {
  const init = new Set((pod.spec.initContainers ?? []).map(({ name }) => name))
  for (const { id, name } of runtime.containers)
    if (init.has(name)) await parts.runtime.removeContainer({ containerId: id }, { signal })
}
