/** Sets up a volume that is made from objects. */
import {
  fsGroupOf,
  memoryFolderMode,
  type VolumeContext,
  type VolumeMountResult,
  type VolumePlugin,
} from "./volume.ts"

/** Collects the payload first, so that nothing is left on disk when that fails. */
export async function mountPayload(
  plugin: VolumePlugin,
  context: VolumeContext,
  medium: "disk" | "memory",
): Promise<VolumeMountResult> {
  const { dir, host, pod, signal } = context
  const payload = await plugin.payload!(context)
  let hostPath = dir
  if (medium === "memory") hostPath = await host.makeMemoryDirectory(dir, memoryFolderMode, signal)
  else await host.makeDirectory(dir, 0o777)
  const ownership = { fsGroup: fsGroupOf(pod), readOnly: true, onRootMismatch: false }
  await host.writePayload(hostPath, payload, ownership)
  return { hostPath, readOnly: true }
}
