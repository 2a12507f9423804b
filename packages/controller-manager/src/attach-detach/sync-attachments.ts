/** Performs what is planned about a volume's attachments. Mirrors: pkg/volume/util/operationexecutor, …/attachdetach/statusupdater */
import { csiDriver, node, persistentVolume, volumeAttachment, type VolumeAttachment } from "@knarr/api"
import { isAlreadyExists, isNotFound } from "@knarr/apimachinery"
import type { ReconcileContext, ReconcileResult } from "@knarr/controller-kit"
import { attachableVolume, type AttachableVolume } from "./attachable-volume.ts"
import { planAttachments, type AttachAction, type ForcedBy, type PodEvent } from "./attach-plan.ts"
import { wantedOn } from "./wanted.ts"
import { attachmentNodeIndex, type Attachments } from "./attachments.ts"

export async function syncAttachments(
  name: string,
  ctx: ReconcileContext,
  state: Attachments,
  { forceDetachOnTimeout = true }: { readonly forceDetachOnTimeout?: boolean },
): Promise<ReconcileResult> {
  const { cache } = ctx
  const found = cache.get(persistentVolume, { name })
  const driver = found?.spec.csi && cache.get(csiDriver, { name: found.spec.csi.driver })
  const volume = found && attachableVolume(found, driver)
  // What nobody knows any more cannot be let go of safely.
  if (!volume) return state.keepSaid(name, () => false)
  const wanted = wantedOn(found, cache)
  const attachments = await state.ofVolume(name)
  const has = (nodeName: string): boolean => attachments.some(({ spec }) => spec.nodeName === nodeName)
  state.keepSaid(name, (nodeName) => wanted.has(nodeName) && !has(nodeName))
  for (const attachment of attachments) if (wanted.has(attachment.spec.nodeName)) state.wantAgain(attachment)
  const actions = planAttachments(volume, {
    nowMs: ctx.clock.now(),
    forceDetachOnTimeout,
    wanted,
    attachments,
    node: (nodeName) => cache.get(node, { name: nodeName }),
    isLeaving: ({ metadata }) => metadata.deletionTimestamp !== undefined || state.leaving.has(metadata.uid),
    unwantedSinceMs: (attachment) => state.unwantedSinceMs(attachment),
    isSaid: (nodeName) => state.isSaid(name, nodeName),
  })
  return perform(actions, volume, ctx, state)
}

async function perform(
  actions: readonly AttachAction[],
  volume: AttachableVolume,
  ctx: ReconcileContext,
  state: Attachments,
): Promise<ReconcileResult> {
  let afterMs = Infinity
  let failure: string | undefined
  for (const action of actions) {
    switch (action.do) {
      case "detach":
        await detach(action.attachment, action.forcedBy, volume, ctx, state)
        break
      case "attach":
        await attach(action.nodeName, action.attachmentName, volume, state)
        break
      case "announce":
        await announce(action.attachment, action.events, volume, ctx, state)
        break
      case "say busy":
        state.say(volume.name, action.nodeName)
        record(action.events, ctx)
        break
      case "fail":
        record(action.events, ctx)
        failure = action.message
        break
      case "look again":
        afterMs = Math.min(afterMs, action.afterMs)
    }
  }
  // Tried again with back-off, as long as the driver says so.
  if (failure !== undefined) throw new Error(failure)
  return afterMs === Infinity ? undefined : { afterMs }
}

function record(events: readonly PodEvent[], { recorder }: ReconcileContext): void {
  for (const { pod: one, type, reason, message } of events) recorder.event(one, type, reason, message)
}

async function attach(
  nodeName: string,
  name: string,
  { driver, name: persistentVolumeName }: AttachableVolume,
  state: Attachments,
): Promise<void> {
  try {
    await state.create({
      metadata: { name },
      spec: { attacher: driver, nodeName, source: { persistentVolumeName } },
    })
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown
  }
}

async function announce(
  attachment: Readonly<VolumeAttachment>,
  events: readonly PodEvent[],
  { uniqueName }: AttachableVolume,
  ctx: ReconcileContext,
  state: Attachments,
): Promise<void> {
  const { nodeName } = attachment.spec
  const { uid } = attachment.metadata
  const reported = ctx.cache.get(node, { name: nodeName })?.status.volumesAttached
  const isNews = !state.announced.has(uid)
  state.announced.add(uid)
  if (isNews && !reported?.some(({ name }) => name === uniqueName)) record(events, ctx)
  await reportAttached(nodeName, ctx, state)
}

/** The volume leaves the node's report first: from then on nobody mounts it there. */
async function detach(
  attachment: Readonly<VolumeAttachment>,
  forcedBy: ForcedBy | undefined,
  { name, uniqueName }: AttachableVolume,
  ctx: ReconcileContext,
  state: Attachments,
): Promise<void> {
  const { client, meter, signal } = ctx
  const { nodeName } = attachment.spec
  const { uid } = attachment.metadata
  state.leaving.add(uid)
  try {
    await reportAttached(nodeName, ctx, state)
    if (forcedBy === undefined && (await isInUse(nodeName, uniqueName, ctx)))
      throw new Error(
        `DetachVolume failed for volume "${name}" on node "${nodeName}" : volume is still in use by node, according to Node status`,
      )
    const preconditions = { uid }
    await client.delete(volumeAttachment, { name: attachment.metadata.name }, { signal, preconditions })
  } catch (thrown) {
    if (!isNotFound(thrown)) {
      state.leaving.delete(uid)
      throw thrown
    }
  }
  if (forcedBy !== undefined)
    meter
      .counter({
        name: "attach_detach_controller_attachdetach_controller_forced_detaches",
        help: "Number of times the A/D Controller performed a forced detach",
        labels: ["reason"],
      })
      .add(1, forcedBy)
}

/** Asks the API: what the informer has may be older than the last mount. */
async function isInUse(nodeName: string, uniqueName: string, ctx: ReconcileContext): Promise<boolean> {
  const { client, signal } = ctx
  try {
    const { status } = await client.get(node, { name: nodeName }, { signal })
    return status.volumesInUse?.includes(uniqueName) ?? false
  } catch (thrown) {
    if (isNotFound(thrown)) return false
    throw thrown
  }
}

/** Makes the node's status list what is attached to it and stays. */
async function reportAttached(nodeName: string, ctx: ReconcileContext, state: Attachments): Promise<void> {
  const { cache, client, signal } = ctx
  const seen = cache.get(node, { name: nodeName })
  if (!seen) return
  const names = new Set<string>()
  for (const { metadata, spec, status } of cache.byIndex(
    volumeAttachment,
    attachmentNodeIndex.name,
    nodeName,
  )) {
    if (!status?.attached || metadata.deletionTimestamp || state.leaving.has(metadata.uid)) continue
    const found = cache.get(persistentVolume, { name: spec.source.persistentVolumeName ?? "" })
    const volume = found && attachableVolume(found, undefined)
    if (volume) names.add(volume.uniqueName)
  }
  const before = (seen.status.volumesAttached ?? []).map(({ name }) => name)
  if (before.length === names.size && before.every((name) => names.has(name))) return
  const volumesAttached = [...names].sort().map((name) => ({ name, devicePath: "" }))
  try {
    const patch = { status: { volumesAttached } }
    await client.patch(node, { name: nodeName }, "merge", patch, { signal, subresource: "status" })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}
