/** A scheduler plugin of the test's own: only nodes that are labelled for toys. */
import { ActionType, definePlugin, onEvent, unresolvable } from "@knarr/scheduler"

const refusal = unresolvable("node(s) had no toys")

export const toyNodes = definePlugin({
  name: "ToyNodes",
  create: () => ({
    eventsToRegister: () => [onEvent("Node", ActionType.Add | ActionType.UpdateNodeLabel)],
    filter: (_state, pod, node) =>
      pod.metadata.labels?.["toy"] && node.labels["toys"] !== "yes" ? refusal : undefined,
  }),
})
