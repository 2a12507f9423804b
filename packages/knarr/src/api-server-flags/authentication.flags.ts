/** Flags about who asks. Mirrors: kubernetes pkg/kubeapiserver/options/authentication.go */
import type { ApiServerOptions } from "@knarr/apiserver"
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup, GivenFlags } from "./flag-group.ts"

const issuer = "oidc-issuer-url"
const client = "oidc-client-id"

export const authenticationFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "anonymous-auth": "switch",
    "authentication-config": "file",
    "authentication-token-webhook-config-file": "file",
    "authentication-token-webhook-version": "text",
    "authentication-token-webhook-cache-ttl": "text",
    "enable-bootstrap-token-auth": "switch",
    [issuer]: "text",
    [client]: "text",
    "oidc-ca-file": "file",
    "oidc-groups-claim": "text",
    "oidc-groups-prefix": "text",
    "oidc-required-claim": "text",
    "oidc-signing-algs": "text",
    "oidc-username-claim": "text",
    "oidc-username-prefix": "text",
  },
  read(given) {
    const file = given.text("authentication-config")
    const oidc = oidcOf(given)
    if (file !== undefined && oidc)
      throw new UsageError("authentication-config file and oidc-* flags are mutually exclusive")
    const authentication = file === undefined ? oidc : { file }
    return {
      bootstrapTokens: given.switch("enable-bootstrap-token-auth"),
      anonymous: given.switch("anonymous-auth"),
      ...(authentication ? { authentication } : {}),
      webhookTokens: webhookOf(given),
    }
  },
})

function webhookOf(given: GivenFlags): ApiServerOptions["webhookTokens"] {
  const configFile = given.text("authentication-token-webhook-config-file")
  if (configFile === undefined) return undefined
  const version = given.text("authentication-token-webhook-version") ?? "v1beta1"
  if (version !== "v1" && version !== "v1beta1")
    throw new UsageError(
      `unsupported authentication webhook version ${JSON.stringify(version)}, supported versions are "v1", "v1beta1"`,
    )
  return { configFile, version, cacheTtlMs: given.durationMs("authentication-token-webhook-cache-ttl") }
}

/** What a configuration file would say. */
function oidcOf(given: GivenFlags): ApiServerOptions["authentication"] {
  const url = given.text(issuer)
  const audience = given.text(client)
  if (url === undefined && audience === undefined) return undefined
  if (url === undefined || audience === undefined)
    throw new UsageError("oidc-issuer-url and oidc-client-id must be specified together")
  const claim = given.text("oidc-username-claim") ?? "sub"
  const prefix = given.text("oidc-username-prefix") ?? ""
  const groups = given.text("oidc-groups-claim")
  const ca = given.content("oidc-ca-file")?.toString("utf8")
  const required = given.list("oidc-required-claim") ?? []
  return {
    signingAlgorithms: given.list("oidc-signing-algs") ?? ["RS256"],
    config: {
      jwt: [
        {
          issuer: {
            url,
            audiences: [audience],
            ...(ca === undefined ? {} : { certificateAuthority: ca }),
          },
          claimMappings: {
            username: { claim, prefix: usernamePrefix(prefix, claim, url) },
            ...(groups === undefined
              ? {}
              : { groups: { claim: groups, prefix: given.text("oidc-groups-prefix") ?? "" } }),
          },
          claimValidationRules: required.map((text) => {
            const at = text.indexOf("=")
            if (at < 0) throw new UsageError(`malformed pair, expect string=string: ${text}`)
            return { claim: text.slice(0, at), requiredValue: text.slice(at + 1) }
          }),
        },
      ],
    },
  }
}

/** Names of an issuer's users begin with it, but for mail addresses; "-" is no prefix. */
function usernamePrefix(given: string, claim: string, url: string): string {
  if (given === "-") return ""
  return given === "" && claim !== "email" ? `${url}#` : given
}
