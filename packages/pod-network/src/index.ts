/** The pod network of a node, and the links between nodes that share a machine. */
export { type CniConfig, cniConflist, writeCniConfig } from "./cni-config.ts"
export { type DnsShares, dnsShareChains } from "./dns-shares.ts"
export { type Doors, acceptAtDoors, acceptForwarded } from "./forward-accept.ts"
export { ipBatch, isInstalled } from "./host-command.ts"
export { type OwnNetwork, findObstacles, parameterObstacles } from "./host-obstacles.ts"
export {
  type Masquerade,
  applyMasquerade,
  masqueradeRules,
  masqueradeTable,
  missingTables,
  removeTables,
} from "./masquerade.ts"
export {
  type LocalCluster,
  createNodeNetns,
  deleteNodeNetns,
  ensureForwarding,
  ensureNodeNetwork,
  nodeAddress,
  nodeBridge,
  nodeNetns,
  nodesTable,
  podBridge,
  removeNodeNetwork,
} from "./node-network.ts"
export {
  type FamilyRanges,
  type NetworkPlan,
  type PodNetworkOptions,
  type RefusedNode,
  planNetwork,
  runPodNetwork,
} from "./pod-network.ts"
export { type NodeRoute, planRoutes, readRoutes, routeProtocol, syncRoutes } from "./routes.ts"
export { type NetworkFacts, type UsedNetwork, readNetworkFacts, usedNetworks } from "./used-networks.ts"
