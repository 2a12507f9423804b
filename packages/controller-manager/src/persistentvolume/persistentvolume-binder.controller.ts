/**
 * Gives claims their volumes, and takes volumes back when their claims are gone.
 * Mirrors: pkg/controller/volume/persistentvolume
 */
import {
  persistentVolume,
  persistentVolumeClaim,
  pod,
  storageClass,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type StorageClass,
} from "@knarr/api"
import { refOf, type Ref } from "@knarr/apimachinery"
import {
  allow,
  type Cache,
  type Controller,
  defineController,
  perRun,
  recordEvents,
  untilAborted,
} from "@knarr/controller-kit"
import type { InformerHandler } from "@knarr/client"
import { claimHasClass, storageClassNameOf } from "@knarr/pod-rules"
import type { BinderOptions } from "./binder-options.ts"
import { BinderState } from "./binder-state.ts"
import { podClaimIndex } from "../workload/pod-indexes.ts"
import { recycledVolume } from "./recycler-pod.ts"
import { syncClaim } from "./sync-claim.ts"
import { syncVolume } from "./sync-volume.ts"
import { countVolumes } from "./volume-counts.ts"
import { volumeUserIndex } from "./volume-indexes.ts"

/** Claims by the volume that they name. */
const volumeIndex = "volumes"
/** Claims that have no volume yet by their class; `""`: those that name none. */
const pendingIndex = "pending"

/**
 * A key with a namespace is a claim, one without is a volume: one worker, because two claims that are looked at at once could be
 * given one volume.
 */
export function createPersistentVolumeBinder(options: BinderOptions = {}): Controller {
  const stateOf = perRun((ctx) => new BinderState(ctx, options))
  return defineController({
    name: "persistentvolume-binder-controller",
    queueName: "claims",
    aliases: ["persistentvolume-binder"],
    serviceAccount: "persistent-volume-binder",
    rbac: [
      allow("", "persistentvolumes", "create delete get list update watch"),
      allow("", "persistentvolumes/status persistentvolumeclaims/status", "update"),
      allow("", "persistentvolumeclaims", "get list update watch"),
      allow("", "pods", "create delete get list watch"),
      allow("storage.k8s.io", "storageclasses", "get list watch"),
      recordEvents,
    ],
    for: persistentVolumeClaim,
    watches: [
      { kind: persistentVolumeClaim, map: volumeOf },
      { kind: persistentVolume, map: wokenByVolume },
      { kind: storageClass, map: wokenByClass },
      { kind: pod, map: recycledBy },
    ],
    indexes: [
      podClaimIndex,
      volumeUserIndex,
      { kind: persistentVolumeClaim, name: volumeIndex, fn: ({ spec }) => [spec.volumeName ?? ""] },
      { kind: persistentVolumeClaim, name: pendingIndex, fn: pendingClass },
    ],
    workers: 1,
    reconcile: (ref, ctx) =>
      ref.namespace === undefined ? syncVolume(ref.name, stateOf(ctx)) : syncClaim(ref, stateOf(ctx)),
    async run(ctx) {
      stateOf(ctx).recyclers.followWith(ctx.lease)
      using _counts = countVolumes(ctx.meter, ctx.cache)
      using _free = ctx.informer(persistentVolume).subscribe(watchFree(ctx.cache, ctx.enqueue))
      await untilAborted(ctx.signal)
    },
  })
}

function pendingClass(claim: PersistentVolumeClaim): string[] {
  if (claim.spec.volumeName) return []
  return [claimHasClass(claim) ? `class ${storageClassNameOf(claim)}` : ""]
}

function volumeOf({ spec }: PersistentVolumeClaim): Ref[] {
  return spec.volumeName ? [{ name: spec.volumeName }] : []
}

/** The volume, and the claims that it is about. */
function wokenByVolume({ metadata, spec }: PersistentVolume, cache: Cache): Ref[] {
  const refs: Ref[] = [{ name: metadata.name }]
  if (spec.claimRef?.name) refs.push({ namespace: spec.claimRef.namespace, name: spec.claimRef.name })
  for (const claim of cache.byIndex(persistentVolumeClaim, volumeIndex, metadata.name))
    refs.push(refOf(claim))
  return refs
}

function isFree({ spec, status }: PersistentVolume): boolean {
  return status.phase === "Available" && !spec.claimRef
}

/** When a volume becomes free the claims that wait for such a one are looked at. */
function watchFree(cache: Cache, enqueue: (ref: Ref) => void): InformerHandler<PersistentVolume> {
  const wake = (volume: PersistentVolume): void => {
    const className = storageClassNameOf(volume)
    const waiting = pendingOf(className, cache)
    for (const ref of className === "" ? [...waiting, ...pendingOf(undefined, cache)] : waiting) enqueue(ref)
  }
  return {
    added: (volume) => void (isFree(volume) && wake(volume)),
    updated: (volume, old) => void (isFree(volume) && !isFree(old) && wake(volume)),
  }
}

/** Claims of the class wait for it, and those of none for a default one. */
function wokenByClass({ metadata }: StorageClass, cache: Cache): Ref[] {
  return [...pendingOf(metadata.name, cache), ...pendingOf(undefined, cache)]
}

function pendingOf(className: string | undefined, cache: Cache): Ref[] {
  const value = className === undefined ? "" : `class ${className}`
  return cache.byIndex(persistentVolumeClaim, pendingIndex, value).map(refOf)
}

function recycledBy(one: Pod): Ref[] {
  const name = recycledVolume(one)
  return name === undefined ? [] : [{ name }]
}
