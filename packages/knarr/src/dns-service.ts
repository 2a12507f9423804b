/** The Service under whose address every node answers DNS questions itself. */
import { service } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"

const ref = { namespace: "kube-system", name: "kube-dns" }

/** Creates `kube-system/kube-dns` when it is not there. It has no endpoints: nodes answer on its address. */
export async function ensureDnsService(client: Client, address: string, signal: AbortSignal): Promise<void> {
  try {
    // The address is allocated before the name is looked at: a create alone could not tell what is there.
    await client.get(service, ref, { signal })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
    await client.create(
      service,
      {
        metadata: {
          ...ref,
          labels: {
            "k8s-app": "kube-dns",
            "kubernetes.io/name": "CoreDNS",
            "kubernetes.io/cluster-service": "true",
          },
        },
        spec: {
          clusterIP: address,
          ports: [
            { name: "dns", port: 53, protocol: "UDP", targetPort: 53 },
            { name: "dns-tcp", port: 53, protocol: "TCP", targetPort: 53 },
          ],
        },
      },
      { signal },
    )
  }
}
