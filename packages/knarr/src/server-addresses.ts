/** Where the API server listens, and by what names and addresses it is called. */
import { givenAddresses } from "./api-server-flags/address.flags.ts"
import { addressesOf, type ClusterConfig } from "./cluster-home.ts"

const loopback = "127.0.0.1"

/** For its certificate. */
export function serverAddresses(config: ClusterConfig): {
  dnsNames: string[]
  ipAddresses: string[]
} {
  const { apiServiceAddress, hostAddress } = addressesOf(config)
  const { bind, advertise } = givenAddresses(config.apiServer ?? {})
  const given = [bind, advertise].filter((address) => address !== undefined && !isEvery(address))
  return {
    dnsNames: [
      "localhost",
      "kubernetes",
      "kubernetes.default",
      "kubernetes.default.svc",
      "kubernetes.default.svc.cluster.local",
    ],
    ipAddresses: [...new Set([loopback, hostAddress, apiServiceAddress, ...(given as string[])])],
  }
}

/**
 * Where it listens, and where others reach it: by the `kubernetes` Service. Without flags, a cluster without nodes can be reached
 * from nowhere but this machine's loopback.
 */
export function servedAt(config: ClusterConfig): {
  readonly bindAddresses: readonly string[]
  readonly advertise: { readonly address: string; readonly port: number } | undefined
} {
  const { bind, advertise } = givenAddresses(config.apiServer ?? {})
  const own = ownAddresses(config)
  const address = advertise ?? (bind !== undefined && !isEvery(bind) ? bind : own[1])
  return {
    bindAddresses: bind === undefined ? own : isEvery(bind) ? [bind] : [...new Set([...own, bind])],
    advertise: address === undefined ? undefined : { address, port: config.port },
  }
}

/** The loopback's, and that of the first node. */
export function ownAddresses(config: ClusterConfig): readonly string[] {
  return config.hasNode ? [loopback, addressesOf(config).hostAddress] : [loopback]
}

function isEvery(address: string): boolean {
  return address === "0.0.0.0" || /^[0:]+$/.test(address)
}
