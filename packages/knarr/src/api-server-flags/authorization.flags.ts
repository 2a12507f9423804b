/** Flags about who may. Mirrors: kubernetes pkg/kubeapiserver/options/authorization.go */
import { authorizerTypes, type AuthorizerSpec, type AuthorizerType } from "@knarr/apiserver"
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup, GivenFlags } from "./flag-group.ts"

const modeFlag = "authorization-mode"
const webhookFile = "authorization-webhook-config-file"

export const authorizationFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "authorization-config": "file",
    [modeFlag]: "text",
    [webhookFile]: "file",
    "authorization-webhook-version": "text",
    "authorization-webhook-cache-authorized-ttl": "text",
    "authorization-webhook-cache-unauthorized-ttl": "text",
  },
  read(given) {
    const file = given.text("authorization-config")
    const modes = given.list(modeFlag)
    if (file !== undefined && modes)
      throw new UsageError(
        "--authorization-config can not be specified when --authorization-mode is specified",
      )
    if (file !== undefined) return { authorization: { file } }
    if (!modes) return {}
    return { authorization: { authorizers: modes.map((mode) => specOf(mode, modes, given)) } }
  },
})

function specOf(mode: string, modes: readonly string[], given: GivenFlags): AuthorizerSpec {
  if (mode === "ABAC" || !(authorizerTypes as readonly string[]).includes(mode))
    throw new UsageError(`authorization-mode ${JSON.stringify(mode)} is not a valid mode`)
  if (modes.filter((one) => one === mode).length > 1)
    throw new UsageError(`authorization-mode ${JSON.stringify(modes)} has mode specified more than once`)
  const type = mode as AuthorizerType
  if (type !== "Webhook") return { type, name: type.toLowerCase() }
  const configFile = given.text(webhookFile)
  if (configFile === undefined)
    throw new UsageError("authorization-mode Webhook's authorization config file not passed")
  const webhook = {
    configFile,
    version: version(given),
    timeoutMs: 30_000,
    authorizedTtlMs: given.durationMs("authorization-webhook-cache-authorized-ttl") ?? 300_000,
    unauthorizedTtlMs: given.durationMs("authorization-webhook-cache-unauthorized-ttl") ?? 30_000,
    onError: "noOpinion" as const,
    conditions: [],
  }
  return { type, name: "default", webhook }
}

function version(given: GivenFlags): "v1" | "v1beta1" {
  const text = given.text("authorization-webhook-version") ?? "v1beta1"
  if (text === "v1" || text === "v1beta1") return text
  throw new UsageError(
    `unsupported webhook authorizer version ${JSON.stringify(text)}, supported versions are "v1", "v1beta1"`,
  )
}
