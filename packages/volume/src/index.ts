/** Volumes: the plugin contract, the plugins, and what they do to a machine. */
export {
  type Attaching,
  type PodCredentials,
  type StageContext,
  type Staging,
  type UnpublishContext,
  type UnstageContext,
  type VolumeContext,
  type VolumeData,
  type VolumeMountResult,
  type VolumePlugin,
  type VolumePluginSpec,
  type VolumeReader,
  type VolumeReferences,
  type VolumeSpec,
  defineVolume,
  fsGroupOf,
  fsUserOf,
  isBlock,
  podVolume,
} from "./volume.ts"
export { pluginFolder, pluginFor, volumePlugins } from "./plugins.ts"
export { type Payload, type PayloadFile, payloadsEqual } from "./payload.ts"
export { type Ownership, type VolumeHost, type VolumeUsage, simulatedVolumeHost } from "./volume-host.ts"
export { type LinuxVolumeHostOptions, createLinuxVolumeHost } from "./linux-host.ts"
export { type ImageSnapshots, type SnapshotMount } from "./image-snapshots.ts"
export { imageVolume } from "./plugins/image.volume.ts"
export { aggregate } from "./downward.ts"
