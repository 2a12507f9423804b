/** Former in-tree plugins, and the CSI drivers that do their work. Mirrors: csi-translation-lib plugins */
import type { PersistentVolume, PersistentVolumeSpec } from "@knarr/api"
import { tableOf } from "@knarr/base"

/** By the plugin's name. */
export const migratedDrivers: Readonly<Record<string, string>> = tableOf({
  "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
  "kubernetes.io/azure-disk": "disk.csi.azure.com",
  "kubernetes.io/azure-file": "file.csi.azure.com",
  "kubernetes.io/cinder": "cinder.csi.openstack.org",
  "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
  "kubernetes.io/portworx-volume": "pxd.portworx.com",
  "kubernetes.io/vsphere-volume": "csi.vsphere.vmware.com",
})

const sources: readonly (readonly [keyof PersistentVolumeSpec, plugin: string])[] = [
  ["awsElasticBlockStore", "kubernetes.io/aws-ebs"],
  ["azureDisk", "kubernetes.io/azure-disk"],
  ["azureFile", "kubernetes.io/azure-file"],
  ["cinder", "kubernetes.io/cinder"],
  ["gcePersistentDisk", "kubernetes.io/gce-pd"],
  ["portworxVolume", "kubernetes.io/portworx-volume"],
  ["vsphereVolume", "kubernetes.io/vsphere-volume"],
]

/** The former plugin that the volume is of, if any. */
export function migratedPluginOf({ spec }: Readonly<PersistentVolume>): string | undefined {
  return sources.find(([source]) => spec[source] !== undefined)?.[1]
}
