/** What the service proxy of a node of a cluster on this machine is told about the cluster. */
import { networkInterfaces } from "node:os"
import {
  ipv4,
  ipv4Address,
  linkName,
  nameText,
  readIPv4,
  readPort,
  type IPv4Address,
  type NameText,
} from "@knarr/apimachinery"
import { nodeBridge, podBridge } from "@knarr/pod-network"
import type { ServiceProxyOptions } from "@knarr/proxy"
import { addressesOf, type ClusterConfig } from "../cluster-home.ts"
import { ClusterNumbers } from "../cluster-numbers.ts"
import type { LocalNode } from "../node-names.ts"

export const kubeletPort = 10_250
/**
 * Of the proxy, as kube-proxy's: health on the node's address, metrics on the loopback one; of several first nodes on
 * one machine one has these.
 */
const proxyPorts = { healthz: 10_256, metrics: 10_249 }

/** The nftables table of the cluster's services; by number, since clusters of two homes may share a name. */
export function proxyTable(config: Pick<ClusterConfig, "index">): NameText {
  return nameText(`knarr-${config.index}-services`)
}

export function proxySettings(
  config: ClusterConfig,
  node: LocalNode,
): Pick<
  ServiceProxyOptions,
  | "family"
  | "nodeName"
  | "nodeIP"
  | "table"
  | "podCIDR"
  | "serviceCIDR"
  | "nodeCIDR"
  | "foreign"
  | "ownAddresses"
  | "links"
  | "podLink"
  | "doors"
  | "ports"
  | "localAddresses"
> {
  const { podCIDR, serviceCIDR, nodeCIDR, hostAddress, dnsAddress } = addressesOf(config)
  const served = [config.port, config.registryPort].flatMap((port) => readPort(port) ?? [])
  const doors = [ipv4Address("127.0.0.1"), hostAddress].flatMap((address) =>
    served.map((port) => ({ address, port })),
  )
  const numbers = new ClusterNumbers()
  const own = [kubeletPort, proxyPorts.healthz].flatMap((port) => readPort(port) ?? [])
  return {
    family: ipv4,
    nodeName: node.node,
    nodeIP: node.address,
    table: proxyTable(config),
    podCIDR,
    serviceCIDR,
    nodeCIDR,
    foreign: () => numbers.rangesOfOthers(config.index),
    ownAddresses: machineAddresses,
    podLink: podBridge(config, node.number),
    links: [podBridge(config, node.number), node.number === 0 ? nodeBridge(config) : linkName("eth0")],
    doors: [...doors, ...own.map((port) => ({ address: node.address, port }))],
    ports: proxyPorts,
    localAddresses: [dnsAddress],
  }
}

/** Those of the network namespace that this process is in. */
function machineAddresses(): IPv4Address[] {
  return Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one?.family === "IPv4" ? (readIPv4(one.address) ?? []) : []))
}
