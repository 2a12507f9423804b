/** The links, addresses, routes and doors that the cluster has on its node. Pods and other nodes need them; they stay. */
import { ensureNodeNetwork } from "@knarr/pod-network"
import { addressesOf } from "../cluster-home.ts"
import { networkOf } from "../node-names.ts"
import { openDoors } from "./host-watch.ts"
import { addServiceAddress, serviceRoute } from "./node-addresses.ts"
import { defineNodePart } from "./node-part.ts"

export const hostNetwork = defineNodePart({
  name: "host-network",
  needs: [],
  async start(_env, { config, local }, { scope }) {
    const { dnsAddress, serviceCIDR } = addressesOf(config)
    const isFirst = local.number === 0
    if (isFirst) await ensureNodeNetwork(networkOf(config), scope.signal)
    await Promise.all([
      isFirst ? openDoors(config, scope.signal) : undefined,
      addServiceAddress(dnsAddress, config, scope.signal),
      serviceRoute(serviceCIDR, local, config, scope.signal),
    ])
    return { provides: undefined }
  },
})
