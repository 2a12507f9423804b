/** By what a node is known whose machine does not exist: as kwok says it, so that what was written for kwok fits. */
import type { Node } from "@knarr/api"

export const simulatedNodeAnnotation = "kwok.x-k8s.io/node"
export const simulatedNodeLabel = "type"

/** Whether nothing is behind the node: no packet can reach it. */
export function isSimulatedNode({ metadata }: Readonly<Node>): boolean {
  return metadata.annotations?.[simulatedNodeAnnotation] === "fake"
}
