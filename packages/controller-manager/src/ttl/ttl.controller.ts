/**
 * Tells kubelets how long they may keep Secrets and ConfigMaps before they ask again: the longer, the more nodes there are.
 * Mirrors: pkg/controller/ttl
 */
import { node, type Node } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import {
  allow,
  defineController,
  perRun,
  recordEvents,
  untilAborted,
  type Controller,
} from "@knarr/controller-kit"
import { NodeCount } from "./node-count.ts"

const annotation = "node.alpha.kubernetes.io/ttl"
const countOf = perRun(() => new NodeCount())

export const ttlController: Controller = defineController<Node>({
  name: "ttl-controller",
  aliases: ["ttl"],
  queueName: "ttlcontroller",
  serviceAccount: "ttl-controller",
  rbac: [allow("", "nodes", "list patch update watch"), recordEvents],
  for: node,
  async run(ctx) {
    const count = countOf(ctx)
    using _ = ctx.informer(node).subscribe({
      added: () => count.change(1),
      deleted: () => count.change(-1),
    })
    await untilAborted(ctx.signal)
  },
  async reconcile(ref, ctx) {
    const { cache, client, signal } = ctx
    const found = cache.get(node, ref)
    const wanted = String(countOf(ctx).ttlSeconds)
    if (!found || found.metadata.annotations?.[annotation] === wanted) return
    try {
      const body = { metadata: { annotations: { [annotation]: wanted } } }
      await client.patch(node, ref, "strategic", body, { signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  },
})
