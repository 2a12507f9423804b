/** Binding a pod to a node. Mirrors: pkg/registry/core/pod/storage BindingREST */
import {
  aggregateMessage,
  badRequest,
  conflict,
  deepClone,
  field,
  type FieldError,
  formatTime,
  type KubeObject,
  nameIsDNSSubdomain,
  pathNotFound,
  type StatusError,
  statusErrorFrom,
} from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"
import { admissionAttributes } from "../admit.ts"
import { createdStatus } from "../answers.ts"
import type { ObjectRef, WriteRequest } from "../request.ts"
import type { ResourceStorage } from "../storage.ts"
import { preconditionFailed } from "../update.ts"
import { answeredAtOnce } from "../verbs/answered.ts"
import { defineHandler } from "../verbs/handler.ts"
import { setPodCondition } from "./pod-condition.ts"

interface Binding extends KubeObject {
  target?: { kind?: string; name?: string; apiVersion?: string }
}

export const binding = defineHandler<Binding>({
  resource: "pods",
  name: "binding",
  async create({ storage, ref }, body, request) {
    await bindPod(storage, ref, body, request)
    return { code: 201, value: createdStatus }
  },
})

/** The way in which pods were bound before they had a subresource for it. */
export const bindings = answeredAtOnce<Binding>("bindings", async (body, request, { storages, ref }) => {
  const pods = storages.find("", "v1", "pods")
  if (!pods) throw pathNotFound()
  await bindPod(pods, ref, body, request)
  return createdStatus
})

/** Sets the node of a pod that has none. Throws NotFound, or a conflict that says why it cannot be. */
async function bindPod(
  pods: ResourceStorage,
  ref: ObjectRef,
  binding: Binding,
  request: WriteRequest,
): Promise<void> {
  if (ref.name !== "" && binding.metadata.name !== ref.name)
    throw badRequest("name in URL does not match name in Binding object")
  const errors: FieldError[] = []
  const asked = binding.target
  if (asked?.kind && asked.kind !== "Node") {
    errors.push(field.notSupported("target.kind", asked.kind, ["Node", "<empty>"]))
  }
  if (!asked?.name) errors.push(field.required("target.name", ""))
  else
    for (const why of nameIsDNSSubdomain(asked.name, false))
      errors.push(field.invalid("target.name", asked.name, why))
  if (errors.length > 0) throw unreadable(errors)
  if (ref.name === "") throw badRequest("Name parameter required.")
  const attributes = admissionAttributes(
    pods,
    ref,
    { operation: "CREATE", object: binding, oldObject: undefined, subresource: "binding" },
    request,
  )
  await pods.deps.admission.admit(attributes)
  await pods.deps.admission.validate(attributes)
  const { metadata, target } = attributes.object as Binding
  const now = formatTime(pods.deps.env.clock.now())
  await pods.write(pods.key(ref), request, async (current) => {
    if (!current) throw pods.notFound(ref.name)
    const old = current.value as unknown as Readonly<Pod>
    if (metadata.uid && metadata.uid !== old.metadata.uid) {
      throw preconditionFailed(pods, ref, "UID", metadata.uid, old.metadata.uid)
    }
    if (metadata.resourceVersion && metadata.resourceVersion !== old.metadata.resourceVersion) {
      throw preconditionFailed(
        pods,
        ref,
        "ResourceVersion",
        metadata.resourceVersion,
        old.metadata.resourceVersion,
      )
    }
    const why = unbindable(old)
    if (why !== "") throw conflict({ group: "", resource: "pods/binding" }, ref.name, why)
    const next = deepClone(old) as Pod
    next.spec.nodeName = target!.name
    delete next.status.nominatedNodeName
    if (metadata.annotations)
      next.metadata.annotations = { ...next.metadata.annotations, ...metadata.annotations }
    if (metadata.labels) next.metadata.labels = { ...next.metadata.labels, ...metadata.labels }
    setPodCondition(next, { type: "PodScheduled", status: "True" }, now)
    return { put: next }
  })
}

/** Upstream hands these on as they are: an error of the server without a reason. */
function unreadable(errors: readonly FieldError[]): StatusError {
  return statusErrorFrom({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: aggregateMessage(errors),
    code: 500,
  })
}

function unbindable(pod: Readonly<Pod>): string {
  const { name } = pod.metadata
  if (pod.metadata.deletionTimestamp) return `pod ${name} is being deleted, cannot be assigned to a host`
  if (pod.spec.nodeName) return `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`
  if (pod.spec.schedulingGates?.length) return `pod ${name} has non-empty .spec.schedulingGates`
  return ""
}
