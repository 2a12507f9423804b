/** Creating and deleting pods on behalf of a controller, with the events that users know. Mirrors: pkg/controller/controller_utils.go (RealPodControl) */
import { pod, type Pod, type PodTemplateSpec } from "@knarr/api"
import {
  deepClone,
  hasStatusCause,
  isNotFound,
  type Kind,
  type KubeObject,
  newControllerRef,
  refOf,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { type ReconcileContext } from "@knarr/controller-kit"

export type PodDraft = Pick<Pod, "spec"> & { metadata: Partial<Pod["metadata"]> }

/** The pod that a template describes, controlled by `owner`. Its name is generated unless the caller sets one. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject, ownerKind: Kind): PodDraft {
  const { labels, annotations, finalizers } = template.metadata ?? {}
  return {
    metadata: {
      namespace: owner.metadata.namespace,
      generateName: `${owner.metadata.name}-`,
      labels: { ...labels },
      annotations: { ...annotations },
      ...(finalizers ? { finalizers: [...finalizers] } : {}),
      ownerReferences: [newControllerRef(owner, ownerKind)],
    },
    spec: deepClone(template.spec),
  }
}

/** True when a create failed because its namespace is being deleted: nothing to report, nothing to retry. */
export function isNamespaceTerminating(thrown: unknown): boolean {
  return hasStatusCause(thrown, "NamespaceTerminating")
}

/** Creates a pod and records `SuccessfulCreate` or `FailedCreate` about `owner`. Throws what the server says. */
export async function createPod(ctx: ReconcileContext, draft: PodDraft, owner: KubeObject): Promise<Pod> {
  try {
    const created = await ctx.client.create(pod, draft, { signal: ctx.signal })
    ctx.recorder.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`)
    return created
  } catch (thrown) {
    if (!isNamespaceTerminating(thrown) && !ctx.signal.aborted) {
      ctx.recorder.event(owner, "Warning", "FailedCreate", `Error creating: ${messageOf(thrown)}`)
    }
    throw thrown
  }
}

/** Deletes a pod and records `SuccessfulDelete` or `FailedDelete` about `owner`. Throws what the server says. */
export async function deletePod(ctx: ReconcileContext, victim: Pod, owner: KubeObject): Promise<void> {
  try {
    await ctx.client.delete(pod, refOf(victim), { signal: ctx.signal })
  } catch (thrown) {
    if (!isNotFound(thrown) && !ctx.signal.aborted) {
      ctx.recorder.event(owner, "Warning", "FailedDelete", `Error deleting: ${messageOf(thrown)}`)
    }
    throw thrown
  }
  ctx.recorder.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${victim.metadata.name}`)
}
