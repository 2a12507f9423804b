/**
 * Starts one container: image, configuration, creation, start, postStart hook.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_container.go (startContainer)
 */
import type { Container, EphemeralContainer, Pod } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { partOf } from "@knarr/client"
import type { MountedVolume } from "../contract.ts"
import type { WantedImage } from "../images/image-manager.ts"
import type { Image } from "../runtime/cri.gen.ts"
import { containerConfig, type ContainerConfig } from "./container-config.ts"
import { fieldPathOf, legacyLogLink } from "./container-paths.ts"
import { runHook } from "./lifecycle-hooks.ts"
import { latestContainer, type RuntimePod, type RuntimePods } from "./runtime-pod.ts"
import type { SandboxConfig } from "./sandbox-config.ts"
import type { PodWorkerParts } from "./settings.ts"
import { StartError } from "./start-error.ts"
import { stopContainers, type StopMemory } from "./stop-containers.ts"

export interface StartContext {
  readonly pod: Readonly<Pod>
  readonly runtime: RuntimePod
  readonly sandboxId: string
  readonly sandboxConfig: SandboxConfig
  readonly podIPs: readonly string[]
  readonly volumes: ReadonlyMap<string, MountedVolume>
  readonly parts: PodWorkerParts
  readonly pods: RuntimePods
  readonly memory: StopMemory
}

/** What the container says of its image. */
export function wantedImage({ image = "", imagePullPolicy }: Readonly<Container>): WantedImage {
  return { name: image, policy: imagePullPolicy }
}

/** The id of the started container. Throws a {@link StartError}. */
export async function startContainer(
  container: Readonly<Container>,
  context: StartContext,
  signal: AbortSignal,
): Promise<string> {
  const { pod, sandboxId, sandboxConfig, podIPs, parts, pods } = context
  const { runtime, events, host, settings, images } = parts
  const fieldPath = fieldPathOf(pod, container.name)
  const event = (type: "Normal" | "Warning", reason: string, message: string): void =>
    events.event(partOf(pod, fieldPath), type, reason, message)
  const fail = (reason: string, thrown: unknown): never => {
    signal.throwIfAborted()
    const message = messageOf(thrown)
    event("Warning", "Failed", `Error: ${message}`)
    throw new StartError(reason, message, undefined, { cause: thrown })
  }

  let image: Image
  try {
    image = await images.ensure(
      { ...wantedImage(container), pod, subject: partOf(pod, fieldPath), sandboxConfig },
      signal,
    )
  } catch (thrown) {
    if (thrown instanceof StartError) event("Warning", "Failed", `Error: ${thrown.reason}`)
    throw thrown
  }

  let config: ContainerConfig
  try {
    const restartCount = await nextRestartCount(container, context)
    const targetId = targetOf(container, context)
    config = await containerConfig(
      { pod, container, restartCount, image, volumes: context.volumes, podIPs, targetId, parts },
      signal,
    )
  } catch (thrown) {
    return fail("CreateContainerConfigError", thrown)
  }

  let containerId: string
  const logDir = sandboxConfig.logDirectory!
  try {
    await host.makeDir(`${logDir}/${container.name}`, 0o755)
    const created = await runtime.createContainer(
      { podSandboxId: sandboxId, config, sandboxConfig },
      { signal },
    )
    containerId = created.containerId
  } catch (thrown) {
    return fail("CreateContainerError", thrown)
  }
  pods.noteOwner(containerId, pod.metadata.uid)
  event("Normal", "Created", "Container created")

  try {
    await runtime.startContainer({ containerId }, { signal })
  } catch (thrown) {
    return fail("RunContainerError", thrown)
  }
  event("Normal", "Started", "Container started")
  if (settings.containerLogsDir !== "") {
    const { name, namespace } = pod.metadata
    const link = legacyLogLink(
      settings.containerLogsDir,
      { name, namespace: namespace! },
      container.name,
      containerId,
    )
    try {
      await host.symlink(`${logDir}/${config.logPath}`, link)
    } catch (thrown) {
      signal.throwIfAborted()
      parts.env.log.warn("Cannot link a log", { link, err: messageOf(thrown) })
    }
  }
  await postStart(container, containerId, context, signal)
  return containerId
}

async function postStart(
  container: Readonly<Container>,
  containerId: string,
  { pod, podIPs, parts, memory }: StartContext,
  signal: AbortSignal,
): Promise<void> {
  const hook = container.lifecycle?.postStart
  if (!hook) return
  const podIP = podIPs[0] ?? ""
  try {
    await runHook(hook, { pod, container, containerId, podIP }, parts, signal)
  } catch (thrown) {
    signal.throwIfAborted()
    const subject = partOf(pod, fieldPathOf(pod, container.name))
    parts.events.event(subject, "Warning", "FailedPostStartHook", "PostStartHook failed")
    await stopContainers(
      [{ container, containerId, message: "FailedPostStartHook" }],
      { pod, podIP, parts, memory },
      signal,
    )
    throw new StartError("PostStartHookError", messageOf(thrown), undefined, { cause: thrown })
  }
}

/** One more than the last; of containers that the runtime has lost, by the logs they left. */
async function nextRestartCount(container: Readonly<Container>, context: StartContext): Promise<number> {
  const last = latestContainer(context.runtime, container.name)
  if (last) return last.restartCount + 1
  const { host } = context.parts
  let next = 0
  for (const name of await host.list(`${context.sandboxConfig.logDirectory}/${container.name}`)) {
    const match = /^(\d+)\.log/.exec(name)
    if (match) next = Math.max(next, Number(match[1]) + 1)
  }
  return next
}

/** The container whose processes an ephemeral container looks at. */
function targetOf(container: Readonly<Container>, { runtime }: StartContext): string | undefined {
  const name = (container as EphemeralContainer).targetContainerName
  if (!name) return undefined
  const target = latestContainer(runtime, name)
  if (target?.state !== "running") throw new Error(`unable to find target container ${name}`)
  return target.id
}
