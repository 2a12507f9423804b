/** A registry on a virtual clock and the memory store, for tests. */
import { kinds } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import { Meter, Scope, seededRandom, silentLogger, VirtualClock, type Env } from "@knarr/base"
import type { Client } from "@knarr/client"
import { createMemoryStore, type Store } from "@knarr/store"
import { createLoopbackClient } from "../loopback-client.ts"
import { Registry, type RegistryOptions } from "./registry.ts"

export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry
  readonly client: Client
  readonly store: Store
  readonly clock: VirtualClock
  readonly env: Env
  readonly scope: Scope
  /** Another registry on the same store, as after a restart. */
  restart(): Promise<TestRegistry>
}

export const allKinds: readonly Kind[] = kinds

export async function startTestRegistry(
  options: Partial<RegistryOptions> & { seed?: number; clock?: VirtualClock } = {},
): Promise<TestRegistry> {
  const clock = options.clock ?? new VirtualClock()
  const env: Env = options.env ?? {
    clock,
    random: seededRandom(options.seed ?? 1),
    log: silentLogger,
    meter: new Meter(),
  }
  const store = options.store ?? createMemoryStore({ env })
  const scope = new Scope("test", { env })
  const registry = new Registry({ kinds: allKinds, ...options, env, store })
  await registry.start(scope)
  const user = { name: "admin", groups: ["system:masters", "system:authenticated"] }
  const client = createLoopbackClient({ registry, user, userAgent: "test/1.0" })
  return {
    registry,
    client,
    store,
    clock,
    env,
    scope,
    async restart() {
      await scope.close()
      return startTestRegistry({ ...options, env, store, clock })
    },
    [Symbol.asyncDispose]: () => scope.close(),
  }
}
