/** A scheduler plugin of the test's own: only nodes that are labelled for toys. */
import { definePlugin } from "@knarr/scheduler"

export const toyNodes = definePlugin({
  name: "ToyNodes",
  events: ["node added", "node labels changed"],
  filter: (pod, node) =>
    pod.metadata.labels?.["toy"] && node.labels["toys"] !== "yes"
      ? { reasons: ["node(s) had no toys"], unresolvable: true }
      : undefined,
})
