/**
 * Brings a volume to a pod, step by step, and takes it away again, also when an earlier kubelet brought it. What has to
 * be undone by its plugin is noted on disk before it is done.
 * Mirrors: pkg/volume/util/operationexecutor/operation_generator.go, pkg/kubelet/volumemanager/reconciler/reconstruct.go
 */
import { join } from "node:path"
import type { PersistentVolume, Pod, Volume } from "@knarr/api"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { Client } from "@knarr/client"
import { volumeFitsNode } from "@knarr/pod-rules"
import {
  imageVolume,
  isBlock,
  pluginFolder,
  pluginFor,
  podVolume,
  volumePlugins,
  type VolumeContext,
  type VolumeData,
  type VolumeHost,
  type VolumeMountResult,
  type VolumePlugin,
  type VolumeReader,
  type VolumeSpec,
} from "@knarr/volume"
import { attachedDevice } from "./attachments.ts"
import { resolveClaim } from "./claims.ts"
import { DeviceManager } from "./device-manager.ts"
import { volumeRecords, writeVolumeRecord, type VolumeRecord } from "./volume-records.ts"

export interface VolumeMounterOptions {
  readonly env: Env
  readonly scope: Scope
  /** The kubelet's root folder; pods are in `pods/` below it, staged devices in `plugins/`. */
  readonly rootDir: string
  readonly nodeName: string
  readonly reader: VolumeReader
  /** For claims and attachments. */
  readonly client: Client
  /** The machine, or `simulatedVolumeHost`. */
  readonly host: VolumeHost
  /** The node's allocatable resources now. */
  readonly allocatable: () => Readonly<Record<string, string>>
  /** The Node's labels, for volumes that are not on all nodes. Default: none. */
  readonly nodeLabels?: () => Readonly<Record<string, string>>
  /** Resolves when the Node's status says that the volume is in use: from then on nobody takes it away. Default: at once. */
  readonly reportInUse?: (uniqueName: string, signal: AbortSignal) => Promise<void>
  /** Told when a volume is no longer in use. Default: nobody. */
  readonly onReleased?: () => void
  /** Default: `volumePlugins`. */
  readonly plugins?: readonly VolumePlugin[]
}

export interface PublishedVolume {
  readonly spec: VolumeSpec
  readonly plugin: VolumePlugin
  readonly result: VolumeMountResult
}

export class VolumeMounter {
  readonly #options: VolumeMounterOptions
  readonly #plugins: readonly VolumePlugin[]
  readonly #devices: DeviceManager
  readonly #podsDir: string
  /** By the pod's uid and the volume's name: what is on disk, and on simulated nodes nowhere else. */
  readonly #records = new Map<string, Map<string, VolumeRecord>>()
  /** Attached volumes that pods have or are about to get, by the name that the Node's status has for them: the pods' uids. */
  readonly #inUse = new Map<string, Set<string>>()
  #reconstructed: Promise<void> | undefined
  #isReconstructed = false

  constructor(options: VolumeMounterOptions) {
    this.#options = options
    this.#plugins = options.plugins ?? volumePlugins
    this.#devices = new DeviceManager(options)
    this.#podsDir = join(options.rootDir, "pods")
    const unstage = async (signal: AbortSignal): Promise<void> => {
      await this.#reconstruct()
      await this.#devices.unstageOrphans(this.#plugins, signal)
    }
    options.scope.run("unstaging what no pod uses", unstage, { contained: true })
  }

  podsOnDisk(): readonly string[] {
    return this.#options.host.list(this.#podsDir)
  }

  /** What the Node's status has to say of attached volumes; undefined until it is known what earlier kubelets left. */
  inUse(): readonly string[] | undefined {
    return this.#isReconstructed ? [...this.#inUse.keys()].sort() : undefined
  }

  /** Idempotent. Rejects with the message of the pod's `FailedMount` event. */
  async mount(pod: Readonly<Pod>, volume: Readonly<Volume>, signal: AbortSignal): Promise<PublishedVolume> {
    const { client, nodeName } = this.#options
    const spec = (await resolveClaim(client, pod, volume, this.#plugins, signal)) ?? podVolume(volume)
    const block = isBlock(spec)
    const kind = block ? "MapVolume" : "MountVolume"
    const step = <T>(name: string, run: () => Promise<T>): Promise<T> =>
      named(`${kind}.${name} failed`, spec.name, signal, run)
    const setUp = block ? "MapPodDevice" : "SetUp"
    const plugin = await step(setUp, async () => pluginFor(spec, this.#plugins))
    if (block && !plugin.block)
      throw new Error(
        "MapVolume.FindMapperPluginBySpec failed to find BlockVolumeMapper plugin. Volume plugin is nil. " +
          `for volume "${spec.name}" `,
      )
    const required = spec.persistentVolume
    if (required) await step("NodeAffinity check", async () => this.#checkNode(required))
    const inUse = plugin.attach?.attachment(spec, nodeName).uniqueName
    if (inUse !== undefined) {
      await this.#reconstruct()
      this.#use(pod.metadata.uid, inUse)
      await this.#options.reportInUse?.(inUse, signal)
    }
    const attached = await step("WaitForAttach", () => attachedDevice(client, plugin, spec, nodeName, signal))
    await this.#note(pod, plugin, spec, inUse)
    if (plugin.stage)
      await step(block ? "SetUpDevice" : "MountDevice", () =>
        this.#stage(pod, plugin, spec, attached, signal),
      )
    const result = await step(setUp, () => plugin.publish(this.context(pod, spec, plugin, signal, attached)))
    return { spec, plugin, result }
  }

  /** Each image in a folder of its own: a container that starts again may get a newer one than those that run. */
  async mountImage(podUid: string, volume: string, imageId: string, signal: AbortSignal): Promise<string> {
    const dir = join(this.#folder(podUid, "volumes", imageVolume, volume), imageId.replaceAll(":", "-"))
    await this.#options.host.mountImage(dir, imageId, signal)
    return dir
  }

  /** Takes away everything that the pod had. Idempotent. */
  async unmount(podUid: string, signal: AbortSignal): Promise<void> {
    if (!/^[\w.-]+$/.test(podUid) || podUid.startsWith("."))
      throw new Error(`Cannot unmount "${podUid}": not a pod's uid`)
    const { host } = this.#options
    await this.#reconstruct()
    const podDir = join(this.#podsDir, podUid)
    await host.removeTree(join(podDir, "volume-subpaths"), signal)
    for (const record of this.#records.get(podUid)?.values() ?? [])
      await this.#unpublish(podUid, record, signal)
    for (const part of ["volumes", "plugins"]) await host.removeTree(join(podDir, part), signal)
    await host.removeIfEmpty(podDir)
    this.#records.delete(podUid)
    this.#release(podUid)
  }

  #checkNode(volume: Readonly<PersistentVolume>): void {
    if (!volumeFitsNode(volume, this.#options.nodeLabels?.()))
      throw new Error("no matching NodeSelectorTerms")
  }

  #use(podUid: string, uniqueName: string): void {
    const users = this.#inUse.get(uniqueName)
    if (users) users.add(podUid)
    else this.#inUse.set(uniqueName, new Set([podUid]))
  }

  #release(podUid: string): void {
    for (const [uniqueName, users] of this.#inUse) {
      if (!users.delete(podUid) || users.size > 0) continue
      this.#inUse.delete(uniqueName)
      this.#options.onReleased?.()
    }
  }

  /** What a plugin is given for a volume; `attached` only matters before it is mounted. */
  context(
    pod: Readonly<Pod>,
    spec: VolumeSpec,
    plugin: VolumePlugin,
    signal: AbortSignal,
    attached: VolumeData = {},
  ): VolumeContext {
    const { reader, host, allocatable } = this.#options
    return {
      pod,
      spec,
      dir: this.#folder(pod.metadata.uid, "volumes", plugin, spec.name),
      metaDir: this.#folder(pod.metadata.uid, "plugins", plugin, spec.name),
      deviceDir: plugin.stage && this.#devices.stagedAt(plugin, plugin.stage.device(spec)),
      attached,
      reader,
      host,
      allocatable: allocatable(),
      signal,
    }
  }

  /** Notes what the plugin will have to undo; others leave nothing but their folder. */
  async #note(
    pod: Readonly<Pod>,
    plugin: VolumePlugin,
    spec: VolumeSpec,
    inUse: string | undefined,
  ): Promise<void> {
    if (!plugin.unpublish && !plugin.stage) return
    await this.#reconstruct()
    const { uid } = pod.metadata
    const record: VolumeRecord = {
      plugin: plugin.name,
      name: spec.name,
      ...(plugin.stage ? { device: plugin.stage.device(spec) } : {}),
      ...(inUse === undefined ? {} : { inUse }),
      data: plugin.record?.(spec) ?? {},
    }
    this.#remember(uid, record)
    await writeVolumeRecord(this.#options.host, this.#folder(uid, "plugins", plugin, spec.name), record)
  }

  async #stage(
    pod: Readonly<Pod>,
    plugin: VolumePlugin,
    spec: VolumeSpec,
    attached: VolumeData,
    signal: AbortSignal,
  ): Promise<void> {
    const use = { user: userOf(pod.metadata.uid, spec.name), data: plugin.record?.(spec) ?? {}, attached }
    await this.#devices.acquire(plugin, spec, use, signal)
  }

  async #unpublish(podUid: string, record: VolumeRecord, signal: AbortSignal): Promise<void> {
    const { host, env } = this.#options
    const { name, device, data } = record
    const plugin = this.#plugins.find((candidate) => candidate.name === record.plugin)
    if (!plugin) {
      env.log.warn("A volume's plugin is gone; its folder is removed", { uid: podUid, ...record })
      return
    }
    const dir = this.#folder(podUid, "volumes", plugin, name)
    const deviceDir = device === undefined ? undefined : this.#devices.stagedAt(plugin, device)
    await named("UnmountVolume.TearDown failed", name, signal, async () => {
      await plugin.unpublish?.({ podUid, name, dir, deviceDir, data, host, signal })
      await host.removeTree(dir, signal)
    })
    if (device === undefined) return
    await named("UnmountDevice failed", name, signal, () =>
      this.#devices.release(plugin, device, { user: userOf(podUid, name), data }, signal),
    )
  }

  /** Reads, once, what earlier kubelets noted: only then is it known who uses a device. */
  #reconstruct(): Promise<void> {
    this.#reconstructed ??= this.#readRecords().catch((thrown: unknown) => {
      this.#reconstructed = undefined
      throw thrown
    })
    return this.#reconstructed
  }

  async #readRecords(): Promise<void> {
    for (const uid of this.podsOnDisk()) {
      for (const record of await volumeRecords(this.#options.host, join(this.#podsDir, uid))) {
        this.#remember(uid, record)
        if (record.inUse !== undefined) this.#use(uid, record.inUse)
        const plugin = this.#plugins.find(({ name }) => name === record.plugin)
        if (plugin?.stage && record.device !== undefined)
          this.#devices.adopt(plugin, record.device, userOf(uid, record.name))
      }
    }
    this.#isReconstructed = true
  }

  #remember(uid: string, record: VolumeRecord): void {
    let records = this.#records.get(uid)
    if (!records) this.#records.set(uid, (records = new Map()))
    records.set(`${record.plugin} ${record.name}`, record)
  }

  #folder(uid: string, part: "volumes" | "plugins", plugin: VolumePlugin, name: string): string {
    return join(this.#podsDir, uid, part, pluginFolder(plugin), name)
  }
}

function userOf(podUid: string, volume: string): string {
  return `${podUid}/${volume}`
}

/** What `run` gives; what it throws is worded as upstream's: `MountVolume.SetUp failed for volume "x" : …`. */
async function named<T>(
  what: string,
  volume: string,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run()
  } catch (thrown) {
    signal.throwIfAborted()
    throw volumeFailure(what, volume, thrown)
  }
}

export function volumeFailure(what: string, volume: string, thrown: unknown): Error {
  return new Error(`${what} for volume "${volume}" : ${messageOf(thrown)}`, { cause: thrown })
}
