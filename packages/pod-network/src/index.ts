/** The pod network of a node, and the links between nodes that share a machine. */
export { type CniConfig, cniConflist, writeCniConfig } from "./cni-config.ts"
export { isInstalled } from "./host-command.ts"
export {
  type Masquerade,
  applyMasquerade,
  masqueradeRules,
  masqueradeTable,
  removeMasquerade,
} from "./masquerade.ts"
export {
  type LocalCluster,
  createNodeNetns,
  deleteNodeNetns,
  ensureForwarding,
  ensureNodeNetwork,
  nodeAddress,
  nodeBridge,
  nodeCIDR,
  nodeNetns,
  podBridge,
  removeNodeNetwork,
} from "./node-network.ts"
export { type NetworkPlan, type PodNetworkOptions, planNetwork, runPodNetwork } from "./pod-network.ts"
export { type NodeRoute, planRoutes, readRoutes, routeProtocol, syncRoutes } from "./routes.ts"
