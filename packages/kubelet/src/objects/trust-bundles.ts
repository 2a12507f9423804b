/**
 * The certificates that pods trust: what ClusterTrustBundles hold, watched while some pod shows them.
 * Mirrors: pkg/kubelet/clustertrustbundle/clustertrustbundle_manager.go
 */
import { createHash } from "node:crypto"
import { clusterTrustBundle, type ClusterTrustBundle, type ClusterTrustBundleProjection } from "@knarr/api"
import { selectorFrom } from "@knarr/apimachinery"
import { readPem, withTimeout, writePem, type Env } from "@knarr/base"
import type { InformerFactory, InformerLease } from "@knarr/client"

export interface TrustBundlesOptions {
  readonly env: Env
  readonly informers: InformerFactory
  /** Called after each change of a bundle. */
  readonly onChange: () => void
}

const syncLimitMs = 10_000

export class TrustBundles {
  readonly #options: TrustBundlesOptions
  /** Nobody shall rely on an order: it is another one after each start. */
  readonly #salt: string
  #lease: InformerLease<ClusterTrustBundle> | undefined
  #subscription: Disposable | undefined
  #users = 0

  constructor(options: TrustBundlesOptions) {
    this.#options = options
    this.#salt = String(options.env.random.next())
  }

  /** One more user; the first starts the watch. */
  retain(): void {
    if (this.#users++ > 0) return
    const { informers, onChange } = this.#options
    this.#lease = informers.lease(clusterTrustBundle)
    const { informer } = this.#lease
    const changed = (): void => {
      if (informer.synced) onChange()
    }
    this.#subscription = informer.subscribe({ added: changed, updated: changed, deleted: changed })
  }

  /** One user less; the last ends the watch. */
  release(): void {
    if (--this.#users > 0) return
    this.#subscription?.[Symbol.dispose]()
    this.#lease?.[Symbol.dispose]()
    this.#subscription = this.#lease = undefined
  }

  /** See `VolumeReader.trustAnchors`. */
  async anchors(
    { name, signerName, labelSelector, optional = false }: Readonly<ClusterTrustBundleProjection>,
    signal: AbortSignal,
  ): Promise<string> {
    const informer = this.#lease?.informer
    const { clock } = this.#options.env
    try {
      await withTimeout(clock, syncLimitMs, "trust bundles", signal, async (inner) =>
        informer?.waitForSync(inner),
      )
    } catch {
      signal.throwIfAborted()
    }
    if (!informer?.synced) throw new Error("ClusterTrustBundle informer has not yet synced")
    if (name !== undefined) {
      const bundle = informer.get({ name })
      if (bundle) return this.#join([bundle])
      if (optional) return ""
      throw new Error(
        `while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "${name}" not found`,
      )
    }
    if (signerName === undefined)
      throw new Error("ClusterTrustBundle projection requires either name or signerName to be set")
    const selector = selectorFrom(labelSelector)
    const bundles = informer
      .list()
      .filter(({ metadata, spec }) => spec.signerName === signerName && selector.matches(metadata.labels))
    if (bundles.length === 0 && !optional)
      throw new Error("combination of signerName and labelSelector matched zero ClusterTrustBundles")
    return this.#join(bundles)
  }

  #join(bundles: readonly ClusterTrustBundle[]): string {
    const anchors = new Map<string, string>()
    for (const { spec } of bundles) {
      for (const { bytes } of readPem(spec.trustBundle)) {
        const place = createHash("sha256").update(this.#salt).update(bytes).digest("hex")
        anchors.set(place, writePem("CERTIFICATE", bytes))
      }
    }
    return [...anchors.keys()]
      .sort()
      .map((place) => anchors.get(place))
      .join("")
  }
}
