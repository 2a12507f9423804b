/** A node's parts. Each stands behind those that it depends on. */
import { apiClient } from "./api-client.part.ts"
import { containerRuntime } from "./container-runtime.part.ts"
import { dns } from "./dns.part.ts"
import { hostNetwork } from "./host-network.part.ts"
import { hostWatch } from "./host-watch.part.ts"
import { kubelet } from "./kubelet.part.ts"
import type { NodePart } from "./node-part.ts"
import { podNetwork } from "./pod-network.part.ts"
import { serviceProxy } from "./service-proxy.part.ts"

export const nodeParts: readonly NodePart[] = [
  hostNetwork,
  containerRuntime,
  apiClient,
  dns,
  podNetwork,
  hostWatch,
  serviceProxy,
  kubelet,
]
