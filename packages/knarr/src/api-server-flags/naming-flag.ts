/** Whose fault it is that a server cannot start: the flag that named a file. Apart, as commands need no API server. */
import { ConfigFileError } from "@knarr/client"
import { UsageError } from "../cluster-home.ts"
import type { FlagValues } from "./flag-group.ts"

/** Names the flag, too, when `thrown` is about a file that one of `values` is. */
export function namingFlag(thrown: unknown, values: FlagValues): unknown {
  if (!(thrown instanceof ConfigFileError)) return thrown
  const [flag] = Object.entries(values).find(([, value]) => value === thrown.file) ?? []
  return flag === undefined ? thrown : new UsageError(`--${flag}: ${thrown.message}`)
}
