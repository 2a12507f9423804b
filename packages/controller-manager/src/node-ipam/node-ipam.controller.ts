/** Gives each node its part of the pod network. Mirrors: pkg/controller/nodeipam/ipam/range_allocator.go */
import { node, type Node } from "@knarr/api"
import { allow, defineController, perRun, recordEvents, type Controller } from "@knarr/controller-kit"
import { CidrSet, overlap } from "./cidr-set.ts"

export interface NodeIpamOptions {
  /** One network, or one of each family. Empty: nodes get none. */
  readonly clusterCIDRs: readonly string[]
  /** Networks that are in use otherwise and may lie within the former. */
  readonly serviceCIDRs?: readonly string[]
  /** Length of a node's part. Default 24. */
  readonly nodeMaskIPv4?: number
  /** Default 64. */
  readonly nodeMaskIPv6?: number
}

export function createNodeIpamController(options: NodeIpamOptions): Controller {
  const sets = options.clusterCIDRs.map(
    (cidr) =>
      new CidrSet(cidr, cidr.includes(":") ? (options.nodeMaskIPv6 ?? 64) : (options.nodeMaskIPv4 ?? 24)),
  )
  const taken = options.serviceCIDRs ?? []
  const stateOf = perRun(() => ({
    /** Given out and perhaps not in the cache yet, by node. */
    given: new Map<string, readonly string[]>(),
    from: sets.map(() => 0),
  }))
  return defineController<Node>({
    name: "node-ipam-controller",
    aliases: ["nodeipam"],
    queueName: "cidrallocator_node",
    serviceAccount: "node-controller",
    rbac: [allow("", "nodes", "get list watch update patch delete"), recordEvents],
    for: node,
    // One at a time: two nodes must not get the same part.
    workers: 1,
    async reconcile({ name }, ctx) {
      const { given, from } = stateOf(ctx)
      const one = ctx.cache.get(node, { name })
      if (!one) {
        given.delete(name)
        return
      }
      if (one.spec?.podCIDR || one.spec?.podCIDRs?.length || sets.length === 0) {
        given.delete(name)
        return
      }
      const used = new Set<string>()
      for (const other of ctx.cache.list(node)) {
        for (const cidr of other.spec?.podCIDRs ?? []) used.add(cidr)
        if (other.spec?.podCIDR) used.add(other.spec.podCIDR)
      }
      for (const [other, cidrs] of given) if (other !== name) for (const cidr of cidrs) used.add(cidr)
      const podCIDRs: string[] = []
      for (const [i, set] of sets.entries()) {
        const found = set.next(
          from[i]!,
          (cidr) => used.has(cidr) || taken.some((other) => overlap(cidr, other)),
        )
        if (!found) {
          ctx.recorder.event(
            one,
            "Normal",
            "CIDRNotAvailable",
            `Node ${name} status is now: CIDRNotAvailable`,
          )
          throw new Error(
            "CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range",
          )
        }
        from[i] = (found.index + 1) % set.size
        podCIDRs.push(found.cidr)
      }
      given.set(name, podCIDRs)
      const body = { metadata: { uid: one.metadata.uid }, spec: { podCIDR: podCIDRs[0], podCIDRs } }
      await ctx.client.patch(node, { name }, "strategic", body, { signal: ctx.signal })
    },
  })
}
