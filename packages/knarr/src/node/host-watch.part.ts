/** Mends what others take away of the node's network, and says what stands in its way. */
import { apiClient } from "./api-client.part.ts"
import { hostNetwork } from "./host-network.part.ts"
import { watchHost } from "./host-watch.ts"
import { defineNodePart } from "./node-part.ts"

export const hostWatch = defineNodePart({
  name: "host-watch",
  needs: [hostNetwork, apiClient],
  async start(env, { config, local }, { need }) {
    const { events } = need(apiClient)
    return {
      provides: undefined,
      run: (signal) => watchHost({ env, config, node: local, events }, signal),
    }
  },
})
