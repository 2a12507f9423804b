/**
 * Writes which volumes the pod's claims get, or where volumes are to be made for them, and waits until the binder of
 * volumes and provisioners have done their part. Mirrors: plugins/volumebinding/binder.go (BindPodVolumes, checkBindings)
 */
import {
  persistentVolume,
  persistentVolumeClaim,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
} from "@knarr/api"
import { messageOf, TimeoutError, deferred, abortable, withTimeout, type Clock } from "@knarr/base"
import type { Client, Informer } from "@knarr/client"
import { volumeAnnotations, volumeFitsNode } from "@knarr/pod-rules"
import { isNewer, type Assumed } from "./assumed.ts"
import type { StaticBinding } from "./volume-search.ts"

export interface BindContext {
  readonly client: Client
  readonly clock: Clock
  readonly pods: Informer<Pod>
  readonly nodes: Informer<Node>
  readonly claims: Informer<PersistentVolumeClaim>
  readonly volumes: Informer<PersistentVolume>
  readonly assumedClaims: Assumed<PersistentVolumeClaim>
  readonly assumedVolumes: Assumed<PersistentVolume>
  readonly timeoutMs: number
}

/** As they are to be written: volumes that name their claims, claims that name their node. */
export interface PlannedVolumes {
  readonly bindings: readonly StaticBinding[]
  readonly claims: readonly Readonly<PersistentVolumeClaim>[]
}

/** Resolves when all are bound. Rejects when that can not become true any more, or takes too long. */
export async function bindVolumes(
  context: BindContext,
  pod: Readonly<Pod>,
  nodeName: string,
  planned: PlannedVolumes,
  signal: AbortSignal,
): Promise<void> {
  const written = await write(context, planned, signal)
  try {
    await withTimeout(context.clock, context.timeoutMs, "volumes to be bound", signal, (during) =>
      untilBound(context, pod, nodeName, written, during),
    )
  } catch (thrown) {
    if (signal.aborted) throw thrown
    const message = thrown instanceof TimeoutError ? "context deadline exceeded" : messageOf(thrown)
    throw new Error(`binding volumes: ${message}`, { cause: thrown })
  }
}

async function write(
  context: BindContext,
  planned: PlannedVolumes,
  signal: AbortSignal,
): Promise<PlannedVolumes> {
  const { client, assumedVolumes, assumedClaims } = context
  const bindings: StaticBinding[] = []
  const claims: Readonly<PersistentVolumeClaim>[] = []
  try {
    for (const { claim, volume } of planned.bindings) {
      const now = await client.update(persistentVolume, volume, { signal })
      assumedVolumes.assume(now)
      bindings.push({ claim, volume: now })
    }
    for (const claim of planned.claims) {
      const now = await client.update(persistentVolumeClaim, claim, { signal })
      assumedClaims.assume(now)
      claims.push(now)
    }
    return { bindings, claims }
  } catch (thrown) {
    if (signal.aborted) throw thrown
    // Whoever reads the cause must not take a volume that is gone for the pod.
    throw new Error(messageOf(thrown), { cause: thrown })
  }
}

async function untilBound(
  context: BindContext,
  pod: Readonly<Pod>,
  nodeName: string,
  written: PlannedVolumes,
  signal: AbortSignal,
): Promise<void> {
  const { pods, nodes, claims, volumes } = context
  const bound = deferred()
  const look = (): void => {
    try {
      if (isAllBound(context, pod, nodeName, written)) bound.resolve()
    } catch (thrown) {
      bound.reject(thrown as Error)
    }
  }
  // What is there already is told first, and would be looked at once for each.
  let isListening = false
  const later = (): void => {
    if (isListening) look()
  }
  using _claims = claims.subscribe({ added: later, updated: later, deleted: later })
  using _volumes = volumes.subscribe({ added: later, updated: later, deleted: later })
  using _pods = pods.subscribe({ deleted: later })
  using _nodes = nodes.subscribe({ deleted: later })
  isListening = true
  look()
  await abortable(bound.promise, signal)
}

/** Throws when binding has to begin anew, with another node maybe. */
function isAllBound(
  { pods, nodes, claims, volumes }: BindContext,
  pod: Readonly<Pod>,
  nodeName: string,
  { bindings, claims: provisioned }: PlannedVolumes,
): boolean {
  const node = nodes.get({ name: nodeName })
  if (!node) throw new Error(`failed to get node "${nodeName}": node "${nodeName}" not found`)
  const { namespace = "", name } = pod.metadata
  if (!pods.get({ namespace, name })) throw new Error(`pod does not exist any more: pod "${name}" not found`)
  const claimOf = (metadata: PersistentVolumeClaim["metadata"]): Readonly<PersistentVolumeClaim> => {
    const claim = claims.get({ namespace: metadata.namespace!, name: metadata.name })
    if (!claim) throw new Error(`failed to check binding: persistentvolumeclaim "${metadata.name}" not found`)
    return claim
  }
  const checkNode = (volume: Readonly<PersistentVolume>): void => {
    if (volumeFitsNode(volume, node.metadata.labels)) return
    throw new Error(
      `pv "${volume.metadata.name}" node affinity doesn't match node "${nodeName}": no matching NodeSelectorTerms`,
    )
  }
  for (const { claim, volume: mine } of bindings) {
    const volume = volumes.get({ name: mine.metadata.name })
    if (!volume)
      throw new Error(`failed to check binding: persistentvolume "${mine.metadata.name}" not found`)
    const now = claimOf(claim.metadata)
    if (isNewer(mine, volume)) return false
    checkNode(volume)
    if (!volume.spec.claimRef?.uid) throw new Error(`ClaimRef got reset for pv "${volume.metadata.name}"`)
    if (!isFullyBound(now)) return false
  }
  for (const mine of provisioned) {
    const claim = claimOf(mine.metadata)
    if (isNewer(mine, claim)) return false
    const { annotations } = claim.metadata
    if (!annotations) throw new Error(`selectedNode annotation reset for PVC "${claim.metadata.name}"`)
    // Who cannot make a volume there takes the annotation away.
    if (annotations[volumeAnnotations.selectedNode] !== nodeName)
      throw new Error(`provisioning failed for PVC "${claim.metadata.name}"`)
    const { volumeName } = claim.spec
    if (volumeName) {
      const volume = volumes.get({ name: volumeName })
      if (!volume) return false
      checkNode(volume)
    }
    if (!isFullyBound(claim)) return false
  }
  return true
}

/** Whether the claim has its volume, and the binder has said so. */
export function isFullyBound({ metadata, spec }: Readonly<PersistentVolumeClaim>): boolean {
  return Boolean(spec.volumeName) && metadata.annotations?.[volumeAnnotations.bindCompleted] !== undefined
}
