/**
 * The container that a pod asks for, as the runtime takes it.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_container.go (generateContainerConfig)
 */
import type { Container, Pod } from "@knarr/api"
import type { MountedVolume } from "../contract.ts"
import type { RuntimeRequest } from "../runtime/container-runtime.ts"
import type { Image, Signal } from "../runtime/cri.gen.ts"
import { containerDevices, containerMounts } from "./container-mounts.ts"
import { containerEnv } from "./container-env.ts"
import { expand } from "./expansion.ts"
import { containerAnnotations, containerLabels, isStaticPod, podText } from "./labels.ts"
import { containerResources } from "./linux-resources.ts"
import { containerSecurity, effectiveSecurityContext, verifyRunAsNonRoot } from "./security-context.ts"
import type { PodWorkerParts } from "./settings.ts"

export type ContainerConfig = NonNullable<RuntimeRequest<"createContainer">["config"]>

export interface ContainerContext {
  readonly pod: Readonly<Pod>
  readonly container: Readonly<Container>
  readonly restartCount: number
  readonly image: Image
  readonly volumes: ReadonlyMap<string, MountedVolume>
  readonly podIPs: readonly string[]
  /** Of an ephemeral container: whose processes it sees. */
  readonly targetId?: string | undefined
  readonly parts: PodWorkerParts
}

/** Throws with the message of `CreateContainerConfigError`. */
export async function containerConfig(
  context: ContainerContext,
  signal: AbortSignal,
): Promise<ContainerConfig> {
  const { pod, container, restartCount, image, volumes, podIPs, parts } = context
  const { settings, host, objects } = parts
  const user = userOf(image)
  const security = effectiveSecurityContext(pod, container)
  verifyRunAsNonRoot(podText(pod), container, security, user)

  // Static pods start without an API server, too: one of them may be it.
  if (!isStaticPod(pod)) await objects.servicesSynced(signal)
  const env = await containerEnv(pod, container, {
    objects,
    context: {
      nodeName: settings.nodeName,
      hostIPs: settings.nodeIPs,
      podIPs,
      allocatable: parts.node()?.allocatable ?? {},
    },
    readFile: async (volume, path) => {
      const mounted = volumes.get(volume)
      return mounted && host.readFile(`${mounted.hostPath}/${path}`)
    },
    signal,
  })
  const lookup = (name: string): string | undefined => env.get(name)
  const recursiveReadOnly = (container.volumeMounts ?? []).some((mount) => mount.recursiveReadOnly)
    ? parts.features().recursiveReadOnlyHandlers.includes(await parts.runtimeHandler(pod, signal))
    : false
  const mountContext = { pod, container, volumes, podIPs, env, recursiveReadOnly, parts }
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: image.id, userSpecifiedImage: container.image ?? "" },
    command: (container.command ?? []).map((text) => expand(text, lookup)),
    args: (container.args ?? []).map((text) => expand(text, lookup)),
    workingDir: container.workingDir ?? "",
    envs: [...env].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: await containerMounts(mountContext),
    devices: containerDevices(mountContext),
    labels: containerLabels(pod, container.name),
    annotations: containerAnnotations(pod, container, restartCount),
    logPath: `${container.name}/${restartCount}.log`,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    ...(container.lifecycle?.stopSignal
      ? {
          stopSignal:
            `SIGNAL_${container.lifecycle.stopSignal.replace("RTMIN+", "RTMINPLUS").replace("RTMAX-", "RTMAXMINUS")}` as Signal,
        }
      : {}),
    linux: {
      resources: containerResources(pod, container, settings),
      securityContext: containerSecurity(
        pod,
        container,
        user,
        { seccompRoot: `${settings.rootDir}/seccomp`, seccompDefault: settings.seccompDefault },
        context.targetId,
      ),
    },
  }
}

/** Whom the image runs as; an image that says nothing runs as root. */
function userOf(image: Image): { uid: number | undefined; username: string } {
  if (image.uid) return { uid: image.uid.value, username: "" }
  return image.username === "" ? { uid: 0, username: "" } : { uid: undefined, username: image.username }
}
