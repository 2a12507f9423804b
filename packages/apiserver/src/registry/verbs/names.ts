/** The name in a body is that of the URL. Mirrors: apiserver pkg/endpoints/handlers/rest.go checkName */
import { badRequest, type Kind, type KubeObject, type StatusError } from "@knarr/apimachinery"
import type { ObjectRef } from "../request.ts"

/** 400: the body has no name, as the URL has. */
export function nameUndetermined({ name }: ObjectRef): StatusError {
  return badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
}

/** Throws 400 when an object has no name, or another one than it is asked for by. */
export function checkName(obj: Readonly<KubeObject>, ref: ObjectRef): void {
  const { name } = obj.metadata
  if (!name) throw nameUndetermined(ref)
  if (name !== ref.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${ref.name})`)
  }
}

/** Throws 400 as {@link checkName} does, and for another namespace than that of the URL. */
export function checkNames(kind: Kind, obj: Readonly<KubeObject>, ref: ObjectRef): void {
  checkName(obj, ref)
  const namespace = obj.metadata.namespace ?? ""
  if (kind.namespaced && namespace !== "" && namespace !== ref.namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request")
  }
}
