/** Handlers of what is stored as an object of the kind: the resource itself, and subresources that change a part of it. */
import type { KubeObject } from "@knarr/apimachinery"
import { whenReady } from "@knarr/base"
import { createObject } from "../create.ts"
import { setObjectDefaults } from "../defaults.ts"
import { patchObject } from "../patch.ts"
import type { Written } from "../storage.ts"
import { putting, updateObject } from "../update.ts"
import { mainStrategy, type UpdateStrategy } from "../update-strategies.ts"
import { type Answer, defineHandler, type Handler } from "./handler.ts"
import { checkNames } from "./names.ts"

/** A part of an object that is read and changed through an endpoint of its own; `strategy` says what changes there. */
export function partOfObject<T extends KubeObject>(part: {
  readonly resource?: string
  readonly name: string
  readonly strategy: UpdateStrategy<T>
}): Handler<T> {
  const { resource, name, strategy } = part
  return defineHandler<T>({
    resource,
    name,
    get: ({ storage, ref }, { resourceVersion, signal }) =>
      whenReady(storage.get(ref, resourceVersion, signal), (object) => ({ code: 200, object })),
    async update({ storage, ref }, body, request) {
      const { kind, deps } = storage
      checkNames(kind, body, ref)
      setObjectDefaults(kind, body, deps.env.clock.now())
      const next = putting(body)
      return answerOf(
        await updateObject(storage, ref, request, { subresource: name, strategy, checkUid: true, next }),
      )
    },
    async patch({ storage, ref }, patch, request) {
      return answerOf(await patchObject(storage, ref, patch, request, { subresource: name, strategy }))
    },
  })
}

function answerOf({ object, outcome }: Written): Answer {
  return { code: outcome === "created" ? 201 : 200, object }
}

/** The resource itself, of any kind that is stored. */
export const storedObjects: Handler<KubeObject> = defineHandler<KubeObject>({
  ...partOfObject({ name: "", strategy: mainStrategy }),
  async create({ storage, ref }, body, request) {
    setObjectDefaults(storage.kind, body, storage.deps.env.clock.now())
    return { code: 201, object: await createObject(storage, ref.namespace, body, request) }
  },
})
