/** Services and host ports on this node. Its rules stay when it ends. */
import { pod } from "@knarr/api"
import { startServiceProxy } from "@knarr/proxy"
import { apiClient } from "./api-client.part.ts"
import { defineNodePart } from "./node-part.ts"
import { proxySettings } from "./proxy-settings.ts"

export const serviceProxy = defineNodePart({
  name: "service-proxy",
  needs: [apiClient],
  async start(env, { config, local }, { scope, need }) {
    const { informers, nodeInformers, events } = need(apiClient)
    const pods = nodeInformers.informer(pod, { fieldSelector: `spec.nodeName=${local.node}` })
    const proxy = await startServiceProxy({
      ...{ informers, pods, env, scope, events },
      ...proxySettings(config, local),
    })
    return { provides: undefined, healthy: () => proxy.problem() }
  },
})
