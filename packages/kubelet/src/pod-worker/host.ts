/**
 * What the kubelet does to the machine beside the runtime: files, cgroups, mounts, and requests of lifecycle
 * hooks. A real machine and one that only remembers implement it.
 */
import type { CgroupResources } from "./linux-resources.ts"

/** A request of an `httpGet` hook. */
export interface HookRequest {
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export interface KubeletHost {
  /** Makes the folder and those above it. */
  makeDir(path: string, mode?: number): Promise<void>
  /** Writes the whole file at once; makes its folder. */
  writeFile(path: string, text: string, mode?: number): Promise<void>
  /** Undefined when there is none. */
  readFile(path: string): Promise<string | undefined>
  /** The last `maxBytes` of a file; undefined when there is none. Never follows a symbolic link. */
  readTail(path: string, maxBytes: number): Promise<string | undefined>
  /** With all that is in it. Nothing there is no error. Rejects when something is mounted in it. */
  remove(path: string): Promise<void>
  /** Names in a folder; none when it is not there. */
  list(dir: string): Promise<readonly string[]>
  symlink(target: string, path: string): Promise<void>
  /** Whether it is a folder, a file, something else, or not there. */
  kindOf(path: string): Promise<"dir" | "file" | "other" | "none">
  /** `/etc/hosts` of the machine, and its resolv.conf. */
  etcHosts(): Promise<string>
  resolvConf(): Promise<string>
  /**
   * Binds `subPath` of a volume to `target`, never outside the volume whatever symbolic links are in it; makes
   * the folder when it is missing. Answers what to hand to the runtime.
   */
  bindSubPath(volumeDir: string, subPath: string, target: string): Promise<string>
  /** Undoes what `bindSubPath` did under `dir`. */
  unbindUnder(dir: string): Promise<void>

  /** Makes the cgroup (and those above it), or sets it anew. `path` as in `/kubepods/podX`. */
  setCgroup(path: string, resources: CgroupResources): Promise<void>
  /** Kills what is left in it and removes it. Nothing there is no error. */
  removeCgroup(path: string): Promise<void>
  /** Names of the cgroups directly in `path`. */
  listCgroups(path: string): Promise<readonly string[]>

  /** Answers the HTTP status; rejects when there was no answer. */
  request(request: HookRequest, signal: AbortSignal): Promise<number>
}
