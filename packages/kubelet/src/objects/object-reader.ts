/** The kubelet's reading of what pods refer to, kept fresh by watches that live as long as the pods. */
import { service, type Pod, type Service } from "@knarr/api"
import type { Env, Scope } from "@knarr/base"
import { createInformerFactory, type Client, type InformerFactory } from "@knarr/client"
import type { ObjectReader } from "../contract.ts"
import { PodCertificates, type CertifyingNode } from "./pod-certificates.ts"
import { podReferences, type PodReferences } from "./references.ts"
import { TokenCache } from "./token-cache.ts"
import { TrustBundles } from "./trust-bundles.ts"
import { WatchedObjects } from "./watched-objects.ts"

/** What a pod was made from has changed. */
export type ObjectChange =
  | { readonly kind: "secret" | "configMap"; readonly namespace: string; readonly name: string }
  | { readonly kind: "token" | "certificate"; readonly podUid: string }
  | { readonly kind: "trustBundle" }

export interface PodObjectReader extends ObjectReader {
  /** Watches what the pod refers to until it is unregistered. Idempotent; call it again when the pod changes. */
  registerPod(pod: Readonly<Pod>): void
  unregisterPod(podUid: string): void
  /** `fn` is called after every change of a watched object, synchronously. */
  onChange(fn: (change: ObjectChange) => void): Disposable
  /** Resolves when {@link ObjectReader.services} is complete. */
  servicesSynced(signal: AbortSignal): Promise<void>
  /** How many certificates of pods are in which state, by signer. */
  certificateStates(): ReadonlyMap<string, ReadonlyMap<string, number>>
}

export interface ObjectReaderOptions {
  readonly env: Env
  readonly scope: Scope
  readonly client: Client
  /** Where the Services come from; default: an informer of its own. */
  readonly informers?: InformerFactory
  /** Default: pods get no certificates. */
  readonly node?: CertifyingNode
  /** Default: Secrets and ConfigMaps are watched for this reader alone. */
  readonly watched?: WatchedObjects
  /** Default: pods' tokens are asked for at the API. */
  readonly makeToken?: (pod: Readonly<Pod>) => string
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
  const { makeToken, watched = new WatchedObjects({ env, scope, client }) } = options
  const { secrets, configMaps } = watched
  scope.use(watched.onChange(tell))
  const tokens = new TokenCache({ env, scope, client, onDue: (podUid) => tell({ kind: "token", podUid }) })
  const informers = options.informers ?? createInformerFactory({ client, scope, env })
  const services = informers.informer<Service>(service)
  const trustBundles = new TrustBundles({ env, informers, onChange: () => tell({ kind: "trustBundle" }) })
  const certificates =
    options.node &&
    new PodCertificates({
      ...{ env, scope, client, informers, node: options.node },
      onIssued: (podUid) => tell({ kind: "certificate", podUid }),
    })
  const registered = new Map<string, { readonly namespace: string; readonly references: PodReferences }>()

  const release = (podUid: string): void => {
    const old = registered.get(podUid)
    if (!old) return
    registered.delete(podUid)
    for (const name of old.references.secrets) secrets.release(old.namespace, name)
    for (const name of old.references.configMaps) configMaps.release(old.namespace, name)
    if (old.references.trustBundles) trustBundles.release()
  }
  // What is watched for others, too, must not stay with whom this reader leaves.
  if (options.watched)
    scope.defer(() => {
      for (const podUid of [...registered.keys()]) release(podUid)
    })
  return {
    registerPod(pod) {
      const { uid } = pod.metadata
      const namespace = pod.metadata.namespace!
      const references = podReferences(pod)
      for (const name of references.secrets) secrets.retain(namespace, name)
      for (const name of references.configMaps) configMaps.retain(namespace, name)
      if (references.trustBundles) trustBundles.retain()
      certificates?.register(pod)
      release(uid)
      registered.set(uid, { namespace, references })
    },
    unregisterPod(podUid) {
      release(podUid)
      tokens.forget(podUid)
      certificates?.forget(podUid)
    },
    onChange(fn) {
      listeners.add(fn)
      return { [Symbol.dispose]: () => void listeners.delete(fn) }
    },
    certificateStates: () => certificates?.states() ?? new Map(),
    servicesSynced: (signal) => services.waitForSync(signal),
    secret: (namespace, name, signal) => secrets.get(namespace, name, signal),
    configMap: (namespace, name, signal) => configMaps.get(namespace, name, signal),
    serviceAccountToken: async (pod, audience, expirationSeconds, signal) =>
      makeToken?.(pod) ?? tokens.get(pod, audience, expirationSeconds, signal),
    trustAnchors: (projection, signal) => trustBundles.anchors(projection, signal),
    async podCertificate(pod, volume, index, signal) {
      if (!certificates) throw new Error("PodCertificate projection is not supported in static kubelet mode")
      return certificates.get(pod, volume, index, signal)
    },
    services: (namespace) => services.list(namespace),
  }
}
