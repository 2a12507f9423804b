/**
 * Watches single objects of one kind for as long as some pod refers to them.
 * Mirrors: pkg/kubelet/util/manager/watch_based_manager.go
 */
import { Scope, abortable, deferred, type Deferred, type Env } from "@knarr/base"
import { isNotFound, type Kind, type KubeObject } from "@knarr/apimachinery"
import { runReflector, type Client, type ReflectorTarget } from "@knarr/client"

export interface ObjectCacheOptions<T extends KubeObject> {
  readonly env: Env
  readonly scope: Scope
  readonly client: Client
  readonly kind: Kind<T>
  /** Called after each change of a watched object, not for its first reading. */
  readonly onChange: (namespace: string, name: string) => void
}

interface Entry<T> {
  readonly namespace: string
  readonly name: string
  readonly scope: Scope
  users: number
  object: T | undefined
  known: boolean
  first: Deferred<void>
}

export class ObjectCache<T extends KubeObject & { readonly immutable?: boolean | undefined }> {
  readonly #options: ObjectCacheOptions<T>
  readonly #entries = new Map<string, Entry<T>>()

  constructor(options: ObjectCacheOptions<T>) {
    this.#options = options
  }

  /** One more user of the object; the first starts its watch. */
  retain(namespace: string, name: string): void {
    const key = `${namespace}/${name}`
    let entry = this.#entries.get(key)
    if (!entry) {
      const scope = this.#options.scope.child(`${this.#options.kind.plural} ${key}`)
      entry = { namespace, name, scope, users: 0, object: undefined, known: false, first: deferred() }
      this.#entries.set(key, entry)
      const started = entry
      scope.run("watch", (signal) => this.#follow(started, signal), { restart: true })
    }
    entry.users++
  }

  /** One user less; the last ends the watch. */
  release(namespace: string, name: string): void {
    const key = `${namespace}/${name}`
    const entry = this.#entries.get(key)
    if (!entry || --entry.users > 0) return
    this.#entries.delete(key)
    this.#options.scope.run(`end of ${entry.scope.name}`, () => entry.scope.close(), { contained: true })
  }

  /** The object as the watch has it; one that is not there is asked for again. Rejects with the API's error. */
  async get(namespace: string, name: string, signal: AbortSignal): Promise<T | undefined> {
    const entry = this.#entries.get(`${namespace}/${name}`)
    if (entry && !entry.known) await abortable(entry.first.promise, signal)
    if (entry?.object) return entry.object
    const found = await this.#read(namespace, name, signal)
    if (entry && found && !entry.object) entry.object = found
    return found
  }

  async #read(namespace: string, name: string, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.#options.client.get(this.#options.kind, { namespace, name }, { signal })
    } catch (thrown) {
      if (isNotFound(thrown)) return undefined
      throw thrown
    }
  }

  /** Ends by itself when the object can change no more. */
  #follow(entry: Entry<T>, signal: AbortSignal): Promise<void> {
    const { client, kind, env, onChange } = this.#options
    const { namespace, name } = entry
    const known = (): void => {
      entry.known = true
      entry.first.resolve()
    }
    const take = (object: T | undefined): void => {
      const changed = entry.object?.metadata.resourceVersion !== object?.metadata.resourceVersion
      const first = !entry.known
      entry.object = object
      known()
      if (changed && !first) onChange(namespace, name)
    }
    const target: ReflectorTarget<T> = {
      replace: ([object]: readonly T[]) => take(object),
      changed: take,
      deleted: () => take(undefined),
      failed(thrown: unknown) {
        // Whoever waits for the first reading asks by itself and gets the error.
        known()
        env.log.debug("Watch of one object failed, retrying", {
          kind: kind.kind,
          namespace,
          name,
          err: thrown,
        })
      },
      isDone: () => entry.object?.immutable ?? false,
    }
    return runReflector(
      { client, kind, env, namespace, fieldSelector: `metadata.name=${name}`, target },
      signal,
    )
  }
}
