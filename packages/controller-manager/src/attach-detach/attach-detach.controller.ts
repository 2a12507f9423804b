/**
 * Brings volumes to the nodes whose pods want them, and takes them away again: asks drivers to, by VolumeAttachments.
 * Mirrors: pkg/controller/volume/attachdetach
 */
import {
  csiDriver,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  volumeAttachment,
  type CSIDriver,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type VolumeAttachment,
} from "@knarr/api"
import { parseKey, refOf, type Ref } from "@knarr/apimachinery"
import {
  allow,
  type Cache,
  type Controller,
  defineController,
  perRun,
  recordEvents,
  untilAborted,
} from "@knarr/controller-kit"
import { podClaimIndex, podNodeIndex } from "../workload/pod-indexes.ts"
import { countAttachments } from "./attach-counts.ts"
import { attachmentNodeIndex, Attachments, attachmentVolumeIndex } from "./attachments.ts"
import { syncAttachments } from "./sync-attachments.ts"

/** Volumes by their driver. */
const driverIndex = "driver"

const stateOf = perRun((ctx) => new Attachments(ctx))

export interface AttachDetachOptions {
  /** Whether a node that is not ready loses its volumes after six minutes. Default true. */
  readonly forceDetachOnTimeout?: boolean
}

export function createAttachDetachController(options: AttachDetachOptions = {}): Controller {
  return defineController({
    name: "persistentvolume-attach-detach-controller",
    queueName: "pvcs",
    aliases: ["attachdetach"],
    serviceAccount: "attachdetach-controller",
    rbac: [
      allow("", "persistentvolumes persistentvolumeclaims", "list watch"),
      allow("", "nodes", "get list watch"),
      allow("", "nodes/status", "patch update"),
      allow("", "pods", "list watch"),
      allow("storage.k8s.io", "volumeattachments", "create delete get list watch"),
      allow("storage.k8s.io", "csidrivers", "get list watch"),
      recordEvents,
    ],
    for: persistentVolume,
    watches: [
      {
        kind: persistentVolumeClaim,
        map: ({ spec }: PersistentVolumeClaim) => volumeRefs([spec.volumeName]),
      },
      { kind: pod, map: volumesOfPod },
      {
        kind: volumeAttachment,
        map: ({ spec }: VolumeAttachment) => volumeRefs([spec.source.persistentVolumeName]),
      },
      { kind: node, map: volumesOfNode },
      {
        kind: csiDriver,
        map: ({ metadata }: CSIDriver, cache) =>
          cache.byIndex(persistentVolume, driverIndex, metadata.name).map(refOf),
      },
    ],
    indexes: [
      podClaimIndex,
      podNodeIndex,
      attachmentVolumeIndex,
      attachmentNodeIndex,
      {
        kind: persistentVolume,
        name: driverIndex,
        fn: ({ spec }: PersistentVolume) => (spec.csi ? [spec.csi.driver] : []),
      },
    ],
    reconcile: (ref, ctx) => syncAttachments(ref.name, ctx, stateOf(ctx), options),
    async run(ctx) {
      const deleted = (attachment: VolumeAttachment): void => stateOf(ctx).forget(attachment)
      using _deleted = ctx.informer(volumeAttachment).subscribe({ deleted })
      using _counts = countAttachments(ctx.meter, ctx.cache)
      await untilAborted(ctx.signal)
    },
  })
}

function volumeRefs(names: readonly (string | undefined)[]): Ref[] {
  return [...new Set(names)].flatMap((name) => (name ? [{ name }] : []))
}

function volumesOfPod(one: Pod, cache: Cache): Ref[] {
  if (!one.spec.nodeName) return []
  const claims = podClaimIndex.fn(one).map((key) => cache.get(persistentVolumeClaim, parseKey(key)))
  return volumeRefs(claims.map((claim) => claim?.spec.volumeName))
}

/** What is on the node and what is wanted there. */
function volumesOfNode({ metadata }: Node, cache: Cache): Ref[] {
  const pods = cache.byIndex(pod, podNodeIndex.name, metadata.name)
  const attachments = cache.byIndex(volumeAttachment, attachmentNodeIndex.name, metadata.name)
  return [
    ...pods.flatMap((one) => volumesOfPod(one, cache)),
    ...volumeRefs(attachments.map(({ spec }) => spec.source.persistentVolumeName)),
  ]
}
