/** Flags of service accounts' tokens. Mirrors: kubernetes pkg/kubeapiserver/options/authentication.go */
import type { ApiServerOptions } from "@knarr/apiserver"
import { UsageError } from "../cluster-home.ts"
import { GivenFlags, type FlagGroup, type FlagValues } from "./flag-group.ts"

type Given = Partial<Omit<ApiServerOptions["serviceAccounts"], "signingKey">>

const hourMs = 3_600_000

export const serviceAccountFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "service-account-issuer": "text",
    "service-account-jwks-uri": "text",
    "service-account-max-token-expiration": "text",
    "service-account-extend-token-expiration": "switch",
    "api-audiences": "text",
  },
  read(given) {
    readGiven(given)
    // The key that signs is the cluster's: whoever has it takes the rest from givenServiceAccounts.
    return {}
  },
})

/** What the flags say, if anything. The first issuer is the one of new tokens; tokens of all are taken. */
export function givenServiceAccounts(values: FlagValues): Given {
  return readGiven(new GivenFlags(values))
}

function readGiven(given: GivenFlags): Given {
  const issuers = given.list("service-account-issuer")
  for (const [at, issuer] of (issuers ?? []).entries()) {
    if (issuer.includes(":") && !URL.canParse(issuer))
      throw new UsageError(
        `service-account-issuer ${JSON.stringify(issuer)} contained a ':' but was not a valid URL: ${JSON.stringify(issuer)}`,
      )
    if (issuers!.indexOf(issuer) < at)
      throw new UsageError(`service-account-issuer ${JSON.stringify(issuer)} is already specified`)
  }
  const jwksUri = given.text("service-account-jwks-uri")
  if (jwksUri !== undefined && !URL.canParse(jwksUri))
    throw new UsageError(`service-account-jwks-uri must be a valid URL: ${JSON.stringify(jwksUri)}`)
  if (jwksUri !== undefined && new URL(jwksUri).protocol !== "https:")
    throw new UsageError(`service-account-jwks-uri requires https scheme, parsed as: ${jwksUri}`)
  const maxMs = given.durationMs("service-account-max-token-expiration")
  if (maxMs !== undefined && maxMs !== 0 && (maxMs < hourMs || maxMs > 2 ** 32 * 1000))
    throw new UsageError("the service-account-max-token-expiration must be between 1 hour and 2^32 seconds")
  const extendExpiration = given.switch("service-account-extend-token-expiration")
  const audiences = given.list("api-audiences")
  return {
    ...(issuers?.length ? { issuers } : {}),
    ...(audiences?.length ? { audiences } : {}),
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(maxMs ? { maxExpirationSeconds: Math.floor(maxMs / 1000) } : {}),
    ...(extendExpiration === undefined ? {} : { extendExpiration }),
  }
}
