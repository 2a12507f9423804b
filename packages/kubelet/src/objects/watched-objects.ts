/** The Secrets and ConfigMaps that pods refer to, each watched once, however many nodes have such pods. */
import { configMap, secret, type ConfigMap, type Secret } from "@knarr/api"
import type { Env, Scope } from "@knarr/base"
import type { Client } from "@knarr/client"
import { ObjectCache } from "./object-cache.ts"

export interface WatchedObjectsOptions {
  readonly env: Env
  readonly scope: Scope
  /** A node's own, or one that may read what all nodes' pods refer to. */
  readonly client: Client
}

export type WatchedObjectListener = (change: {
  readonly kind: "secret" | "configMap"
  readonly namespace: string
  readonly name: string
}) => void

export class WatchedObjects {
  readonly secrets: ObjectCache<Secret>
  readonly configMaps: ObjectCache<ConfigMap>
  readonly #listeners = new Set<WatchedObjectListener>()

  constructor(options: WatchedObjectsOptions) {
    const tell: WatchedObjectListener = (change) => {
      for (const listener of this.#listeners) listener(change)
    }
    this.secrets = new ObjectCache<Secret>({
      ...options,
      kind: secret,
      onChange: (namespace, name) => tell({ kind: "secret", namespace, name }),
    })
    this.configMaps = new ObjectCache<ConfigMap>({
      ...options,
      kind: configMap,
      onChange: (namespace, name) => tell({ kind: "configMap", namespace, name }),
    })
  }

  /** `listener` must not throw. */
  onChange(listener: WatchedObjectListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
}
