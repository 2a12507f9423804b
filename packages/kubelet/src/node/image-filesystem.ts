/** Where the runtime keeps images and containers' layers. Mirrors: pkg/kubelet/stats/cri_stats_provider.go (ImageFsDevice) */
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import type { FilesystemUse, NodeHost } from "./node-host.ts"

/** Its use; undefined when it is the file system of the kubelet's root folder. */
export function createImageFilesystem(
  runtime: ContainerRuntime,
  host: NodeHost,
): (signal: AbortSignal) => Promise<FilesystemUse | undefined> {
  let mountpoint: string | undefined
  return async (signal) => {
    mountpoint ??= (await runtime.imageFsInfo({}, { signal })).imageFilesystems[0]?.fsId?.mountpoint
    if (!mountpoint) return undefined
    const use = host.filesystem(mountpoint)
    return use.device === host.filesystem().device ? undefined : use
  }
}
