/** Puts the cluster's certificate authority into every namespace. Mirrors: pkg/controller/certificates/rootcacertpublisher */
import { configMap, namespace, type ConfigMap, type Namespace } from "@knarr/api"
import { hasStatusCause, isAlreadyExists } from "@knarr/apimachinery"
import { allow, defineController, recordEvents, type Controller } from "@knarr/controller-kit"

const rootCAConfigMapName = "kube-root-ca.crt"

const annotation = "kubernetes.io/description"
const description =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. " +
  "No other usage is guaranteed across distributions of Kubernetes clusters."

/** `rootCA` is the bundle in PEM. */
export function createRootCACertPublisher(rootCA: string): Controller {
  return defineController<Namespace>({
    name: "root-ca-certificate-publisher-controller",
    queueName: "root_ca_cert_publisher",
    aliases: ["root-ca-cert-publisher"],
    serviceAccount: "root-ca-cert-publisher",
    rbac: [allow("", "configmaps", "create update"), recordEvents],
    for: namespace,
    watches: [
      {
        kind: configMap,
        map: ({ metadata }: ConfigMap) =>
          metadata.name === rootCAConfigMapName ? [{ name: metadata.namespace! }] : [],
      },
    ],
    async reconcile({ name }, { cache, client, signal }) {
      const ns = cache.get(namespace, { name })
      if (!ns || ns.status?.phase === "Terminating" || ns.metadata.deletionTimestamp) return
      const data = { "ca.crt": rootCA }
      const present = cache.get(configMap, { namespace: name, name: rootCAConfigMapName })
      if (!present) {
        const metadata = {
          name: rootCAConfigMapName,
          namespace: name,
          annotations: { [annotation]: description },
        }
        try {
          await client.create(configMap, { metadata, data }, { signal })
        } catch (thrown) {
          if (!isAlreadyExists(thrown) && !hasStatusCause(thrown, "NamespaceTerminating")) throw thrown
        }
        return
      }
      const same = present.data?.["ca.crt"] === rootCA && Object.keys(present.data).length === 1
      if (same && present.metadata.annotations?.[annotation]) return
      const annotations = { ...present.metadata.annotations, [annotation]: description }
      await client.update(
        configMap,
        { ...present, data, metadata: { ...present.metadata, annotations } },
        { signal },
      )
    },
  })
}
