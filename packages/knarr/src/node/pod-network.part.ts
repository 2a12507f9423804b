/** The network of the node's pods: CNI configuration, masquerading, shares of DNS, routes to other nodes' pods. */
import { join } from "node:path"
import { ipv4, readPort } from "@knarr/apimachinery"
import { podBridge, runPodNetwork } from "@knarr/pod-network"
import { addressesOf } from "../cluster-home.ts"
import { networkOf } from "../node-names.ts"
import { apiClient } from "./api-client.part.ts"
import { dns } from "./dns.part.ts"
import { hostNetwork } from "./host-network.part.ts"
import { defineNodePart } from "./node-part.ts"

export const podNetwork = defineNodePart({
  name: "pod-network",
  needs: [hostNetwork, apiClient],
  uses: [dns],
  async start(env, { cluster, config, local }, { need, use }) {
    const { informers, events } = need(apiClient)
    const { podCIDR, nodeCIDR, dnsAddress } = addressesOf(config)
    const dir = cluster.node(local.node)
    const served = use(dns)
    const shares = served && {
      address: dnsAddress,
      ports: served.shares.flatMap((port) => readPort(port) ?? []),
    }
    const options = {
      ...{ env, informers, events, nodeName: local.node },
      clusterName: networkOf(config).name,
      families: [{ family: ipv4, clusterCIDR: podCIDR, nodeCIDR }],
      ...(shares ? { dns: shares } : {}),
      cni: { dir: join(dir, "cni"), bridge: podBridge(config, local.number), ipamDir: join(dir, "ipam") },
    }
    return { provides: undefined, run: (signal) => runPodNetwork(options, signal) }
  },
})
