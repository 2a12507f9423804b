/**
 * Mounts the volumes of pods, rewrites those that are made from objects when the objects change, and takes them
 * away again, also when an earlier kubelet mounted them.
 * Mirrors: pkg/kubelet/volumemanager
 */
import type { Pod, Volume } from "@knarr/api"
import type { Scope } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import {
  fsGroupOf,
  isBlock,
  payloadsEqual,
  type Payload,
  type VolumeMountResult,
  type VolumePlugin,
  type VolumeReferences,
  type VolumeSpec,
} from "@knarr/volume"
import type { MountedVolume, MountedVolumeUsage, VolumeManager } from "../contract.ts"
import type { ObjectChange, PodObjectReader } from "../objects/object-reader.ts"
import { volumeFailure, VolumeMounter, type VolumeMounterOptions } from "./volume-mounter.ts"

export interface VolumeManagerOptions extends VolumeMounterOptions {
  readonly reader: PodObjectReader
  /** Told when a mounted volume cannot be rewritten. */
  readonly recorder?: EventRecorder
}

interface Mounted {
  readonly result: MountedVolume
  /** Undefined when nothing is ever rewritten in it. */
  readonly refresh:
    | {
        readonly plugin: VolumePlugin
        readonly spec: VolumeSpec
        readonly references: VolumeReferences
      }
    | undefined
  payload: Payload | undefined
  /** Undefined when the plugin cannot tell. */
  readonly usage: (() => Promise<MountedVolumeUsage>) | undefined
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
  readonly #mounter: VolumeMounter
  readonly #pods = new Map<string, PodVolumes>()

  constructor(options: VolumeManagerOptions) {
    this.#options = options
    this.#scope = options.scope.child("volumes")
    this.#mounter = new VolumeMounter({ ...options, scope: this.#scope })
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

  mountImage(podUid: string, volume: string, imageId: string, signal: AbortSignal): Promise<string> {
    return this.#mounter.mountImage(podUid, volume, imageId, signal)
  }

  async unmount(podUid: string, signal: AbortSignal): Promise<void> {
    const entry = this.#pods.get(podUid)
    this.#pods.delete(podUid)
    if (entry) await Promise.allSettled(entry.mounting.values())
    await this.#mounter.unmount(podUid, signal)
  }

  async usage(podUid: string): Promise<readonly MountedVolumeUsage[]> {
    const mounted = [...(this.#pods.get(podUid)?.mounted.values() ?? [])]
    const asked = await Promise.allSettled(mounted.map(async ({ usage }) => usage?.()))
    return asked.flatMap((answer) => (answer.status === "fulfilled" && answer.value ? [answer.value] : []))
  }

  inUse(): readonly string[] | undefined {
    return this.#mounter.inUse()
  }

  podsOnDisk(): readonly string[] {
    return this.#mounter.podsOnDisk()
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
    const { spec, plugin, result } = await this.#mounter.mount(pod, volume, signal)
    const refreshed = plugin.payload !== undefined
    return {
      result: {
        name: volume.name,
        hostPath: result.hostPath,
        readOnly: result.readOnly || spec.readOnly,
        refreshed,
      },
      refresh: refreshed ? { plugin, spec, references: plugin.references!(spec) } : undefined,
      payload: undefined,
      usage:
        plugin.usage && !isBlock(spec) ? () => this.#usageOf(volume.name, plugin, spec, result) : undefined,
    }
  }

  async #usageOf(
    name: string,
    plugin: VolumePlugin,
    { persistentVolume }: VolumeSpec,
    { hostPath }: VolumeMountResult,
  ): Promise<MountedVolumeUsage> {
    const usage = await plugin.usage!(hostPath, this.#options.host)
    const { namespace = "", name: claim } = persistentVolume?.spec.claimRef ?? {}
    return { ...usage, name, claim: claim === undefined ? undefined : { namespace, name: claim } }
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
    if ("podUid" in change ? change.podUid !== uid : !isInNamespace(change, entry.pod)) return
    if (entry.mounting.size > 0) entry.missed = true
    const concerned = [...entry.mounted.values()].some(
      ({ refresh }) => refresh && isMadeFrom(refresh.references, change),
    )
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
    const context = this.#mounter.context(pod, refresh.spec, refresh.plugin, signal)
    try {
      const payload = await refresh.plugin.payload!(context)
      if (mounted.payload && payloadsEqual(mounted.payload, payload)) return
      if (this.#pods.get(pod.metadata.uid) !== entry) return
      const ownership = { fsGroup: fsGroupOf(pod), readOnly: true, onRootMismatch: false }
      await host.writePayload(result.hostPath, payload, ownership)
      mounted.payload = payload
    } catch (thrown) {
      if (signal.aborted || this.#pods.get(pod.metadata.uid) !== entry) return
      const { message } = volumeFailure("MountVolume.SetUp failed", refresh.spec.name, thrown)
      env.log.warn("Cannot refresh a volume", { pod: pod.metadata.name, volume: result.name, err: message })
      recorder?.event(pod, "Warning", "FailedMount", message)
      // What the volume needs may come back without a change that is seen here, such as the API itself.
      env.clock.timer(retryMs, () => {
        if (!signal.aborted) this.#scope.run("refresh again", () => this.#refresh(entry), { contained: true })
      })
    }
  }
}

function isInNamespace(change: ObjectChange, pod: Readonly<Pod>): boolean {
  return !("namespace" in change) || change.namespace === pod.metadata.namespace
}

function isMadeFrom(references: VolumeReferences, change: ObjectChange): boolean {
  switch (change.kind) {
    case "token":
      return references.tokens ?? false
    case "certificate":
      return references.certificates ?? false
    case "trustBundle":
      return references.trustBundles ?? false
    case "secret":
      return references.secrets?.includes(change.name) ?? false
    case "configMap":
      return references.configMaps?.includes(change.name) ?? false
  }
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
