/** Which handler answers for a resource and each of its subresources. */
import { type Kind, pathNotFound } from "@knarr/apimachinery"
import { methodNotAllowed } from "../../server/refusals.ts"
import type { Handler } from "./handler.ts"
import { storedObjects } from "./stored.ts"

export type ObjectVerb = "get" | "create" | "update" | "patch"

export class Handlers {
  /** By `<plural>.<group>/<name>`, or `/<name>` for any resource. */
  readonly #handlers = new Map<string, Handler>()
  readonly #ofKind = new WeakMap<Kind, readonly Handler[]>()
  /** What was found before, by kind and name. */
  #found = new WeakMap<Kind, Map<string, Handler>>()

  constructor(handlers: readonly Handler[]) {
    for (const handler of handlers) this.add(handler)
  }

  /** Throws when there is another one for the same. */
  add(handler: Handler): void {
    const key = `${handler.resource ?? ""}/${handler.name}`
    if (this.#handlers.has(key)) throw new Error(`Cannot add a handler of "${key}": there is one already`)
    this.#handlers.set(key, handler)
    this.#found = new WeakMap()
  }

  /** Those of a kind that is made while the server runs; they end with it. */
  addOf(kind: Kind, handlers: readonly Handler[]): void {
    if (handlers.length > 0) this.#ofKind.set(kind, handlers)
    this.#found.delete(kind)
  }

  /** The handler that takes the verb. Throws 404 when there is no such subresource, 405 when it does not take the verb. */
  of<V extends ObjectVerb>(kind: Kind, subresource: string, verb: V): Handler & Required<Pick<Handler, V>> {
    if (subresource !== "") {
      const declared = kind.subresources.get(subresource)
      if (!declared) throw pathNotFound()
      if (!declared.verbs.includes(verb)) throw methodNotAllowed()
    }
    const handler = this.#find(kind, subresource)
    if (!handler) throw pathNotFound()
    if (!handler[verb]) throw methodNotAllowed()
    return handler as Handler & Required<Pick<Handler, V>>
  }

  /** What takes over the requests to a subresource; undefined when they are about objects. */
  connectOf(kind: Kind, subresource: string): Handler["connect"] {
    return this.#find(kind, subresource)?.connect
  }

  #find(kind: Kind, name: string): Handler | undefined {
    let found = this.#found.get(kind)
    if (!found) this.#found.set(kind, (found = new Map()))
    let handler = found.get(name)
    if (!handler) {
      handler = this.#choose(kind, name)
      if (handler) found.set(name, handler)
    }
    return handler
  }

  #choose(kind: Kind, name: string): Handler | undefined {
    const own = this.#ofKind.get(kind)?.find((handler) => handler.name === name)
    if (own) return own
    const resource = kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`
    return (
      this.#handlers.get(`${resource}/${name}`) ??
      (name === "" ? storedObjects : this.#handlers.get(`/${name}`))
    )
  }
}
