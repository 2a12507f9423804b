/** Calls the admission chain for one request. */
import { createAdmissionRequest } from "../admission/attributes.ts"
import type { AdmissionAttributes, AdmissionRequest } from "../contract.ts"
import type { ObjectRef, WriteRequest } from "./request.ts"
import type { ResourceStorage } from "./storage.ts"

type What = Pick<AdmissionAttributes, "operation" | "object" | "oldObject"> & {
  readonly subresource?: string
}

export function admissionAttributes(
  storage: ResourceStorage,
  ref: ObjectRef,
  what: What,
  request: WriteRequest,
): AdmissionRequest {
  return createAdmissionRequest({
    operation: what.operation,
    kind: storage.kind,
    subresource: what.subresource ?? "",
    namespace: ref.namespace,
    name: ref.name,
    object: what.object,
    oldObject: what.oldObject,
    user: request.user,
    dryRun: request.dryRun,
    options: optionsOf(what.operation, request.options),
    warnings: request.warnings,
    signal: request.signal,
    annotate: request.annotate,
  })
}

/** What a patch or an update was sent with, as the options of what comes of it. */
function optionsOf(
  operation: AdmissionAttributes["operation"],
  options: WriteRequest["options"],
): WriteRequest["options"] {
  if (operation !== "CREATE" && operation !== "UPDATE") return options
  const kind = operation === "CREATE" ? "CreateOptions" : "UpdateOptions"
  if (options["kind"] === undefined || options["kind"] === kind) return options
  const { force: _, ...others } = options
  return { ...others, kind }
}
