/** The names by which the API server is called. */
import { addressesOf, type ClusterRanges } from "./cluster-home.ts"

export function serverAddresses(ranges: ClusterRanges): {
  dnsNames: string[]
  ipAddresses: string[]
} {
  const { apiServiceAddress, hostAddress } = addressesOf(ranges)
  return {
    dnsNames: [
      "localhost",
      "kubernetes",
      "kubernetes.default",
      "kubernetes.default.svc",
      "kubernetes.default.svc.cluster.local",
    ],
    ipAddresses: ["127.0.0.1", hostAddress, apiServiceAddress],
  }
}
