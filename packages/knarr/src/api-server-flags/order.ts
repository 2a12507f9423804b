/** The groups of the API server's flags, and what is made of all of them. */
import type { ApiServerOptions } from "@knarr/apiserver"
import type { FlagSpec } from "../commands/command.ts"
import { addressFlags } from "./address.flags.ts"
import { admissionFlags } from "./admission.flags.ts"
import { auditFlags } from "./audit.flags.ts"
import { authenticationFlags } from "./authentication.flags.ts"
import { authorizationFlags } from "./authorization.flags.ts"
import { controllersFlags } from "./controllers.flags.ts"
import { encryptionFlags } from "./encryption.flags.ts"
import { etcdFlags } from "./etcd.flags.ts"
import {
  absolute,
  absolutePair,
  GivenFlags,
  type FlagGroup,
  type FlagType,
  type FlagValues,
} from "./flag-group.ts"
import { featureFlags } from "./features.flags.ts"
import { refusedFlags } from "./refused.flags.ts"
import { schedulerFlags } from "./scheduler.flags.ts"
import { serviceAccountFlags } from "./service-account.flags.ts"
import { servingFlags } from "./serving.flags.ts"
import { tlsFlags } from "./tls.flags.ts"

const groups: readonly FlagGroup[] = [
  addressFlags,
  admissionFlags,
  auditFlags,
  authenticationFlags,
  authorizationFlags,
  controllersFlags,
  encryptionFlags,
  etcdFlags,
  featureFlags,
  refusedFlags,
  schedulerFlags,
  serviceAccountFlags,
  servingFlags,
  tlsFlags,
]

const types: ReadonlyMap<string, FlagType> = new Map(groups.flatMap(({ flags }) => Object.entries(flags)))

/** As commands declare them. */
export const apiServerFlags: FlagSpec = Object.fromEntries(
  [...types].map(([name, type]) => [name, { type: type === "switch" ? "boolean" : "string" } as const]),
)

/**
 * What a command was given of them, with `before` for those that it was not; an empty text takes one back. Throws a
 * UsageError for what cannot be read.
 */
export function keepApiServerFlags(
  given: Readonly<Record<string, string | boolean | undefined>>,
  before: FlagValues = {},
): FlagValues {
  const kept: Record<string, string> = { ...before }
  for (const [name, type] of types) {
    const value = given[name]
    if (value === undefined) continue
    if (value === "") delete kept[name]
    else if (type === "file") kept[name] = absolute(String(value))
    else kept[name] = type === "certificate" ? absolutePair(String(value)) : String(value)
  }
  apiServerOptions(kept)
  return kept
}

/** Switches that are on without their flag. */
const onByDefault: ReadonlySet<string> = new Set([
  "anonymous-auth",
  "audit-webhook-batch-throttle-enable",
  "enable-priority-and-fairness",
  "leader-elect",
  "service-account-extend-token-expiration",
])

/** The first flag that says something else in `after`: a switch may also be given as what it is without. */
export function changedFlag(before: FlagValues, after: FlagValues): string | undefined {
  const said = (values: FlagValues, name: string): string | undefined =>
    values[name] ?? (types.get(name) === "switch" ? String(onByDefault.has(name)) : undefined)
  return [...types.keys()].find((name) => said(before, name) !== said(after, name))
}

/** The options that the flags stand for. Throws a UsageError. */
export function apiServerOptions(values: FlagValues): Partial<ApiServerOptions> {
  const given = new GivenFlags(values)
  return Object.assign({}, ...groups.map((group) => group.read(given))) as Partial<ApiServerOptions>
}
