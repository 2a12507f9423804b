/** What attaching needs to know of a volume. Mirrors: pkg/volume/csi/csi_attacher.go (getAttachmentName), pkg/volume/util/util.go */
import { createHash } from "node:crypto"
import type { CSIDriver, PersistentVolume } from "@knarr/api"

export interface AttachableVolume {
  /** The PersistentVolume's. */
  readonly name: string
  readonly driver: string
  readonly handle: string
  /** As nodes' statuses have it. */
  readonly uniqueName: string
  /** Whether several nodes may have it at once. Who says nothing of how it is accessed leaves that to the driver. */
  readonly onSeveralNodes: boolean
}

/** Undefined: nobody attaches such a volume. A driver that is not registered is taken for one that attaches. */
export function attachableVolume(
  { metadata, spec }: Readonly<PersistentVolume>,
  driver: Readonly<CSIDriver> | undefined,
): AttachableVolume | undefined {
  if (!spec.csi || driver?.spec.attachRequired === false) return undefined
  const { driver: driverName, volumeHandle } = spec.csi
  const modes = spec.accessModes ?? []
  return {
    name: metadata.name,
    driver: driverName,
    handle: volumeHandle,
    uniqueName: `kubernetes.io/csi/${driverName}^${volumeHandle}`,
    onSeveralNodes: modes.length === 0 || modes.includes("ReadWriteMany") || modes.includes("ReadOnlyMany"),
  }
}

/** Of the VolumeAttachment that brings the volume to the node. */
export function attachmentName({ handle, driver }: AttachableVolume, nodeName: string): string {
  return `csi-${createHash("sha256").update(`${handle}${driver}${nodeName}`).digest("hex")}`
}
