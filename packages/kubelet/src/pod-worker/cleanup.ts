/**
 * Removes what pods leave behind: containers beyond the last ones, and everything of a pod that is gone.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_gc.go, pkg/kubelet/kubelet_volumes.go (cleanupOrphanedPodDirs)
 */
import { basename, dirname } from "node:path"
import type { Pod } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { legacyLogLink } from "./container-paths.ts"
import { possiblePodCgroups } from "./pod-cgroup.ts"
import { actionAfterExit } from "./restart-policy.ts"
import { latestContainer, type RuntimeContainer, type RuntimePod } from "./runtime-pod.ts"
import { podDir, podLogDir, type PodWorkerParts } from "./settings.ts"

/** Per name: the newest container, and the one before it for its log and last state. */
const keptPerName = 2

/** The containers and sandboxes that nobody needs any more while the pod lives. */
function superfluous(runtime: RuntimePod): { containers: RuntimeContainer[]; sandboxIds: string[] } {
  const counts = new Map<string, number>()
  const containers: RuntimeContainer[] = []
  const used = new Set<string>()
  for (const container of runtime.containers) {
    const count = (counts.get(container.name) ?? 0) + 1
    counts.set(container.name, count)
    if (count > keptPerName && container.state !== "running") containers.push(container)
    else used.add(container.sandboxId)
  }
  const sandboxIds = runtime.sandboxes
    .filter((sandbox, i) => i > 0 && !sandbox.ready && !used.has(sandbox.id))
    .map(({ id }) => id)
  return { containers, sandboxIds }
}

export async function removeSuperfluous(
  runtime: RuntimePod,
  parts: PodWorkerParts,
  signal: AbortSignal,
): Promise<void> {
  const { containers, sandboxIds } = superfluous(runtime)
  for (const container of containers) await removeContainer(container, runtime, parts, signal)
  for (const id of sandboxIds) await parts.runtime.removePodSandbox({ podSandboxId: id }, { signal })
}

/**
 * The containers that have ended and can be done without when the disk is full: all of a pod that has ended, and of
 * one that lives those before the last, and the last when another is going to take its place.
 */
export function expendable(pod: Readonly<Pod>, runtime: RuntimePod, podEnded: boolean): RuntimeContainer[] {
  const seen = new Set<string>()
  return runtime.containers.filter((container) => {
    const isNewest = !seen.has(container.name)
    seen.add(container.name)
    if (container.state !== "exited") return false
    if (podEnded || !isNewest) return true
    const spec = pod.spec.containers.find(({ name }) => name === container.name)
    return spec !== undefined && actionAfterExit(spec, pod, container.exitCode) === "restart"
  })
}

export async function removeExpendable(
  pod: Readonly<Pod>,
  runtime: RuntimePod,
  podEnded: boolean,
  parts: PodWorkerParts,
  signal: AbortSignal,
): Promise<void> {
  const newest = new Set(runtime.containers.map(({ name }) => latestContainer(runtime, name)))
  for (const container of expendable(pod, runtime, podEnded)) {
    // The log of the last one of a living pod tells how often it has started.
    const isCount = !podEnded && newest.has(container)
    await removeContainer(isCount ? { ...container, logPath: "" } : container, runtime, parts, signal)
  }
}

async function removeContainer(
  container: RuntimeContainer,
  runtime: RuntimePod,
  parts: PodWorkerParts,
  signal: AbortSignal,
): Promise<void> {
  await parts.runtime.removeContainer({ containerId: container.id }, { signal })
  if (container.logPath !== "") await removeLogs(container.logPath, parts)
  await removeLink(container, runtime, parts)
}

/** The log, and what it was before it was rotated. */
async function removeLogs(path: string, { host }: PodWorkerParts): Promise<void> {
  const dir = dirname(path)
  const name = basename(path)
  for (const other of await host.list(dir))
    if (other === name || other.startsWith(`${name}.`)) await host.remove(`${dir}/${other}`)
}

async function removeLink(
  container: RuntimeContainer,
  runtime: RuntimePod,
  { settings, host }: PodWorkerParts,
): Promise<void> {
  if (settings.containerLogsDir === "") return
  await host.remove(legacyLogLink(settings.containerLogsDir, runtime, container.name, container.id))
}

/** Removes the pod's cgroup and what sub-paths it had mounted. */
export async function releasePod(uid: string, parts: PodWorkerParts, signal: AbortSignal): Promise<void> {
  await parts.host.unbindUnder(`${podDir(parts.settings, uid)}/volume-subpaths`)
  await parts.volumes.unmount(uid, signal)
  for (const path of possiblePodCgroups(parts.settings, uid)) await parts.host.removeCgroup(path)
}

/** Removes containers, sandboxes, logs and files of a pod that has ended and is gone. */
export async function erasePod(
  runtime: RuntimePod,
  parts: PodWorkerParts,
  signal: AbortSignal,
): Promise<void> {
  const { settings, host, env } = parts
  for (const container of runtime.containers) await removeLink(container, runtime, parts)
  for (const { id } of runtime.sandboxes)
    await parts.runtime.removePodSandbox({ podSandboxId: id }, { signal })
  for (const { id, sandboxId } of runtime.containers) {
    if (runtime.sandboxes.some((sandbox) => sandbox.id === sandboxId)) continue
    await parts.runtime.removeContainer({ containerId: id }, { signal })
  }
  await host.remove(podLogDir(settings, runtime.namespace, runtime.name, runtime.uid))
  try {
    await host.remove(podDir(settings, runtime.uid))
  } catch (thrown) {
    signal.throwIfAborted()
    // What is still mounted there is not ours to delete; the next start of the kubelet tries again.
    env.log.warn("Cannot remove the folder of a pod", { uid: runtime.uid, err: messageOf(thrown) })
  }
}
