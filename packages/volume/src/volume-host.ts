/** What volume plugins do to the machine: a real one (linux-host.ts) or none at all, for simulated nodes. */
import type { Payload } from "./payload.ts"

export interface Ownership {
  /** The group that may write to the files (or read, when the volume is read-only). */
  readonly fsGroup: number | undefined
  readonly readOnly: boolean
  /** Leave everything as it is when the top folder is already right. */
  readonly onRootMismatch: boolean
}

export interface MountOptions {
  /** What is mounted: a device, or what the file system names instead. */
  readonly source: string
  /** For example `ext4`. */
  readonly fsType: string
  /** For example `ro`, `size=65536`. */
  readonly flags: readonly string[]
}

/** How full a file system is. */
export interface VolumeUsage {
  readonly capacityBytes: number
  /** What whoever is not root may still write. */
  readonly availableBytes: number
  readonly usedBytes: number
  readonly inodes: number
  readonly inodesFree: number
}

export interface VolumeHost {
  /**
   * Makes the folder and its parents, and gives it the mode whatever the umask. False: it was there, and is left
   * as it is; anything else at its place is replaced.
   */
  makeDirectory(dir: string, mode: number): Promise<boolean>
  /** Mounts a tmpfs on the folder, which is made. False: there is one already, of which only the size is set anew. */
  mountTmpfs(
    dir: string,
    options: { readonly sizeBytes: number | undefined; readonly mode: number },
    signal: AbortSignal,
  ): Promise<boolean>
  /** Mounts a file system of huge pages of that size, for example 2097152 bytes. False: there is a mount already. */
  mountHugePages(
    dir: string,
    options: { readonly pageSize: number; readonly mode: number },
    signal: AbortSignal,
  ): Promise<boolean>
  /**
   * Makes a folder in memory for small files that are written from here alone, and answers where it is. A tmpfs of
   * its own is not promised.
   */
  makeMemoryDirectory(dir: string, mode: number, signal: AbortSignal): Promise<string>
  /** Mounts a file system on the folder, which is made. False: something is mounted there already. */
  mount(dir: string, options: MountOptions, signal: AbortSignal): Promise<boolean>
  /**
   * Lets the folder, or the file or device, be seen at `target` too, which is made. False: something is mounted there
   * already.
   */
  bindMount(
    source: string,
    target: string,
    options: { readonly readOnly: boolean },
    signal: AbortSignal,
  ): Promise<boolean>
  /**
   * Mounts the files of an image that the runtime has, by its id there, read-only on the folder, which is made. False:
   * something is mounted there already.
   */
  mountImage(dir: string, imageId: string, signal: AbortSignal): Promise<boolean>
  /** Takes away what {@link VolumeHost.mountImage} mounted, also if it was cut short, and lets go of the image. Idempotent. */
  releaseImage(dir: string, signal: AbortSignal): Promise<void>
  /** Takes away all that is mounted at `path`, and nothing else. Idempotent. */
  unmount(path: string, signal: AbortSignal): Promise<void>
  /** Replaces the folder's files, all at one moment. False: they were the same already. */
  writePayload(dir: string, payload: Payload, ownership: Ownership): Promise<boolean>
  setOwnership(dir: string, ownership: Ownership): Promise<void>
  /** Whether {@link VolumeHost.setReady} was called for this volume: otherwise what is there may be half made. */
  isReady(metaDir: string): Promise<boolean>
  /** Notes on disk, in the folder of what is known about a volume, that it is set up whole. */
  setReady(metaDir: string): Promise<void>
  /** Of the file system that the path is on. */
  usage(path: string): Promise<VolumeUsage>
  /** Writes what has to be known about a volume after a restart into the folder; all of it or nothing. */
  writeRecord(metaDir: string, text: string): Promise<void>
  /** What {@link VolumeHost.writeRecord} wrote there; undefined: nothing. */
  readRecord(metaDir: string): Promise<string | undefined>
  /** Makes sure that the path is of that `hostPath` type. Rejects with upstream's text. */
  checkHostPath(path: string, type: string): Promise<void>
  /** Unmounts all that is mounted in the folder and removes it. Idempotent. Never deletes through a mount. */
  removeTree(dir: string, signal: AbortSignal): Promise<void>
  /** Removes the folder when nothing is in it. */
  removeIfEmpty(dir: string): Promise<void>
  /**
   * Makes the folder a mount of its own that passes mounts on, so that pods can see and make mounts in their volumes
   * whatever the machine's root is. Left alone while something is mounted below it. Idempotent.
   */
  shareMounts(dir: string, signal: AbortSignal): Promise<void>
  /** The names in the folder; none when it does not exist. */
  list(dir: string): readonly string[]
}

/** A machine without disks: everything succeeds and nothing happens. */
export const simulatedVolumeHost: VolumeHost = Object.freeze({
  async makeDirectory() {
    return true
  },
  async mountTmpfs() {
    return true
  },
  async mountHugePages() {
    return true
  },
  async makeMemoryDirectory(dir: string) {
    return dir
  },
  async mount() {
    return true
  },
  async bindMount() {
    return true
  },
  async mountImage() {
    return true
  },
  async releaseImage() {},
  async unmount() {},
  async writePayload() {
    return true
  },
  async setOwnership() {},
  async isReady() {
    return true
  },
  async setReady() {},
  async usage() {
    return { capacityBytes: 0, availableBytes: 0, usedBytes: 0, inodes: 0, inodesFree: 0 }
  },
  async writeRecord() {},
  async readRecord() {
    return undefined
  },
  async checkHostPath() {},
  async removeTree() {},
  async removeIfEmpty() {},
  async shareMounts() {},
  list: () => [],
})
