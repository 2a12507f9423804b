/** Who is behind the `kubernetes` Service: its Endpoints and EndpointSlice. Mirrors: pkg/controlplane/reconcilers/endpointsadapter.go */
import { endpoints, endpointSlice, type EndpointSlice } from "@knarr/api"
import { deepClone, isAlreadyExists, isConflict, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"
import type { ObjectReader } from "../authn/service-account-tokens.ts"

export interface EndpointsOptions {
  readonly client: Client
  readonly reader: ObjectReader
  /** Served kinds; objects of others are left out. */
  readonly kinds: readonly Kind[]
  readonly signal: AbortSignal
}

const ref = { namespace: "default", name: "kubernetes" }

/** Endpoints must not be loopback addresses: from a pod they lead nowhere. */
export function canBeReached(address: string): boolean {
  return !/^(127\.|::1$)/.test(address)
}

/** Sees to it that the addresses are these, in this order. When another server does the same meanwhile, its write stands. */
export async function ensureKubernetesEndpoints(
  options: EndpointsOptions,
  addresses: readonly string[],
  port: number,
): Promise<void> {
  const { reader, client, kinds, signal } = options
  const ports = [{ name: "https", port, protocol: "TCP" as const }]
  const subsets = [{ addresses: addresses.map((ip) => ({ ip })), ports }]
  const slice = {
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports,
  }
  try {
    if (kinds.includes(endpoints)) {
      const present = reader.get(endpoints, ref)
      const labels = { "endpointslice.kubernetes.io/skip-mirror": "true" }
      if (!present)
        await client.create(
          endpoints,
          {
            apiVersion: "v1",
            kind: "Endpoints",
            metadata: { ...ref, labels },
            subsets,
          } as unknown as KubeObject,
          { signal },
        )
      else if (JSON.stringify(present.subsets) !== JSON.stringify(subsets))
        await client.update(endpoints, { ...deepClone(present), subsets }, { signal })
    }
    if (kinds.includes(endpointSlice)) {
      const present = reader.get(endpointSlice, ref)
      const labels = { "kubernetes.io/service-name": "kubernetes" }
      const type = {
        apiVersion: endpointSlice.apiVersion,
        kind: "EndpointSlice",
        metadata: { ...ref, labels },
      }
      const addressType = addresses[0]!.includes(":") ? "IPv6" : "IPv4"
      if (!present)
        await client.create(endpointSlice, { ...type, addressType, ...slice } as unknown as EndpointSlice, {
          signal,
        })
      else if (
        JSON.stringify(present.endpoints?.map((one) => one.addresses)) !==
          JSON.stringify(addresses.map((address) => [address])) ||
        present.ports?.[0]?.port !== port
      )
        await client.update(endpointSlice, { ...deepClone(present), ...slice }, { signal })
    }
  } catch (thrown) {
    if (!isAlreadyExists(thrown) && !isConflict(thrown)) throw thrown
  }
}
