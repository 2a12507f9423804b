/** Elects one of several candidates through a Lease. Mirrors: client-go tools/leaderelection */
import { abortable, Scope, withTimeout, type Env } from "@knarr/base"
import { isAlreadyExists, isConflict, isNotFound } from "@knarr/apimachinery"
import { lease as leaseKind, type Lease } from "@knarr/api"
import type { Client } from "./client.ts"

export interface LeaderElectionOptions {
  readonly client: Client
  readonly env: Env
  /** The Lease, for example `kube-scheduler` in `kube-system`. */
  readonly namespace: string
  readonly name: string
  /** Unique among the candidates. */
  readonly identity: string
  /** Default 15,000 ms: how long others wait before they take over. */
  readonly leaseDurationMs?: number
  /** Default 10,000 ms: how long the leader tries to renew before it gives up. */
  readonly renewDeadlineMs?: number
  /** Default 2,000 ms between tries. */
  readonly retryPeriodMs?: number
}

/**
 * Waits to become the leader, then runs `lead` until it ends, the lease is lost (its signal is then aborted)
 * or `signal` is. Stands again after a loss. On an orderly stop the lease is given up at once.
 */
export async function runWhileLeader(
  options: LeaderElectionOptions,
  signal: AbortSignal,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { env, client, identity, namespace, name } = options
  const leaseDurationMs = options.leaseDurationMs ?? 15_000
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000
  const retryPeriodMs = options.retryPeriodMs ?? 2_000
  /** What was last seen, and when on our own clock: the holder's clock is not trusted. */
  let observed: { resourceVersion: string; atMs: number } | undefined

  const tryAcquire = async (): Promise<boolean> => {
    const now = new Date(env.clock.now()).toISOString().replace("Z", "000Z")
    const mine = {
      holderIdentity: identity,
      leaseDurationSeconds: leaseDurationMs / 1000,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    }
    try {
      const current = await client.get(leaseKind, { namespace, name }, { signal })
      const held = current.spec?.holderIdentity
      if (observed?.resourceVersion !== current.metadata.resourceVersion) {
        observed = { resourceVersion: current.metadata.resourceVersion, atMs: env.clock.monotonic() }
      }
      if (held && held !== identity && env.clock.monotonic() - observed.atMs < leaseDurationMs) return false
      const ours = held === identity
      const spec = {
        ...mine,
        acquireTime: ours ? current.spec?.acquireTime : now,
        leaseTransitions: (current.spec?.leaseTransitions ?? 0) + (ours ? 0 : 1),
      }
      const updated = await client.update(leaseKind, { ...current, spec } as Lease, { signal })
      observed = { resourceVersion: updated.metadata.resourceVersion, atMs: env.clock.monotonic() }
      return true
    } catch (thrown) {
      if (isConflict(thrown)) return false
      if (!isNotFound(thrown)) throw thrown
      await client.create(leaseKind, { metadata: { namespace, name }, spec: mine }, { signal })
      return true
    }
  }

  const tryAcquireQuietly = async (): Promise<boolean> => {
    try {
      return await tryAcquire()
    } catch (thrown) {
      if (!signal.aborted && !isAlreadyExists(thrown))
        env.log.warn("Leader election failed, retrying", { lease: `${namespace}/${name}`, err: thrown })
      return false
    }
  }

  while (!signal.aborted) {
    if (!(await tryAcquireQuietly())) {
      await env.clock.sleep(retryPeriodMs * (1 + 0.2 * env.random.next()), signal)
      continue
    }
    await using term = new Scope(`leader of ${name}`)
    const stop = (): void => void term.close(signal.reason)
    signal.addEventListener("abort", stop, { once: true })
    try {
      term.run("renew", async (termSignal) => {
        let renewedMs = env.clock.monotonic()
        for (;;) {
          await env.clock.sleep(retryPeriodMs, termSignal)
          // A server that does not answer must not make two leaders: others wait only for so long.
          const begunMs = env.clock.monotonic()
          const leftMs = renewedMs + renewDeadlineMs - begunMs
          if (leftMs <= 0) throw new Error("the lease was lost")
          const renewed = await withTimeout(
            env.clock,
            leftMs,
            "the lease to be renewed",
            termSignal,
            (inner) => abortable(tryAcquireQuietly(), inner),
          )
          if (renewed) renewedMs = begunMs
        }
      })
      await lead(term.signal)
      return
    } catch (thrown) {
      if (!term.signal.aborted) throw thrown
    } finally {
      signal.removeEventListener("abort", stop)
      await term
        .close()
        .catch((thrown: unknown) =>
          env.log.warn("Stopped leading", { lease: `${namespace}/${name}`, err: thrown }),
        )
      if (signal.aborted) await release(options).catch(() => {})
    }
  }
}

async function release({ client, namespace, name, identity }: LeaderElectionOptions): Promise<void> {
  const current = await client.get(leaseKind, { namespace, name })
  if (current.spec?.holderIdentity !== identity) return
  await client.update(leaseKind, {
    ...current,
    spec: { ...current.spec, holderIdentity: "", leaseDurationSeconds: 1 },
  } as Lease)
}
