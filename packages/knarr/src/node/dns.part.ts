/** The cluster's DNS on this node, at the address of its Service. */
import { startDns, type Dns } from "@knarr/dns"
import { addressesOf } from "../cluster-home.ts"
import { apiClient } from "./api-client.part.ts"
import { hostNetwork } from "./host-network.part.ts"
import { defineNodePart } from "./node-part.ts"

export const clusterDomain = "cluster.local"

export const dns = defineNodePart<Dns>({
  name: "dns",
  needs: [hostNetwork, apiClient],
  async start(env, { config }, { scope, need }) {
    const { informers } = need(apiClient)
    const addresses = [addressesOf(config).dnsAddress]
    return {
      provides: await startDns({ informers, env, scope, addresses, domain: clusterDomain, shares: true }),
    }
  },
})
