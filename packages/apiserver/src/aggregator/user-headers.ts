/** For whom a request is asked, for a server that trusts our certificate. Mirrors: client-go transport/round_trippers.go */
import type { UserInfo } from "../contract.ts"

/** The aggregator itself, where it asks for documents. */
export const aggregatorUser: UserInfo = Object.freeze({
  name: "system:kube-aggregator",
  groups: Object.freeze(["system:masters"]),
})

export function userHeaders(user: UserInfo): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  out["x-remote-user"] = wire(user.name)
  if (user.uid) out["x-remote-uid"] = wire(user.uid)
  if (user.groups.length > 0) out["x-remote-group"] = user.groups.map(wire)
  for (const [key, values] of Object.entries(user.extra ?? {}))
    if (values.length > 0) out[`x-remote-extra-${escapeKey(key)}`] = values.map(wire)
  return out
}

/** Header values are bytes: those of UTF-8, as Go sends them. */
function wire(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1")
}

/** What no header's name may have, and the percent sign, as `%XX`. */
function escapeKey(key: string): string {
  return wire(key).replace(
    /[^!#$&'*+.^_`|~0-9A-Za-z-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  )
}
