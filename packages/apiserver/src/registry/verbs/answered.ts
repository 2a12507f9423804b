/** Handlers of resources whose objects are answered at once and not stored: reviews, bindings. */
import type { KubeObject } from "@knarr/apimachinery"
import { trackUpdate } from "../managed-fields.ts"
import type { WriteRequest } from "../request.ts"
import { defineHandler, type Handler, type Target } from "./handler.ts"

/** `answer` makes what a create of the resource answers; the name in the target is that of the object. */
export function answeredAtOnce<T extends KubeObject>(
  resource: string,
  answer: (body: T, request: WriteRequest, target: Target) => object | Promise<object>,
): Handler<T> {
  return defineHandler<T>({
    resource,
    name: "",
    plain: true,
    async create(target, body, request) {
      const { storage, ref } = target
      const { kind, deps } = storage
      if (kind.namespaced) body.metadata.namespace ??= ref.namespace
      trackUpdate(kind, undefined, body, request.fieldManager, "", deps.env.clock.now())
      const named = { ...target, ref: { namespace: ref.namespace, name: body.metadata.name ?? "" } }
      return { code: 201, value: await answer(body, request, named) }
    },
  })
}
