/** A client of this process: what other servers answer for goes to them, everything else stays here. */
import type { Kind } from "@knarr/apimachinery"
import { createRestClient, type Client } from "@knarr/client"
import type { UserInfo } from "../contract.ts"
import type { Aggregator } from "./aggregator.ts"

export function dividedClient(own: Client, aggregator: Aggregator, user: UserInfo): Client {
  let remote: Client | undefined
  const of = (kind: Kind): Client => {
    if (!aggregator.has(kind.group, kind.version)) return own
    remote ??= createRestClient({ transport: aggregator.transportOf(user) })
    return remote
  }
  return {
    get: (kind, ref, options) => of(kind).get(kind, ref, options),
    list: (kind, options) => of(kind).list(kind, options),
    watch: (kind, options) => of(kind).watch(kind, options),
    create: (kind, obj, options) => of(kind).create(kind, obj, options),
    update: (kind, obj, options) => of(kind).update(kind, obj, options),
    patch: (kind, ref, type, body, options) => of(kind).patch(kind, ref, type, body, options),
    delete: (kind, ref, options) => of(kind).delete(kind, ref, options),
    deleteCollection: (kind, list, options) => of(kind).deleteCollection(kind, list, options),
    createSubresource: (kind, ref, name, body, options) =>
      of(kind).createSubresource(kind, ref, name, body, options),
    getSubresource: (kind, ref, name, options) => of(kind).getSubresource(kind, ref, name, options),
    discover: (options) => own.discover(options),
    as: (other) => own.as(other),
  }
}
