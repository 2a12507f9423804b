/** The new revision's ReplicaSet: found, brought up to date, or created. Mirrors: pkg/controller/deployment/sync.go */
import { deployment, replicaSet, type Deployment, type PodTemplateSpec, type ReplicaSet } from "@knarr/api"
import {
  deepClone,
  isAlreadyExists,
  isControlledBy,
  newControllerRef,
  refOf,
  semanticEqual,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { type ReconcileContext } from "@knarr/controller-kit"
import { isNamespaceTerminating } from "../workload/pod-control.ts"
import { templateHash } from "../workload/template-hash.ts"
import { newSetAnnotations } from "./annotations.ts"
import { byCreation, newReplicaSetSize, revisionAnnotation, revisionOf } from "./arithmetic.ts"
import {
  conditionOf,
  hasProgressDeadline,
  newCondition,
  withCondition,
  type Condition,
} from "./conditions.ts"

const hashLabel = "pod-template-hash"

/** What one sync of a deployment works on. `d` is replaced when the controller itself changes the deployment. */
export interface Sync {
  d: Deployment
  readonly ctx: ReconcileContext
  readonly sets: readonly ReplicaSet[]
}

export interface Revisions {
  readonly newSet: ReplicaSet | undefined
  readonly old: readonly ReplicaSet[]
  readonly all: readonly ReplicaSet[]
}

/** True when two templates differ at most in the hash label. */
function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return semanticEqual(withoutHash(a), withoutHash(b))
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [hashLabel]: _hash, ...labels } = template.metadata?.labels ?? {}
  return { ...template, metadata: { ...template.metadata, labels } }
}

/** The revisions of the deployment; the new one is created when there is none and `create` is true. */
export async function revisionsOf(sync: Sync, create: boolean): Promise<Revisions> {
  const sorted = [...sync.sets].sort(byCreation)
  const existing = sorted.find((set) => sameTemplate(set.spec.template, sync.d.spec.template))
  const old = sync.sets.filter((set) => set.metadata.uid !== existing?.metadata.uid)
  const revision = old.map(revisionOf).reduce((a, b) => (a > b ? a : b), 0n) + 1n
  const newSet = existing
    ? await refresh(sync, existing, revision)
    : create
      ? await createNew(sync, old, revision)
      : undefined
  return { newSet, old, all: newSet ? [...old, newSet] : old }
}

async function refresh(sync: Sync, existing: ReplicaSet, revision: bigint): Promise<ReplicaSet> {
  const { ctx } = sync
  const annotations = newSetAnnotations(sync.d, existing.metadata.annotations ?? {}, revision, true)
  const minReadySeconds = sync.d.spec.minReadySeconds
  let current = existing
  if (
    !semanticEqual(annotations, existing.metadata.annotations) ||
    (minReadySeconds ?? 0) !== (existing.spec.minReadySeconds ?? 0)
  ) {
    const next = deepClone(existing)
    next.metadata.annotations = { ...annotations }
    next.spec.minReadySeconds = minReadySeconds
    current = await ctx.client.update(replicaSet, next, { signal: ctx.signal })
  }
  const condition =
    hasProgressDeadline(sync.d) && !conditionOf(sync.d.status, "Progressing")
      ? newCondition(
          "Progressing",
          "True",
          "FoundNewReplicaSet",
          `Found new replica set "${existing.metadata.name}"`,
          ctx.clock.now(),
        )
      : undefined
  await record(sync, current.metadata.annotations?.[revisionAnnotation], condition)
  return current
}

/** Writes the deployment's revision annotation and a condition, when they say something new. */
async function record(
  sync: Sync,
  revision: string | undefined,
  condition: Condition | undefined,
): Promise<void> {
  const { ctx } = sync
  if (revision !== undefined && sync.d.metadata.annotations?.[revisionAnnotation] !== revision) {
    const next = deepClone(sync.d)
    next.metadata.annotations = { ...next.metadata.annotations, [revisionAnnotation]: revision }
    sync.d = await ctx.client.update(deployment, next, { signal: ctx.signal })
  }
  if (condition) await writeConditions(sync, withCondition(sync.d.status?.conditions ?? [], condition))
}

/** Writes the status with these conditions and, when given, this collision count. */
export async function writeConditions(
  sync: Sync,
  conditions: readonly Condition[],
  collisionCount?: number,
): Promise<void> {
  const { ctx } = sync
  const next = deepClone(sync.d)
  next.status = { ...next.status, conditions: [...conditions] }
  if (collisionCount !== undefined) next.status.collisionCount = collisionCount
  if (semanticEqual(next.status, sync.d.status)) return
  sync.d = await ctx.client.update(deployment, next, { subresource: "status", signal: ctx.signal })
}

async function createNew(sync: Sync, old: readonly ReplicaSet[], revision: bigint): Promise<ReplicaSet> {
  const { ctx, d } = sync
  const hash = templateHash(d.spec.template, d.status?.collisionCount)
  const template = deepClone(d.spec.template)
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } }
  const name = `${d.metadata.name}-${hash}`
  const size = newReplicaSetSize(d, old, 0)
  const draft = {
    metadata: {
      name,
      namespace: d.metadata.namespace,
      ownerReferences: [newControllerRef(d, deployment)],
      labels: { ...template.metadata.labels },
      annotations: { ...newSetAnnotations(d, {}, revision, false) },
    },
    spec: {
      replicas: size,
      ...(d.spec.minReadySeconds ? { minReadySeconds: d.spec.minReadySeconds } : {}),
      selector: {
        ...deepClone(d.spec.selector),
        matchLabels: { ...d.spec.selector.matchLabels, [hashLabel]: hash },
      },
      template,
    },
  }
  let created: ReplicaSet
  let existed = false
  try {
    created = await ctx.client.create(replicaSet, draft, { signal: ctx.signal })
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) {
      await reportFailure(sync, name, thrown)
      throw thrown
    }
    created = await ctx.client.get(
      replicaSet,
      { namespace: d.metadata.namespace, name },
      { signal: ctx.signal },
    )
    existed = true
    if (!isControlledBy(created, d) || !sameTemplate(created.spec.template, d.spec.template)) {
      // Another template has the same hash: the next try takes a different one.
      await writeConditions(sync, d.status?.conditions ?? [], (d.status?.collisionCount ?? 0) + 1)
      throw thrown
    }
  }
  if (!existed && size > 0) {
    ctx.recorder.event(d, "Normal", "ScalingReplicaSet", `Scaled up replica set ${name} from 0 to ${size}`)
  }
  const condition =
    !existed && hasProgressDeadline(d)
      ? newCondition(
          "Progressing",
          "True",
          "NewReplicaSetCreated",
          `Created new replica set "${name}"`,
          ctx.clock.now(),
        )
      : undefined
  await record(sync, String(revision), condition)
  return created
}

async function reportFailure(sync: Sync, name: string, thrown: unknown): Promise<void> {
  const { ctx, d } = sync
  if (isNamespaceTerminating(thrown) || ctx.signal.aborted) return
  const message = `Failed to create new replica set "${name}": ${messageOf(thrown)}`
  ctx.recorder.event(d, "Warning", "ReplicaSetCreateError", message)
  if (!hasProgressDeadline(d)) return
  const condition = newCondition("Progressing", "False", "ReplicaSetCreateError", message, ctx.clock.now())
  await writeConditions(sync, withCondition(d.status?.conditions ?? [], condition))
}

/** Gives a revision its size (and size annotations) and says so. True when the size changed. */
export async function scaleSet(
  sync: Sync,
  set: ReplicaSet,
  size: number,
  annotate: (set: ReplicaSet) => Record<string, string>,
): Promise<boolean> {
  const { ctx } = sync
  const before = set.spec.replicas ?? 1
  const annotations = annotate(set)
  if (before === size && semanticEqual(annotations, set.metadata.annotations)) return false
  const next = deepClone(set)
  next.spec.replicas = size
  next.metadata.annotations = annotations
  await ctx.client.update(replicaSet, next, { signal: ctx.signal })
  if (before === size) return false
  const direction = before < size ? "up" : "down"
  const message = `Scaled ${direction} replica set ${refOf(set).name} from ${before} to ${size}`
  ctx.recorder.event(sync.d, "Normal", "ScalingReplicaSet", message)
  return true
}
