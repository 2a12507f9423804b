/**
 * What to do about a volume's attachments: what is not wanted any more goes first, then what is wanted comes. Pure.
 * Mirrors: pkg/controller/volume/attachdetach/reconciler/reconciler.go
 */
import type { Node, Pod, VolumeAttachment } from "@knarr/api"
import { attachmentName, type AttachableVolume } from "./attachable-volume.ts"

export interface AttachWorld {
  readonly nowMs: number
  readonly forceDetachOnTimeout: boolean
  /** Pods that want the volume, by node. */
  readonly wanted: ReadonlyMap<string, readonly Readonly<Pod>[]>
  /** All of the volume's. */
  readonly attachments: readonly Readonly<VolumeAttachment>[]
  node(name: string): Readonly<Node> | undefined
  /** Whether its deletion was asked for, also where it cannot be seen yet. */
  isLeaving(attachment: Readonly<VolumeAttachment>): boolean
  /** Since when the attachment is not wanted. */
  unwantedSinceMs(attachment: Readonly<VolumeAttachment>): number
  /** Whether this was said already since the volume is wanted there. */
  isSaid(nodeName: string): boolean
}

export interface PodEvent {
  readonly pod: Readonly<Pod>
  readonly type: "Normal" | "Warning"
  readonly reason: string
  readonly message: string
}

export type ForcedBy = "timeout" | "out-of-service"

export type AttachAction =
  | {
      readonly do: "detach"
      readonly attachment: Readonly<VolumeAttachment>
      readonly forcedBy: ForcedBy | undefined
    }
  | { readonly do: "attach"; readonly nodeName: string; readonly attachmentName: string }
  /** Attached, and its node may not say so yet. */
  | {
      readonly do: "announce"
      readonly attachment: Readonly<VolumeAttachment>
      readonly events: readonly PodEvent[]
    }
  /** Somebody else has it: said once. */
  | { readonly do: "say busy"; readonly nodeName: string; readonly events: readonly PodEvent[] }
  /** It was tried, and failed. */
  | { readonly do: "fail"; readonly message: string; readonly events: readonly PodEvent[] }
  | { readonly do: "look again"; readonly afterMs: number }

const maxUnmountMs = 6 * 60_000
/** Drivers answer within this time, or that is said. */
const attachLimitMs = 2 * 60_000
const outOfService = "node.kubernetes.io/out-of-service"

export function planAttachments(volume: AttachableVolume, world: AttachWorld): AttachAction[] {
  const { attachments, wanted } = world
  const unwanted = attachments.filter(({ spec }) => !wanted.has(spec.nodeName))
  const actions = unwanted.flatMap((attachment) => planDetach(volume, attachment, world))
  let isComing = false
  for (const [nodeName, pods] of wanted) {
    const name = attachmentName(volume, nodeName)
    const attachment = attachments.find(({ metadata }) => metadata.name === name)
    if (attachment) actions.push(...planAttached(volume, attachment, pods, world))
    else if (volume.onSeveralNodes || (attachments.length === 0 && !isComing)) {
      isComing = true
      actions.push({ do: "attach", nodeName, attachmentName: name })
    } else if (attachments.length > 0 && !world.isSaid(nodeName))
      actions.push({ do: "say busy", nodeName, events: busyEvents(volume, pods, world) })
  }
  return actions
}

function planDetach(
  { uniqueName }: AttachableVolume,
  attachment: Readonly<VolumeAttachment>,
  world: AttachWorld,
): AttachAction[] {
  // On its way: its end is an event.
  if (world.isLeaving(attachment)) return []
  const node = world.node(attachment.spec.nodeName)
  const waitedMs = world.nowMs - world.unwantedSinceMs(attachment)
  const isExpired = waitedMs > maxUnmountMs && world.forceDetachOnTimeout
  const isReady = node?.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True")
  const isOutOfService = node?.spec.taints?.some(({ key }) => key === outOfService) ?? false
  const isMounted = node?.status.volumesInUse?.includes(uniqueName) ?? false
  if (isMounted && !isOutOfService && (isReady || !isExpired))
    return waitedMs > maxUnmountMs ? [] : [{ do: "look again", afterMs: maxUnmountMs - waitedMs + 1 }]
  const forcedBy = isExpired ? "timeout" : isOutOfService ? "out-of-service" : undefined
  return [{ do: "detach", attachment, forcedBy }]
}

function planAttached(
  volume: AttachableVolume,
  attachment: Readonly<VolumeAttachment>,
  pods: readonly Readonly<Pod>[],
  { nowMs, isLeaving }: AttachWorld,
): AttachAction[] {
  const { metadata, status } = attachment
  // The volume comes again when it has gone.
  if (isLeaving(attachment)) return []
  if (status?.attached) {
    const message = `AttachVolume.Attach succeeded for volume "${volume.name}" `
    const events = pods.map(
      (pod) => ({ pod, type: "Normal", reason: "SuccessfulAttachVolume", message }) as const,
    )
    return [{ do: "announce", attachment, events }]
  }
  const waitedMs = nowMs - Date.parse(metadata.creationTimestamp)
  const error =
    status?.attachError?.message ??
    (waitedMs < attachLimitMs
      ? undefined
      : `timed out waiting for external-attacher of ${volume.driver} CSI driver to attach volume ${volume.handle}`)
  if (error === undefined) return [{ do: "look again", afterMs: attachLimitMs - waitedMs }]
  const message = `AttachVolume.Attach failed for volume "${volume.name}" : ${error}`
  return [{ do: "fail", message, events: pods.map((pod) => failed(pod, message)) }]
}

function failed(pod: Readonly<Pod>, message: string): PodEvent {
  return { pod, type: "Warning", reason: "FailedAttachVolume", message }
}

/** Each pod hears of pods of its own namespace by name, and of others by number only. */
function busyEvents(
  { name }: AttachableVolume,
  pods: readonly Readonly<Pod>[],
  { attachments, wanted }: AttachWorld,
): PodEvent[] {
  const prefix = `Waiting for detach for volume "${name}" Volume is already`
  const users = attachments.flatMap(({ spec }) => wanted.get(spec.nodeName) ?? [])
  return pods.map((pod) => {
    if (users.length === 0)
      return failed(
        pod,
        `${prefix} exclusively attached to one node, waiting on detach before it can be attached to another node`,
      )
    const local = users.filter(({ metadata }) => metadata.namespace === pod.metadata.namespace)
    const others = `${users.length - local.length} pod(s) in different namespaces`
    if (local.length === 0) return failed(pod, `${prefix} used by ${others}`)
    const names = local.map(({ metadata }) => metadata.name).join(", ")
    const more = users.length > local.length ? ` and ${others}` : ""
    return failed(pod, `${prefix} used by pod(s) ${names}${more}`)
  })
}
