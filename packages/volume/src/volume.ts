/**
 * The contract of volume plugins. A plugin is one file, `plugins/<name>.volume.ts`, that exports a frozen
 * descriptor; {@link import("./plugins.ts").volumePlugins} lists them. What a plugin can do beyond publishing a volume to
 * one pod is an optional member of its descriptor.
 *
 * A volume's way: (attach to the node) → stage on the node, once → publish to each pod → unpublish → unstage.
 * Mirrors: pkg/volume/plugins.go
 */
import type {
  ClusterTrustBundleProjection,
  ConfigMap,
  PersistentVolume,
  Pod,
  Secret,
  Volume,
} from "@knarr/api"
import type { Payload } from "./payload.ts"
import type { VolumeHost, VolumeUsage } from "./volume-host.ts"

/** What is to be mounted: the volume of a pod itself, or the PersistentVolume behind its claim. */
export interface VolumeSpec {
  /** The pod volume's name, or the PersistentVolume's: what folders and events are called by. */
  readonly name: string
  /** Exactly one of these two is there. */
  readonly volume?: Readonly<Volume>
  readonly persistentVolume?: Readonly<PersistentVolume>
  /** The claim's source says so; a pod's own volume has that in its source, if at all. */
  readonly readOnly: boolean
}

/** Reads what volumes are filled from. Undefined: there is no such object. */
export interface VolumeReader {
  secret(namespace: string, name: string, signal: AbortSignal): Promise<Readonly<Secret> | undefined>
  configMap(namespace: string, name: string, signal: AbortSignal): Promise<Readonly<ConfigMap> | undefined>
  /** A bound service account token for the pod, renewed before it expires. */
  serviceAccountToken(
    pod: Readonly<Pod>,
    audience: string | undefined,
    expirationSeconds: number,
    signal: AbortSignal,
  ): Promise<string>
  /** The certificates (PEM, each once) of the chosen bundles. Rejects when there are none, unless they are optional. */
  trustAnchors(projection: Readonly<ClusterTrustBundleProjection>, signal: AbortSignal): Promise<string>
  /** Of the certificate that source `index` of the pod's projected volume asks for. Rejects while it is not issued. */
  podCertificate(
    pod: Readonly<Pod>,
    volume: string,
    index: number,
    signal: AbortSignal,
  ): Promise<PodCredentials>
}

/** A private key (PKCS #8) and the certificate chain for it, both PEM. */
export interface PodCredentials {
  readonly key: string
  readonly chain: string
}

/** What a plugin is given to publish one volume to one pod. */
export interface VolumeContext {
  readonly pod: Readonly<Pod>
  readonly spec: VolumeSpec
  /** Where the volume belongs: `<root>/pods/<uid>/volumes/<plugin>/<name>`. */
  readonly dir: string
  /** What is known about it: `<root>/pods/<uid>/plugins/<plugin>/<name>`. */
  readonly metaDir: string
  /** Where it is staged; undefined when the plugin stages nothing. */
  readonly deviceDir: string | undefined
  /** As in {@link StageContext}. */
  readonly attached: VolumeData
  readonly reader: VolumeReader
  readonly host: VolumeHost
  /** The node's allocatable resources: the default of limits, the bound of memory-backed volumes. */
  readonly allocatable: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** What a plugin is given to take a volume from a pod. All of it is known after a restart, too. */
export interface UnpublishContext {
  readonly podUid: string
  readonly name: string
  readonly dir: string
  readonly deviceDir: string | undefined
  /** What {@link VolumePluginSpec.record} said. */
  readonly data: VolumeData
  readonly host: VolumeHost
  readonly signal: AbortSignal
}

export interface StageContext {
  readonly spec: VolumeSpec
  /** What the VolumeAttachment says of the attached device; nothing for plugins that attach nothing. */
  readonly attached: VolumeData
  /** A folder of the node's own for this device; the plugin makes it. */
  readonly deviceDir: string
  readonly host: VolumeHost
  readonly signal: AbortSignal
}

export interface UnstageContext {
  readonly deviceDir: string
  readonly data: VolumeData
  readonly host: VolumeHost
  readonly signal: AbortSignal
}

/** What a plugin notes about a volume. It is on disk, for everybody who is root to read: no secrets. */
export type VolumeData = Readonly<Record<string, string>>

/** What came of a mount. */
export interface VolumeMountResult {
  /** What to bind into containers: a folder, or the device when the volume is one (`volumeMode: Block`). */
  readonly hostPath: string
  /** Containers can never write to it. */
  readonly readOnly: boolean
}

/** Volumes that a controller brings to the node first. */
export interface Attaching {
  /** The VolumeAttachment that has to say so, what it attaches, and how the node's status calls that while it is in use. */
  attachment(
    spec: VolumeSpec,
    nodeName: string,
  ): { readonly name: string; readonly handle: string; readonly uniqueName: string }
}

/** Volumes that are set up once on a node, however many of its pods use them. */
export interface Staging {
  /** Names what is staged: the same for two volumes that share it, another within the plugin for all others. */
  device(spec: VolumeSpec): string
  /** Before the device's first pod, and again after a restart of the kubelet or a failure. Idempotent. */
  stage(context: StageContext): Promise<void>
  /** After the device's last pod, also when staging had failed or was cut short. Idempotent. */
  unstage(context: UnstageContext): Promise<void>
}

export interface VolumePluginSpec {
  /** As upstream's, for example `kubernetes.io/empty-dir`. */
  readonly name: string
  /** Whether this is a volume of this plugin. The first plugin in the list that says so gets it. */
  canSupport(spec: VolumeSpec): boolean
  /**
   * Sets the volume up for one pod and gives it to the pod's group. Again for each start of the kubelet: idempotent.
   * Rejects with the text of the `FailedMount` event.
   */
  publish(context: VolumeContext): Promise<VolumeMountResult>
  /**
   * Takes from the pod what `publish` made, also when that had failed or was cut short. Idempotent. Default: nothing; in any
   * case what is mounted in `dir` is then unmounted and the folder removed.
   */
  unpublish?(context: UnpublishContext): Promise<void>
  readonly attach?: Attaching
  readonly stage?: Staging
  /** What `unpublish` and `unstage` will need to know when nobody can be asked any more. Noted before anything is mounted. */
  record?(spec: VolumeSpec): VolumeData
  /** Whether `publish` can answer with a device for a PersistentVolume of `volumeMode: Block`. Default false. */
  readonly block?: boolean
  /** How full the volume at `hostPath` is. Without it nothing is told: it is a part of the node's own disk. */
  usage?(hostPath: string, host: VolumeHost): Promise<VolumeUsage>
  /** Of volumes made from objects: the files it has now. Volumes with this are rewritten when their objects change. */
  payload?(context: VolumeContext): Promise<Payload>
  /** What the payload is made from; a change of any of these asks for a new one. */
  references?(spec: VolumeSpec): VolumeReferences
}

/** What a volume is made from. Default of each: none. */
export interface VolumeReferences {
  readonly secrets?: readonly string[]
  readonly configMaps?: readonly string[]
  readonly tokens?: boolean
  readonly trustBundles?: boolean
  readonly certificates?: boolean
}

export type VolumePlugin = Readonly<VolumePluginSpec>

/** Freezes a descriptor. */
export function defineVolume(spec: VolumePluginSpec): VolumePlugin {
  return Object.freeze(spec)
}

/** A volume as the pod itself has it. */
export function podVolume(volume: Readonly<Volume>): VolumeSpec {
  return { name: volume.name, volume, readOnly: false }
}

/** Whether the volume is a raw device. */
export function isBlock({ persistentVolume }: VolumeSpec): boolean {
  return persistentVolume?.spec.volumeMode === "Block"
}

/** Of a folder on a tmpfs: everybody may write, and nobody remove what is another's. */
export const memoryFolderMode = 0o1777

/** The group that owns the pod's volumes. */
export function fsGroupOf(pod: Readonly<Pod>): number | undefined {
  return pod.spec.securityContext?.fsGroup
}

/** The one user that all containers of the pod run as; undefined when they differ or do not say. */
export function fsUserOf(pod: Readonly<Pod>): number | undefined {
  const { spec } = pod
  const shared = spec.securityContext?.runAsUser
  let user: number | undefined
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
  for (const container of containers) {
    const own = container.securityContext?.runAsUser ?? shared
    if (own === undefined || (user !== undefined && user !== own)) return undefined
    user = own
  }
  return user
}
