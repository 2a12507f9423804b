/**
 * Mounts the volumes of pods, rewrites those that are made from objects when the objects change, and takes them
 * away again, also when an earlier kubelet mounted them.
 * Mirrors: pkg/kubelet/volumemanager
 */
import { join } from "node:path"
import type { Pod, Volume } from "@knarr/api"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { Client, EventRecorder } from "@knarr/client"
import {
  fsGroupOf,
  payloadsEqual,
  pluginFolder,
  pluginFor,
  type Payload,
  type VolumeContext,
  type VolumeHost,
  type VolumePlugin,
  type VolumeReferences,
} from "@knarr/volume"
import type { MountedVolume, VolumeManager } from "../contract.ts"
import type { ObjectChange, PodObjectReader } from "../objects/object-reader.ts"
import { resolveClaim } from "./claims.ts"

export interface VolumeManagerOptions {
  readonly env: Env
  readonly scope: Scope
  /** The kubelet's root folder; pods are in `pods/` below it. */
  readonly rootDir: string
  readonly reader: PodObjectReader
  /** For claims. */
  readonly client: Client
  /** The machine, or `simulatedVolumeHost`. */
  readonly host: VolumeHost
  /** The node's allocatable resources now. */
  readonly allocatable: () => Readonly<Record<string, string>>
  /** Told when a mounted volume cannot be rewritten. */
  readonly recorder?: EventRecorder
}

interface Mounted {
  readonly result: MountedVolume
  /** Undefined when nothing is ever rewritten in it. */
  readonly refresh:
    | {
        readonly plugin: VolumePlugin
        readonly volume: Readonly<Volume>
        readonly references: VolumeReferences
      }
    | undefined
  payload: Payload | undefined
}

interface PodVolumes {
  pod: Readonly<Pod>
  readonly mounted: Map<string, Mounted>
  readonly mounting: Map<string, Promise<Mounted>>
  refreshing: Promise<void> | undefined
  again: boolean
  /** An object changed while something was being mounted, which may have read the older one. */
  missed: boolean
}

const retryMs = 10_000

export function createVolumeManager(options: VolumeManagerOptions): VolumeManager {
  return new Manager(options)
}

class Manager implements VolumeManager {
  readonly #options: VolumeManagerOptions
  readonly #scope: Scope
  readonly #podsDir: string
  readonly #pods = new Map<string, PodVolumes>()

  constructor(options: VolumeManagerOptions) {
    this.#options = options
    this.#scope = options.scope.child("volumes")
    this.#podsDir = join(options.rootDir, "pods")
    this.#scope.use(options.reader.onChange((change) => this.#changed(change)))
  }

  async mount(pod: Readonly<Pod>, signal: AbortSignal): Promise<ReadonlyMap<string, MountedVolume>> {
    const { uid } = pod.metadata
    let entry = this.#pods.get(uid)
    if (!entry) {
      entry = {
        pod,
        mounted: new Map(),
        mounting: new Map(),
        refreshing: undefined,
        again: false,
        missed: false,
      }
      this.#pods.set(uid, entry)
    }
    const older = entry.pod
    entry.pod = pod
    const known = entry
    const results = await Promise.allSettled(
      (pod.spec.volumes ?? []).map((volume) => this.#mountOnce(known, volume, signal)),
    )
    signal.throwIfAborted()
    const failed = results.find((result) => result.status === "rejected")
    if (failed) throw failed.reason
    const missed = known.missed
    known.missed = false
    if (missed || (older !== pod && ownDataDiffers(older, pod))) await this.#refresh(known)
    const out = new Map<string, MountedVolume>()
    for (const volume of pod.spec.volumes ?? []) {
      const mounted = known.mounted.get(volume.name)
      if (mounted) out.set(volume.name, mounted.result)
    }
    return out
  }

  async unmount(podUid: string, signal: AbortSignal): Promise<void> {
    const entry = this.#pods.get(podUid)
    this.#pods.delete(podUid)
    if (entry) await Promise.allSettled(entry.mounting.values())
    if (!/^[\w.-]+$/.test(podUid) || podUid.startsWith("."))
      throw new Error(`Cannot unmount "${podUid}": not a pod's uid`)
    const { host } = this.#options
    const podDir = join(this.#podsDir, podUid)
    for (const part of ["volume-subpaths", "volumes", "plugins"])
      await host.removeTree(join(podDir, part), signal)
    await host.removeIfEmpty(podDir)
  }

  podsOnDisk(): readonly string[] {
    return this.#options.host.list(this.#podsDir)
  }

  async #mountOnce(entry: PodVolumes, volume: Readonly<Volume>, signal: AbortSignal): Promise<void> {
    const { name } = volume
    if (entry.mounted.has(name)) return
    let mounting = entry.mounting.get(name)
    if (!mounting) {
      mounting = this.#mount(entry.pod, volume, signal).finally(() => entry.mounting.delete(name))
      entry.mounting.set(name, mounting)
    }
    entry.mounted.set(name, await mounting)
  }

  async #mount(pod: Readonly<Pod>, volume: Readonly<Volume>, signal: AbortSignal): Promise<Mounted> {
    const { client, host } = this.#options
    const claimed = await resolveClaim(client, pod, volume, signal)
    try {
      const actual = claimed?.volume ?? volume
      const plugin = pluginFor(actual)
      const context = this.#context(pod, actual, plugin, signal)
      const { hostPath, readOnly } = await plugin.mount(context)
      if (claimed && !claimed.block && volume.persistentVolumeClaim) {
        const onRootMismatch = pod.spec.securityContext?.fsGroupChangePolicy === "OnRootMismatch"
        const isLocal = actual.hostPath?.type === "Directory"
        const fsGroup = isLocal && !claimed.readOnly ? fsGroupOf(pod) : undefined
        await host.setOwnership(hostPath, { fsGroup, readOnly: false, onRootMismatch })
      }
      const refreshed = plugin.payload !== undefined
      return {
        result: {
          name: volume.name,
          hostPath,
          readOnly: readOnly || (claimed?.readOnly ?? false),
          refreshed,
        },
        refresh: refreshed ? { plugin, volume: actual, references: plugin.references!(actual) } : undefined,
        payload: undefined,
      }
    } catch (thrown) {
      signal.throwIfAborted()
      throw failure(volume.name, thrown)
    }
  }

  #context(
    pod: Readonly<Pod>,
    volume: Readonly<Volume>,
    plugin: VolumePlugin,
    signal: AbortSignal,
  ): VolumeContext {
    const { reader, host, allocatable } = this.#options
    const folder = (kind: string): string =>
      join(this.#podsDir, pod.metadata.uid, kind, pluginFolder(plugin), volume.name)
    const [dir, metaDir] = [folder("volumes"), folder("plugins")]
    return { pod, volume, dir, metaDir, reader, host, allocatable: allocatable(), signal }
  }

  #changed(change: ObjectChange): void {
    for (const [uid, entry] of this.#pods) {
      try {
        this.#changedFor(uid, entry, change)
      } catch (thrown) {
        this.#options.env.log.error("Cannot refresh a pod's volumes", thrown, { uid })
      }
    }
  }

  #changedFor(uid: string, entry: PodVolumes, change: ObjectChange): void {
    if (change.kind === "token" ? change.podUid !== uid : change.namespace !== entry.pod.metadata.namespace)
      return
    if (entry.mounting.size > 0) entry.missed = true
    const concerned = [...entry.mounted.values()].some(({ refresh }) => {
      if (!refresh) return false
      if (change.kind === "token") return refresh.references.tokens
      const names = change.kind === "secret" ? refresh.references.secrets : refresh.references.configMaps
      return names.includes(change.name)
    })
    if (concerned) this.#scope.run(`refresh of ${uid}`, () => this.#refresh(entry), { contained: true })
  }

  /** Rewrites what has changed; a change that comes meanwhile makes another round. */
  #refresh(entry: PodVolumes): Promise<void> {
    entry.again = true
    entry.refreshing ??= this.#refreshAll(entry)
    return entry.refreshing
  }

  async #refreshAll(entry: PodVolumes): Promise<void> {
    try {
      // A turn later, when the caller has noted that this runs.
      await Promise.resolve()
      while (entry.again && this.#pods.get(entry.pod.metadata.uid) === entry) {
        entry.again = false
        for (const mounted of [...entry.mounted.values()]) await this.#rewrite(entry, mounted)
      }
    } finally {
      // In the same turn as the last look at `again`: a change after that makes another round.
      entry.refreshing = undefined
    }
  }

  async #rewrite(entry: PodVolumes, mounted: Mounted): Promise<void> {
    const { refresh, result } = mounted
    if (!refresh) return
    const { env, host, recorder } = this.#options
    const { signal } = this.#scope
    const { pod } = entry
    const context = this.#context(pod, refresh.volume, refresh.plugin, signal)
    try {
      const payload = await refresh.plugin.payload!(context)
      if (mounted.payload && payloadsEqual(mounted.payload, payload)) return
      if (this.#pods.get(pod.metadata.uid) !== entry) return
      const ownership = { fsGroup: fsGroupOf(pod), readOnly: true, onRootMismatch: false }
      await host.writePayload(result.hostPath, payload, ownership)
      mounted.payload = payload
    } catch (thrown) {
      if (signal.aborted || this.#pods.get(pod.metadata.uid) !== entry) return
      const { message } = failure(result.name, thrown)
      env.log.warn("Cannot refresh a volume", { pod: pod.metadata.name, volume: result.name, err: message })
      recorder?.event(pod, "Warning", "FailedMount", message)
      // What the volume needs may come back without a change that is seen here, such as the API itself.
      env.clock.timer(retryMs, () => {
        if (!signal.aborted) this.#scope.run("refresh again", () => this.#refresh(entry), { contained: true })
      })
    }
  }
}

function failure(volume: string, thrown: unknown): Error {
  return new Error(`MountVolume.SetUp failed for volume "${volume}" : ${messageOf(thrown)}`, {
    cause: thrown,
  })
}

/** Whether something that the downward API shows has changed. */
function ownDataDiffers(before: Readonly<Pod>, after: Readonly<Pod>): boolean {
  const text = ({ metadata, spec }: Readonly<Pod>): string =>
    JSON.stringify([
      metadata.labels,
      metadata.annotations,
      spec.containers.map((container) => container.resources),
      spec.initContainers?.map((container) => container.resources),
    ])
  return text(before) !== text(after)
}
