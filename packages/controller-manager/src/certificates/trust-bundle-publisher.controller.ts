/**
 * Publishes the authority of the API server's own certificate as a trust bundle, and takes back what it published before.
 * Mirrors: pkg/controller/certificates/clustertrustbundlepublisher
 */
import { createHash } from "node:crypto"
import { clusterTrustBundle, type ClusterTrustBundle } from "@knarr/api"
import { isAlreadyExists, isNotFound } from "@knarr/apimachinery"
import { allow, defineController, recordEvents, untilAborted, type Controller } from "@knarr/controller-kit"

const signerName = "kubernetes.io/kube-apiserver-serving"
const prefix = `${signerName.replaceAll("/", ":")}:`

/** `trustBundle` in PEM. */
export function createTrustBundlePublisher(trustBundle: string): Controller {
  const hash = createHash("sha256").update(trustBundle).digest()
  const name = `${prefix}${hash.subarray(0, 12).toString("hex")}`
  return defineController<ClusterTrustBundle>({
    name: "kube-apiserver-serving-clustertrustbundle-publisher-controller",
    queueName: "ca_cert_publisher_cluster_trust_bundles",
    serviceAccount: "kube-apiserver-serving-clustertrustbundle-publisher",
    rbac: [
      { ...allow("certificates.k8s.io", "signers", "attest"), resourceNames: [signerName] },
      allow("certificates.k8s.io", "clustertrustbundles", "create delete list update watch"),
      recordEvents,
    ],
    for: clusterTrustBundle,
    workers: 1,
    async run({ enqueue, signal }) {
      enqueue({ name })
      await untilAborted(signal)
    },
    async reconcile(ref, { cache, client, signal }) {
      const present = cache.get(clusterTrustBundle, ref)
      if (ref.name !== name) {
        if (present?.spec.signerName !== signerName) return
        await client.delete(clusterTrustBundle, ref, { signal }).catch(unless(isNotFound))
      } else if (!present) {
        const bundle = { metadata: { name }, spec: { signerName, trustBundle } }
        await client.create(clusterTrustBundle, bundle, { signal }).catch(unless(isAlreadyExists))
      } else if (present.spec.trustBundle !== trustBundle) {
        const spec = { ...present.spec, trustBundle }
        await client.update(clusterTrustBundle, { ...present, spec }, { signal })
      }
    },
  })
}

function unless(is: (thrown: unknown) => boolean): (thrown: unknown) => void {
  return (thrown) => {
    if (!is(thrown)) throw thrown
  }
}
