/**
 * Whether a volume has been brought to this node. That is a controller's and a driver's work: here it is only asked for.
 * Mirrors: pkg/volume/csi/csi_attacher.go (WaitForAttach)
 */
import { volumeAttachment } from "@knarr/api"
import { messageOf } from "@knarr/base"
import type { Client } from "@knarr/client"
import type { VolumeData, VolumePlugin, VolumeSpec } from "@knarr/volume"

/** What is said of the attached device. Rejects while it is not attached; whoever asks tries again. */
export async function attachedDevice(
  client: Client,
  plugin: VolumePlugin,
  spec: VolumeSpec,
  nodeName: string,
  signal: AbortSignal,
): Promise<VolumeData> {
  if (!plugin.attach) return {}
  const { name, handle } = plugin.attach.attachment(spec, nodeName)
  const { metadata, status } = await client
    .get(volumeAttachment, { name }, { signal })
    .catch((thrown: unknown) => {
      throw new Error(`volume ${handle} has GET error for volume attachment ${name}: ${messageOf(thrown)}`, {
        cause: thrown,
      })
    })
  if (metadata.deletionTimestamp) throw new Error("volume attachment is being deleted")
  if (status?.attached) return status.attachmentMetadata ?? {}
  throw new Error(
    status?.attachError?.message ?? `volume ${handle} is not attached for volume attachment ${name}`,
  )
}
