/** How a cluster's simulated nodes, and the process that has them, are called. */

/** More would need more pod networks than there are for them. */
export const maxSimulatedNodes = 10_000

export const simulatedProcess = "simulated-nodes"

/** Whom the process is to the API server; it may read what nodes read, and act as each of them. */
export const simulatedUser = "system:knarr:simulated-nodes"

export function simulatedNodeName(index: number): string {
  return `sim-${index}`
}
