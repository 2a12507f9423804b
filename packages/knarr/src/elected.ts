/** What only one of several servers of a store may do at a time. */
import { hostname } from "node:os"
import { type Scope, uuid } from "@knarr/base"
import { runWhileLeader, type LeaderElectionOptions } from "@knarr/client"
import { untilAborted } from "@knarr/controller-kit"

/**
 * Starts something in a scope that lasts as long as this server is the one that is elected under `name`, and again whenever
 * it is. Resolves at once.
 */
export function runElected(
  {
    scope,
    ...election
  }: Omit<LeaderElectionOptions, "identity" | "namespace"> & { namespace?: string; scope: Scope },
  start: (scope: Scope) => Promise<void>,
): void {
  const { name, env } = election
  const identity = `${hostname()}_${uuid(env.random)}`
  scope.run(
    `election of the ${name}`,
    (signal) =>
      runWhileLeader({ namespace: "kube-system", ...election, identity }, signal, async (leads) => {
        await using elected = scope.child(name)
        const ended = untilAborted(leads)
        // Also what is only starting, and waits for a store that does not answer.
        void ended.then(() => elected.close()).catch(() => {})
        await start(elected)
        await ended
      }),
    { restart: true },
  )
}
