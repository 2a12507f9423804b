/**
 * What the parts of the kubelet hand to one another, along the path of a pod:
 * `sources/` → `pod-worker/` → `runtime/` → `probes/` → `status/`.
 */
import type { Pod, PodStatus, Service } from "@knarr/api"
import type { VolumeReader, VolumeUsage } from "@knarr/volume"

/** Where a pod came from. Static pods come from files and are mirrored into the API. */
export type PodSource = "api" | "file"

/** One pod as a source sees it now. */
export interface SourcedPod {
  readonly pod: Readonly<Pod>
  readonly source: PodSource
}

/** Reads what pods refer to. Values are as fresh as a watch; a miss is looked up once at the API. */
export interface ObjectReader extends VolumeReader {
  services(namespace: string): readonly Readonly<Service>[]
}

/** A mounted volume: what to bind into containers. */
export interface MountedVolume {
  readonly name: string
  /** The path on the host. */
  readonly hostPath: string
  readonly readOnly: boolean
  /** SELinux and ownership are done; `true` when files in it are rewritten while the pod runs. */
  readonly refreshed: boolean
}

export interface MountedVolumeUsage extends VolumeUsage {
  /** The name in the pod. */
  readonly name: string
  readonly claim: { readonly namespace: string; readonly name: string } | undefined
}

/** Sets up, refreshes and tears down the volumes of pods (volume/). */
export interface VolumeManager {
  /**
   * Mounts every volume of the pod and resolves when all are ready. Idempotent. Rejects with the message for
   * the pod's `FailedMount` event, worded as upstream's: `MountVolume.SetUp failed for volume "x" : …`.
   */
  mount(pod: Readonly<Pod>, signal: AbortSignal): Promise<ReadonlyMap<string, MountedVolume>>
  /** Mounts an image that the runtime has for one of the pod's volumes of images, and answers where. Idempotent. */
  mountImage(podUid: string, volume: string, imageId: string, signal: AbortSignal): Promise<string>
  /** Unmounts and removes what the pod had. Idempotent, works from what is on disk after a restart. */
  unmount(podUid: string, signal: AbortSignal): Promise<void>
  /** How full the pod's mounted volumes are, of those whose plugin can tell. What cannot be asked is left out. */
  usage(podUid: string): Promise<readonly MountedVolumeUsage[]>
  /** Attached volumes that pods have or are about to get, as the Node's status calls them; undefined: not known yet. */
  inUse(): readonly string[] | undefined
  /** UIDs of pods that have something on disk, for cleaning up after a restart. */
  podsOnDisk(): readonly string[]
}

export type ProbeType = "liveness" | "readiness" | "startup"

export interface ProbeOutcome {
  readonly podUid: string
  readonly container: string
  readonly containerId: string
  readonly type: ProbeType
  readonly success: boolean
  readonly message: string
}

/** Runs probes (probes/). Results are told once, when they change. */
export interface ProbeManager {
  /** Starts (or goes on with) the probes of a container that has started; `podIP` is where http and tcp probes go. */
  containerStarted(pod: Readonly<Pod>, container: string, containerId: string, podIP: string): void
  /** Stops probes of the container, or of the whole pod. */
  stop(podUid: string, container?: string): void
  /** Undefined: no probe of that type, or no result yet. */
  result(podUid: string, container: string, containerId: string, type: ProbeType): boolean | undefined
}

/** Writes pod statuses to the API: newest wins, unchanged ones are not sent, conflicts and restarts are survived (status/). */
export interface StatusManager {
  /** The status that the node holds to be true; also of static pods' mirrors. */
  set(pod: Readonly<Pod>, status: PodStatus): void
  /** The last one set, else the API's. */
  get(podUid: string): Readonly<PodStatus> | undefined
  /** The pod's containers and volumes are gone: delete the object for good (grace 0) once its status is written. */
  finished(pod: Readonly<Pod>): void
  forget(podUid: string): void
}

/** What the rest of the node needs of the pod workers (pod-worker/). */
export interface PodWorkers {
  /** The pod is wanted in this form. Deletion (a `deletionTimestamp`) begins its graceful end. */
  update(pod: SourcedPod): void
  /** The pod is gone from its source: end it, with its grace period. */
  remove(podUid: string): void
  /** Something about the pod's containers changed (an exit, a probe result): look again soon. */
  wake(podUid: string): void
  /** Ends a pod on the node's own account: eviction, preemption. The status gets the reason and message. */
  evict(podUid: string, options: { reason: string; message: string; gracePeriodSeconds: number }): void
  pods(): readonly SourcedPod[]
}
