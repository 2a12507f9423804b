/**
 * Volumes that are staged once on the node however many of its pods use them: counted by use, staged before the first
 * use, unstaged after the last.
 *
 * Mirrors: pkg/volume/util/operationexecutor (MountDevice, UnmountDevice), pkg/kubelet/volumemanager/cache
 */
import { createHash } from "node:crypto"
import { join } from "node:path"
import { Semaphore, type Env } from "@knarr/base"
import type { VolumeData, VolumeHost, VolumePlugin, VolumeSpec } from "@knarr/volume"
import { deviceRecord, writeVolumeRecord } from "./volume-records.ts"

export interface DeviceManagerOptions {
  readonly env: Env
  readonly host: VolumeHost
  /** The kubelet's root folder; devices are in `plugins/` below it. */
  readonly rootDir: string
}

interface Device {
  readonly name: string
  /** Where its record is; it is staged in `globalmount` below that. */
  readonly dir: string
  readonly users: Set<string>
  /** By this process: one that an earlier one staged is staged again, which its plugin finds done. */
  staged: boolean
  /** One hand at a time. */
  readonly turn: Semaphore
}

export class DeviceManager {
  readonly #options: DeviceManagerOptions
  readonly #devices = new Map<string, Device>()

  constructor(options: DeviceManagerOptions) {
    this.#options = options
  }

  /** Where the plugin's device of that name is staged. */
  stagedAt(plugin: VolumePlugin, name: string): string {
    return join(this.#dirOf(plugin, name), "globalmount")
  }

  /** Counts a user that was found on disk. */
  adopt(plugin: VolumePlugin, name: string, user: string): void {
    this.#device(plugin, name).users.add(user)
  }

  /** Stages what the plugin stages. Counts the user, also when that fails: it has to be released all the same. */
  async acquire(
    plugin: VolumePlugin,
    spec: VolumeSpec,
    use: { readonly user: string; readonly data: VolumeData; readonly attached: VolumeData },
    signal: AbortSignal,
  ): Promise<void> {
    const { host } = this.#options
    const { stage } = plugin
    if (!stage) return
    await this.#withDevice(plugin, stage.device(spec), signal, async (device) => {
      device.users.add(use.user)
      if (device.staged) return
      await writeVolumeRecord(host, device.dir, { device: device.name, data: use.data })
      const deviceDir = this.stagedAt(plugin, device.name)
      await stage.stage({ spec, deviceDir, attached: use.attached, host, signal })
      device.staged = true
    })
  }

  /** The user is gone; with the last one the device is unstaged. Idempotent; a user stays one when that fails. */
  async release(
    plugin: VolumePlugin,
    name: string,
    use: { readonly user: string; readonly data: VolumeData },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#withDevice(plugin, name, signal, async (device) => {
      device.users.delete(use.user)
      if (device.users.size > 0) return
      try {
        await this.#unstage(plugin, device, use.data, signal)
      } catch (thrown) {
        device.users.add(use.user)
        throw thrown
      }
    })
  }

  /** Unstages what a kubelet that was cut short staged for nobody. What fails is logged, and found again by the next. */
  async unstageOrphans(plugins: readonly VolumePlugin[], signal: AbortSignal): Promise<void> {
    const { env, host, rootDir } = this.#options
    for (const plugin of plugins.filter(({ stage }) => stage)) {
      const folder = join(rootDir, "plugins", plugin.name)
      for (const hash of host.list(folder)) {
        try {
          const record = await deviceRecord(host, join(folder, hash))
          if (!record || hash !== hashOf(record.device)) continue
          await this.#withDevice(plugin, record.device, signal, async (device) => {
            if (device.users.size === 0) await this.#unstage(plugin, device, record.data, signal)
          })
        } catch (thrown) {
          signal.throwIfAborted()
          env.log.error("Cannot unstage a volume that no pod uses", thrown, { plugin: plugin.name, hash })
        }
      }
    }
  }

  async #unstage(plugin: VolumePlugin, device: Device, data: VolumeData, signal: AbortSignal): Promise<void> {
    const { host } = this.#options
    device.staged = false
    const deviceDir = this.stagedAt(plugin, device.name)
    await plugin.stage?.unstage({ deviceDir, data, host, signal })
    await host.removeTree(device.dir, signal)
    this.#devices.delete(keyOf(plugin, device.name))
  }

  async #withDevice(
    plugin: VolumePlugin,
    name: string,
    signal: AbortSignal,
    run: (device: Device) => Promise<void>,
  ): Promise<void> {
    for (;;) {
      const device = this.#device(plugin, name)
      using _turn = await device.turn.acquire(signal)
      // Whoever had its turn before may have taken it away.
      if (this.#device(plugin, name) === device) return await run(device)
    }
  }

  #device(plugin: VolumePlugin, name: string): Device {
    const key = keyOf(plugin, name)
    let device = this.#devices.get(key)
    if (!device) {
      device = {
        name,
        dir: this.#dirOf(plugin, name),
        users: new Set(),
        staged: false,
        turn: new Semaphore(1),
      }
      this.#devices.set(key, device)
    }
    return device
  }

  #dirOf(plugin: VolumePlugin, name: string): string {
    return join(this.#options.rootDir, "plugins", plugin.name, hashOf(name))
  }
}

function keyOf(plugin: VolumePlugin, name: string): string {
  return `${plugin.name} ${name}`
}

/** A device's name may hold anything; its folder's may not. */
function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex")
}
