/**
 * The contract of volume plugins. A plugin is one file, `plugins/<name>.volume.ts`, that exports a frozen
 * descriptor; {@link import("./plugins.ts").volumePlugins} lists them.
 * Mirrors: pkg/volume/plugins.go
 */
import type { ConfigMap, Pod, Secret, Volume } from "@knarr/api"
import type { Payload } from "./payload.ts"
import type { VolumeHost } from "./volume-host.ts"

/** Reads what volumes are filled from. Undefined: there is no such object. */
export interface VolumeReader {
  secret(namespace: string, name: string, signal: AbortSignal): Promise<Readonly<Secret> | undefined>
  configMap(namespace: string, name: string, signal: AbortSignal): Promise<Readonly<ConfigMap> | undefined>
  serviceAccountToken(
    pod: Readonly<Pod>,
    audience: string | undefined,
    expirationSeconds: number,
    signal: AbortSignal,
  ): Promise<string>
}

/** What a plugin is given for one volume of one pod. */
export interface VolumeContext {
  readonly pod: Readonly<Pod>
  readonly volume: Readonly<Volume>
  /** Where the volume belongs: `<root>/pods/<uid>/volumes/<plugin>/<name>`. */
  readonly dir: string
  /** What is known about it: `<root>/pods/<uid>/plugins/<plugin>/<name>`. */
  readonly metaDir: string
  readonly reader: VolumeReader
  readonly host: VolumeHost
  /** The node's allocatable resources: the default of limits, the bound of memory-backed volumes. */
  readonly allocatable: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** What came of a mount. */
export interface VolumeMountResult {
  /** What to bind into containers. */
  readonly hostPath: string
  /** Containers can never write to it. */
  readonly readOnly: boolean
}

export type VolumeSourceField = Exclude<keyof Volume, "name">

export interface VolumePluginSpec {
  /** As upstream's, for example `kubernetes.io/empty-dir`. */
  readonly name: string
  /** The field of a pod's volume that chooses this plugin. */
  readonly source: VolumeSourceField
  /** Sets the volume up and gives it to the pod's group. Idempotent. Rejects with the text of the `FailedMount` event. */
  mount(context: VolumeContext): Promise<VolumeMountResult>
  /** Of volumes made from objects: the files it has now. Volumes with this are rewritten when their objects change. */
  payload?(context: VolumeContext): Promise<Payload>
  /** What the payload is made from; a change of any of these asks for a new one. */
  references?(volume: Readonly<Volume>): VolumeReferences
}

/** What a volume is made from. */
export interface VolumeReferences {
  readonly secrets: readonly string[]
  readonly configMaps: readonly string[]
  readonly tokens: boolean
}

export type VolumePlugin = Readonly<VolumePluginSpec>

/** Freezes a descriptor. */
export function defineVolume(spec: VolumePluginSpec): VolumePlugin {
  return Object.freeze(spec)
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
