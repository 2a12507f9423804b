/** Deleting a pod as far as its disruption budget allows. Mirrors: pkg/registry/core/pod/storage/eviction.go */
import {
  badRequest,
  deepClone,
  forbidden,
  formatTime,
  isConflict,
  isNotFound,
  type KubeObject,
  selectorFrom,
  StatusError,
  tooManyRequests,
  unexpectedError,
} from "@knarr/apimachinery"
import type { Pod, PodDisruptionBudget } from "@knarr/api"
import { admissionAttributes } from "../admit.ts"
import { createdStatus } from "../answers.ts"
import type { CachedObject } from "../cached-object.ts"
import { deleteObject, validateDeletion } from "../delete.ts"
import type { DeletionOptions, ObjectRef, WriteRequest } from "../request.ts"
import type { ResourceStorage } from "../storage.ts"
import { defineHandler } from "../verbs/handler.ts"
import { setPodCondition } from "./pod-condition.ts"

interface Eviction extends KubeObject {
  deleteOptions?: DeletionOptions & { dryRun?: string[] }
}

const violation = "Cannot evict pod as it would violate the pod's disruption budget."
const maxDisruptedPods = 2000
/** How often a budget or pod that changes meanwhile is tried again. */
const attempts = 20

export const eviction = defineHandler<Eviction>({
  resource: "pods",
  name: "eviction",
  async create({ storage, ref, storages }, body, request) {
    await evictPod(storage, storages.find("policy", "v1", "poddisruptionbudgets"), ref, body, request)
    return { code: 201, value: createdStatus }
  },
})

/** Evicts a pod. Throws 429 when a budget does not allow it. */
async function evictPod(
  pods: ResourceStorage,
  budgets: ResourceStorage | undefined,
  ref: ObjectRef,
  eviction: Eviction,
  outer: WriteRequest,
): Promise<void> {
  validateDeletion(eviction.deleteOptions ?? {})
  const dryRun = outer.dryRun || (eviction.deleteOptions?.dryRun?.length ?? 0) > 0
  const request = { ...outer, dryRun }
  const { dryRun: _, ...options } = eviction.deleteOptions ?? {}
  const wait = pods.fresh(request.signal)
  if (wait) await wait
  const find = (): CachedObject => {
    const found = pods.cache.get(pods.key(ref))
    if (!found) throw pods.notFound(ref.name)
    return found
  }
  const attributes = admissionAttributes(
    pods,
    ref,
    { operation: "CREATE", object: eviction, oldObject: undefined, subresource: "eviction" },
    request,
  )
  await pods.deps.admission.admit(attributes)
  const admitted = attributes.object as Eviction
  if (admitted.metadata.name !== ref.name) {
    throw badRequest("name in URL does not match name in Eviction object")
  }
  find()
  await pods.deps.admission.validate(attributes)
  for (let attempt = 1; ; attempt++) {
    const object = find()
    try {
      await evictOnce(pods, budgets, ref, object, options, request)
      return
    } catch (thrown) {
      if (attempt === attempts || options.preconditions?.resourceVersion || !isConflict(thrown)) throw thrown
      if (
        thrown instanceof StatusError &&
        options.preconditions?.uid &&
        find().uid !== options.preconditions.uid
      ) {
        throw thrown
      }
    }
  }
}

async function evictOnce(
  pods: ResourceStorage,
  budgets: ResourceStorage | undefined,
  ref: ObjectRef,
  object: CachedObject,
  options: DeletionOptions,
  request: WriteRequest,
): Promise<void> {
  const pod = object.value as unknown as Readonly<Pod>
  const { phase } = pod.status ?? {}
  const ignore =
    phase === "Succeeded" || phase === "Failed" || phase === "Pending" || !!pod.metadata.deletionTimestamp
  if (ignore) {
    // A pod that starts to run meanwhile is not to slip through.
    await evict(pods, ref, pod, options, request, phase === "Pending" ? String(object.revision) : undefined)
    return
  }
  const matching = budgets ? budgetsOf(budgets, pod) : []
  if (matching.length > 1) {
    throw unexpectedError(
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    )
  }
  const budget = matching[0]
  if (!budget) {
    await evict(pods, ref, pod, options, request)
    return
  }
  if (!isReady(pod)) {
    const state = budget.value as unknown as Readonly<PodDisruptionBudget>
    const { currentHealthy = 0, desiredHealthy = 0 } = state.status ?? {}
    const free =
      state.spec?.unhealthyPodEvictionPolicy === "AlwaysAllow" ||
      (currentHealthy >= desiredHealthy && desiredHealthy > 0)
    if (free) {
      await evict(pods, ref, pod, options, request, String(object.revision))
      return
    }
  }
  await spend(budgets!, budget, pod, request)
  await evict(pods, ref, pod, options, request)
}

function isReady(pod: Readonly<Pod>): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false
}

function budgetsOf(budgets: ResourceStorage, pod: Readonly<Pod>): CachedObject[] {
  return budgets.cache.collect(pod.metadata.namespace!).filter((object) => {
    const { spec } = object.value as unknown as Readonly<PodDisruptionBudget>
    return spec?.selector !== undefined && selectorFrom(spec.selector).matches(pod.metadata.labels)
  })
}

/** Takes one disruption from the budget. */
async function spend(
  budgets: ResourceStorage,
  budget: CachedObject,
  pod: Readonly<Pod>,
  request: WriteRequest,
): Promise<void> {
  const now = formatTime(budgets.deps.env.clock.now())
  await budgets.write(budget.key, request, async (current) => {
    if (!current) throw budgets.notFound(budget.name)
    const old = current.value as unknown as Readonly<PodDisruptionBudget>
    checkBudget(old)
    const next = deepClone(old) as PodDisruptionBudget
    const { status } = next
    status.disruptionsAllowed = (status.disruptionsAllowed ?? 0) - 1
    if (status.disruptionsAllowed === 0) {
      const condition = status.conditions?.find(({ type }) => type === "DisruptionAllowed")
      if (condition && condition.status !== "False") {
        condition.status = "False"
        condition.reason = "InsufficientPods"
        condition.message = ""
        condition.lastTransitionTime = now
      }
    }
    status.disruptedPods = { ...status.disruptedPods, [pod.metadata.name]: now }
    return { put: next }
  })
}

function checkBudget({ metadata, status }: Readonly<PodDisruptionBudget>): void {
  const refuse = (retryAfterSeconds: number, message: string): never => {
    const error = tooManyRequests(violation, retryAfterSeconds)
    error.status.details = { ...error.status.details, causes: [{ reason: "DisruptionBudget", message }] }
    throw error
  }
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    refuse(10, `The disruption budget ${metadata.name} is still being processed by the server.`)
  }
  const resource = { group: "policy", resource: "poddisruptionbudget" }
  const allowed = status.disruptionsAllowed ?? 0
  if (allowed < 0) throw forbidden(resource, metadata.name, "pdb disruptions allowed is negative")
  if (Object.keys(status.disruptedPods ?? {}).length > maxDisruptedPods) {
    throw forbidden(
      resource,
      metadata.name,
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
    )
  }
  if (allowed > 0) return
  const failed = status.conditions?.find(({ type }) => type === "DisruptionAllowed")
  if (failed?.reason === "SyncFailed" && failed.message) {
    refuse(
      0,
      `The disruption budget ${metadata.name} does not allow evicting pods currently because it failed sync: ${failed.message}`,
    )
  }
  refuse(
    0,
    `The disruption budget ${metadata.name} needs ${status.desiredHealthy ?? 0} healthy pods and has ` +
      `${status.currentHealthy ?? 0} currently`,
  )
}

/** Says why the pod goes, and deletes it. */
async function evict(
  pods: ResourceStorage,
  ref: ObjectRef,
  pod: Readonly<Pod>,
  options: DeletionOptions,
  request: WriteRequest,
  revision?: string,
): Promise<void> {
  const { uid } = pod.metadata
  const now = formatTime(pods.deps.env.clock.now())
  if (!request.dryRun) {
    await pods.write(pods.key(ref), request, async (current) => {
      if (!current) throw pods.notFound(ref.name)
      const old = current.value as unknown as Readonly<Pod>
      if (old.metadata.uid !== uid) throw pods.notFound(ref.name)
      if (revision !== undefined && revision !== old.metadata.resourceVersion) throw pods.modified(ref.name)
      if (old.metadata.deletionTimestamp) return { keep: current }
      const next = deepClone(old) as Pod
      setPodCondition(
        next,
        {
          type: "DisruptionTarget",
          status: "True",
          reason: "EvictionByEvictionAPI",
          message: "Eviction API: evicting",
        },
        now,
      )
      return { put: next }
    })
  }
  try {
    const { resourceVersion: _, ...preconditions } = options.preconditions ?? {}
    const deletion = { ...options, preconditions: { uid, ...preconditions } }
    await deleteObject(pods, ref, deletion, request, { admitted: true })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}
