/**
 * Renews the node's Lease: the sign of life that the control plane looks at.
 * Mirrors: staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go
 */
import { lease as leaseKind, type Lease } from "@knarr/api"
import { formatMicroTime, isAlreadyExists, isConflict, isNotFound } from "@knarr/apimachinery"
import { Backoff, type Env } from "@knarr/base"
import type { Client } from "@knarr/client"

export interface NodeLeaseOptions {
  readonly env: Env
  readonly client: Client
  readonly nodeName: string
  /** It is renewed four times as often. */
  readonly durationSeconds: number
  /** The Node's uid: it owns the Lease. */
  readonly nodeUid: () => string | undefined
  /** The first renewal comes at any moment of the period: many nodes of one process begin together. */
  readonly spread?: boolean
}

const namespace = "kube-node-lease"
const firstRetryMs = 100
const maxRetryMs = 7000

/** Runs until the signal is aborted. */
export async function runNodeLease(options: NodeLeaseOptions, signal: AbortSignal): Promise<void> {
  const { env, durationSeconds, spread = false } = options
  const periodMs = (durationSeconds * 1000) / 4
  let known: Readonly<Lease> | undefined
  const retry = new Backoff({ firstMs: firstRetryMs, maxMs: maxRetryMs })
  let isSpread = !spread
  while (!signal.aborted) {
    try {
      known = known ? await renew(options, known, signal) : await ensure(options, signal)
      retry.reset()
      // Nodes that start together do not go on together.
      const periods = isSpread ? 1 + 0.04 * env.random.next() : env.random.next()
      isSpread = true
      await env.clock.sleep(periodMs * periods, signal)
    } catch (thrown) {
      if (signal.aborted) return
      known = undefined
      if (!isConflict(thrown)) env.log.warn("Cannot renew the node's lease, retrying", { err: thrown })
      const retryMs = retry.next()
      await env.clock.sleep(isConflict(thrown) ? 0 : retryMs, signal)
    }
  }
}

async function ensure(options: NodeLeaseOptions, signal: AbortSignal): Promise<Lease> {
  const { client, nodeName, env } = options
  try {
    const found = await client.get(leaseKind, { namespace, name: nodeName }, { signal })
    return await renew(options, found, signal)
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
  const body = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: nodeName, namespace, ...owner(options) },
    spec: spec(options, env.clock.now()),
  }
  try {
    return await client.create(leaseKind, body as never, { signal })
  } catch (thrown) {
    if (!isAlreadyExists(thrown)) throw thrown
    const found = await client.get(leaseKind, { namespace, name: nodeName }, { signal })
    return renew(options, found, signal)
  }
}

function renew(options: NodeLeaseOptions, known: Readonly<Lease>, signal: AbortSignal): Promise<Lease> {
  const { client, env } = options
  const owned = known.metadata.ownerReferences?.some(({ uid }) => uid === options.nodeUid())
  const metadata = owned ? known.metadata : { ...known.metadata, ...owner(options) }
  const next: Lease = {
    ...known,
    metadata,
    spec: { ...known.spec, ...spec(options, env.clock.now()) },
  }
  return client.update(leaseKind, next, { signal })
}

function spec({ nodeName, durationSeconds }: NodeLeaseOptions, nowMs: number): Lease["spec"] {
  return {
    holderIdentity: nodeName,
    leaseDurationSeconds: durationSeconds,
    renewTime: formatMicroTime(nowMs),
  }
}

function owner({ nodeName, nodeUid }: NodeLeaseOptions): Partial<Lease["metadata"]> {
  const uid = nodeUid()
  return uid ? { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: nodeName, uid }] } : {}
}
