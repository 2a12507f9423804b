/** Flags of where the server is reached. Mirrors: apiserver pkg/server/options/serving.go, server_run_options.go */
import { isIP } from "node:net"
import { UsageError } from "../cluster-home.ts"
import { GivenFlags, type FlagGroup, type FlagValues } from "./flag-group.ts"

const names = ["bind-address", "advertise-address"] as const

export const addressFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: { "bind-address": "text", "advertise-address": "text" },
  read(given) {
    for (const name of names) {
      const text = given.text(name)
      if (text !== undefined && isIP(text) === 0)
        throw new UsageError(
          `invalid argument ${JSON.stringify(text)} for "--${name}" flag: failed to parse IP: ${JSON.stringify(text)}`,
        )
    }
    // Where else a server listens depends on its nodes: server-addresses.ts.
    return {}
  },
})

/** What the flags say, if anything. */
export function givenAddresses(values: FlagValues): {
  readonly bind: string | undefined
  readonly advertise: string | undefined
} {
  const given = new GivenFlags(values)
  return { bind: given.text("bind-address"), advertise: given.text("advertise-address") }
}
