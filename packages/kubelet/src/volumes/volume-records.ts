/**
 * What a later kubelet must know to take away the volumes of this one: `vol_data.json`, written before anything is
 * mounted, in the folder of what is known about a pod's volume and in that of a staged device.
 * Mirrors: pkg/volume/csi/csi_util.go (saveVolumeData, loadVolumeData)
 */
import { join } from "node:path"
import type { VolumeData, VolumeHost } from "@knarr/volume"

export interface VolumeRecord {
  /** The plugin's name. */
  readonly plugin: string
  /** The volume's name: see `VolumeSpec`. */
  readonly name: string
  /** What it uses of the plugin's staged devices. */
  readonly device?: string
  /** How the node's status calls it, when it was attached. */
  readonly inUse?: string
  readonly data: VolumeData
}

export interface DeviceRecord {
  readonly device: string
  readonly data: VolumeData
}

export function writeVolumeRecord(
  host: VolumeHost,
  dir: string,
  record: VolumeRecord | DeviceRecord,
): Promise<void> {
  return host.writeRecord(dir, JSON.stringify(record))
}

/** The records of one pod, whose folder this is. */
export async function volumeRecords(host: VolumeHost, podDir: string): Promise<VolumeRecord[]> {
  const out: VolumeRecord[] = []
  const plugins = join(podDir, "plugins")
  for (const plugin of host.list(plugins)) {
    for (const name of host.list(join(plugins, plugin))) {
      const record = parse(await host.readRecord(join(plugins, plugin, name)))
      if (typeof record?.["plugin"] === "string" && typeof record["name"] === "string")
        out.push(record as unknown as VolumeRecord)
    }
  }
  return out
}

/** The record of a staged device; undefined: there is none that can be read. */
export async function deviceRecord(host: VolumeHost, dir: string): Promise<DeviceRecord | undefined> {
  const record = parse(await host.readRecord(dir))
  return typeof record?.["device"] === "string" ? (record as unknown as DeviceRecord) : undefined
}

/** A record is written whole, so that one which is not JSON is none of ours. */
function parse(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { data: {}, ...value } : undefined
  } catch {
    return undefined
  }
}
