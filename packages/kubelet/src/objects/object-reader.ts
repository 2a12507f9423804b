/** The kubelet's reading of what pods refer to, kept fresh by watches that live as long as the pods. */
import { configMap, secret, service, type ConfigMap, type Pod, type Secret, type Service } from "@knarr/api"
import type { Env, Scope } from "@knarr/base"
import { createInformerFactory, type Client, type InformerFactory } from "@knarr/client"
import type { ObjectReader } from "../contract.ts"
import { ObjectCache } from "./object-cache.ts"
import { podReferences, type PodReferences } from "./references.ts"
import { TokenCache } from "./token-cache.ts"

/** What a pod was made from has changed. */
export type ObjectChange =
  | { readonly kind: "secret" | "configMap"; readonly namespace: string; readonly name: string }
  | { readonly kind: "token"; readonly podUid: string }

export interface PodObjectReader extends ObjectReader {
  /** Watches what the pod refers to until it is unregistered. Idempotent; call it again when the pod changes. */
  registerPod(pod: Readonly<Pod>): void
  unregisterPod(podUid: string): void
  /** `fn` is called after every change of a watched object, synchronously. */
  onChange(fn: (change: ObjectChange) => void): Disposable
  /** Resolves when {@link ObjectReader.services} is complete. */
  servicesSynced(signal: AbortSignal): Promise<void>
}

export interface ObjectReaderOptions {
  readonly env: Env
  readonly scope: Scope
  readonly client: Client
  /** Where the Services come from; default: an informer of its own. */
  readonly informers?: InformerFactory
}

export function createObjectReader(options: ObjectReaderOptions): PodObjectReader {
  const { env, client } = options
  const scope = options.scope.child("objects")
  const listeners = new Set<(change: ObjectChange) => void>()
  const tell = (change: ObjectChange): void => {
    for (const listener of listeners) {
      try {
        listener(change)
      } catch (thrown) {
        // The others, and the watch that this comes from, go on.
        env.log.error("Cannot tell of a changed object", thrown, { kind: change.kind })
      }
    }
  }
  const secrets = new ObjectCache<Secret>({
    env,
    scope,
    client,
    kind: secret,
    onChange: (namespace, name) => tell({ kind: "secret", namespace, name }),
  })
  const configMaps = new ObjectCache<ConfigMap>({
    env,
    scope,
    client,
    kind: configMap,
    onChange: (namespace, name) => tell({ kind: "configMap", namespace, name }),
  })
  const tokens = new TokenCache({ env, scope, client, onDue: (podUid) => tell({ kind: "token", podUid }) })
  const informers = options.informers ?? createInformerFactory({ client, scope, env })
  const services = informers.informer<Service>(service)
  const registered = new Map<string, { readonly namespace: string; readonly references: PodReferences }>()

  const release = (podUid: string): void => {
    const old = registered.get(podUid)
    if (!old) return
    registered.delete(podUid)
    for (const name of old.references.secrets) secrets.release(old.namespace, name)
    for (const name of old.references.configMaps) configMaps.release(old.namespace, name)
  }
  return {
    registerPod(pod) {
      const { uid } = pod.metadata
      const namespace = pod.metadata.namespace!
      const references = podReferences(pod)
      for (const name of references.secrets) secrets.retain(namespace, name)
      for (const name of references.configMaps) configMaps.retain(namespace, name)
      release(uid)
      registered.set(uid, { namespace, references })
    },
    unregisterPod(podUid) {
      release(podUid)
      tokens.forget(podUid)
    },
    onChange(fn) {
      listeners.add(fn)
      return { [Symbol.dispose]: () => void listeners.delete(fn) }
    },
    servicesSynced: (signal) => services.waitForSync(signal),
    secret: (namespace, name, signal) => secrets.get(namespace, name, signal),
    configMap: (namespace, name, signal) => configMaps.get(namespace, name, signal),
    serviceAccountToken: (pod, audience, expirationSeconds, signal) =>
      tokens.get(pod, audience, expirationSeconds, signal),
    services: (namespace) => services.list(namespace),
  }
}
