/**
 * What is mounted into a container.
 * Mirrors: pkg/kubelet/kubelet_pods.go (makeMounts), pkg/kubelet/kuberuntime/kuberuntime_container.go
 */
import type { Container, Pod, VolumeMount } from "@knarr/api"
import type { MountedVolume } from "../contract.ts"
import type { RuntimeRequest } from "../runtime/container-runtime.ts"
import type { MountPropagation } from "../runtime/cri.gen.ts"
import { expand } from "./expansion.ts"
import { hostsFile } from "./hostname.ts"
import { isRecursivelyReadOnly } from "./unsupported.ts"
import { podDir, type PodWorkerParts } from "./settings.ts"

type ContainerConfig = NonNullable<RuntimeRequest<"createContainer">["config"]>
type Mount = NonNullable<ContainerConfig["mounts"]>[number]
type Device = NonNullable<ContainerConfig["devices"]>[number]

export interface MountContext {
  readonly pod: Readonly<Pod>
  readonly container: Readonly<Container>
  readonly volumes: ReadonlyMap<string, MountedVolume>
  readonly podIPs: readonly string[]
  readonly env: ReadonlyMap<string, string>
  /** Whether the pod's runtime handler can make mounts read-only with all that is below them. */
  readonly recursiveReadOnly: boolean
  readonly parts: Pick<PodWorkerParts, "env" | "settings" | "host">
}

/** Prepares files and sub-paths and answers the mounts. Throws with the message of `CreateContainerConfigError`. */
export async function containerMounts(context: MountContext): Promise<Mount[]> {
  const { pod, container, parts } = context
  const { settings, host } = parts
  const dir = podDir(settings, pod.metadata.uid)
  const mounts: Mount[] = []
  let ownHosts = false
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    const path = mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`
    if (path === "/etc/hosts") ownHosts = true
    mounts.push({
      containerPath: path,
      hostPath: await sourceOf(mount, i, context),
      readonly: mount.readOnly === true || context.volumes.get(mount.name)?.readOnly === true,
      propagation: propagationOf(mount.mountPropagation),
      recursiveReadOnly: isRecursivelyReadOnly(mount, context.recursiveReadOnly),
    })
  }
  if (!ownHosts && context.podIPs.length > 0) {
    const path = `${dir}/etc-hosts`
    const hostText = pod.spec.hostNetwork ? await host.etcHosts() : ""
    await host.writeFile(path, hostsFile(pod, context.podIPs, settings.clusterDomain, hostText), 0o644)
    mounts.push({ containerPath: "/etc/hosts", hostPath: path })
  }
  if (container.terminationMessagePath) {
    const id = Buffer.from(parts.env.random.bytes(4)).toString("hex")
    const path = `${dir}/containers/${container.name}/${id}`
    // Whoever the container runs as must be able to write it.
    await host.writeFile(path, "", 0o666)
    mounts.push({ containerPath: container.terminationMessagePath, hostPath: path })
  }
  return mounts
}

export function containerDevices({ container, volumes }: MountContext): Device[] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }) => {
    const volume = volumes.get(name)
    if (!volume) throw new Error(`cannot find volume "${name}" to pass into container "${container.name}"`)
    return {
      hostPath: volume.hostPath,
      containerPath: devicePath,
      permissions: volume.readOnly ? "r" : "mrw",
    }
  })
}

async function sourceOf(mount: Readonly<VolumeMount>, index: number, context: MountContext): Promise<string> {
  const { pod, container, volumes, parts, env } = context
  const volume = volumes.get(mount.name)
  if (!volume)
    throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`)
  let subPath = mount.subPath ?? ""
  if (mount.subPathExpr) {
    const missing = new Set<string>()
    subPath = expand(mount.subPathExpr, (name) => {
      const value = env.get(name)
      if (value === undefined) missing.add(name)
      return value
    })
    if (missing.size > 0)
      throw new Error(
        `failed to prepare subPathExpr for volumeMount "${mount.name}" of container "${container.name}": missing value for ${[...missing].map((name) => `"${name}"`).join(", ")}`,
      )
  }
  if (subPath === "") return volume.hostPath
  if (subPath.startsWith("/")) throw new Error(`error SubPath \`${subPath}\` must not be an absolute path`)
  if (subPath.split("/").includes(".."))
    throw new Error(`unable to provision SubPath \`${subPath}\`: must not contain '..'`)
  const { host, settings } = parts
  const target = `${podDir(settings, pod.metadata.uid)}/volume-subpaths/${mount.name}/${container.name}/${index}`
  try {
    return await host.bindSubPath(volume.hostPath, subPath, target)
  } catch (thrown) {
    const message = `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}"`
    throw new Error(message, { cause: thrown })
  }
}

function propagationOf(mode: string | undefined): MountPropagation {
  switch (mode) {
    case "Bidirectional":
      return "PROPAGATION_BIDIRECTIONAL"
    case "HostToContainer":
      return "PROPAGATION_HOST_TO_CONTAINER"
    default:
      return "PROPAGATION_PRIVATE"
  }
}
