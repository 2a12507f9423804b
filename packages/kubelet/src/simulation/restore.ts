/**
 * The containers of a simulated node, made again from what the API knows of its pods: the process that pretended to run
 * them may end at any moment, and no container of a real node would end with it.
 */
import type { Container, ContainerStatus, Pod } from "@knarr/api"
import { parseTime } from "@knarr/apimachinery"
import { isPodTerminal } from "@knarr/pod-rules"
import { completeMessage } from "../runtime/cri-codec.ts"
import type { SimulatedHost } from "../runtime/simulated-host.ts"
import { containerAnnotations, containerLabels, sandboxLabels } from "../pod-worker/labels.ts"

/** Gives `host` the sandbox and the containers that the pod's status tells of; nothing when it tells of none. */
export function restorePod(host: SimulatedHost, pod: Readonly<Pod>): void {
  const { metadata, spec, status } = pod
  if (isPodTerminal(pod)) return
  const specs = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
  const statuses = [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ]
  const found = statuses.flatMap((one) => {
    const container = specs.find(({ name }) => name === one.name) as Container | undefined
    const last = lastOf(one)
    return container && last ? [{ container, count: one.restartCount, ...last }] : []
  })
  if (found.length === 0 || (!spec.hostNetwork && !status.podIP)) return
  const { name, namespace = "", uid } = metadata
  const startedMs = Math.min(...found.map(({ startedAtMs }) => startedAtMs))
  const sandbox = host.restoreSandbox({
    config: completeMessage("PodSandboxConfig", {
      metadata: { name, namespace, uid, attempt: 0 },
      labels: sandboxLabels(pod),
      annotations: { ...metadata.annotations },
      linux: { securityContext: { namespaceOptions: { network: spec.hostNetwork ? "NODE" : "POD" } } },
    }),
    createdAtMs: parseTime(status.startTime ?? "") || startedMs,
    ip: spec.hostNetwork ? "" : status.podIP!,
  })
  for (const { container, count, ...rest } of found)
    host.restoreContainer(sandbox, {
      ...rest,
      imageName: container.image ?? "",
      config: completeMessage("ContainerConfig", {
        metadata: { name: container.name, attempt: count },
        image: { image: container.image ?? "", userSpecifiedImage: container.image ?? "" },
        labels: containerLabels(pod, container.name),
        annotations: containerAnnotations(pod, container, count),
        logPath: `${container.name}/${count}.log`,
      }),
    })
}

/** The container's newest instance, when it ever had one. */
function lastOf({ state, lastState, containerID }: ContainerStatus):
  | {
      readonly id: string
      readonly startedAtMs: number
      readonly ended:
        | { readonly atMs: number; readonly exitCode: number; readonly reason: string }
        | undefined
    }
  | undefined {
  const running = state?.running
  const terminated = state?.terminated ?? lastState?.terminated
  const id = (running ? containerID : (terminated?.containerID ?? containerID))?.replace(/^[^:]*:\/\//, "")
  if (!id) return undefined
  if (running) return { id, startedAtMs: parseTime(running.startedAt ?? "") || 0, ended: undefined }
  if (!terminated) return undefined
  const atMs = parseTime(terminated.finishedAt ?? "") || 0
  const { exitCode, reason = "" } = terminated
  return { id, startedAtMs: parseTime(terminated.startedAt ?? "") || 0, ended: { atMs, exitCode, reason } }
}
