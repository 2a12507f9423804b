/** Assigns the pod at the API. Mirrors: plugins/defaultbinder */
import { pod as podKind } from "@knarr/api"
import { definePlugin } from "../framework/plugin.ts"

export const defaultBinder = definePlugin({
  name: "DefaultBinder",
  create: ({ client }) => ({
    async bind(_state, { metadata: { namespace, name, uid } }, nodeName, signal) {
      const binding = {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { namespace, name, uid },
        target: { kind: "Node", name: nodeName },
      }
      await client.createSubresource(podKind, { namespace, name }, "binding", binding, { signal })
      return undefined
    },
  }),
})
