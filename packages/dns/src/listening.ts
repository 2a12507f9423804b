/** What all sockets of a DNS server share. */
import type { Env, Scope } from "@knarr/base"
import type { RateShares } from "./fair-slots.ts"
import type { Resolver } from "./resolver.ts"

/** What all sockets answer with. */
export interface Listening {
  readonly resolver: Resolver
  readonly shares: RateShares
  readonly env: Env
  readonly scope: Scope
}
