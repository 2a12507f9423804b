/**
 * Who is asked what somebody may, in which order: `--authorization-config`.
 * Mirrors: apiserver pkg/apis/apiserver/{v1,validation}, kubernetes pkg/kubeapiserver/authorizer
 */
import { statSync } from "node:fs"
import { isAbsolute } from "node:path"
import {
  aggregateMessage,
  field,
  isDNS1123Subdomain,
  parseGoDuration,
  type FieldError,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { parseStrictConfig, type ConfigType } from "@knarr/client"
import { compileMatchCondition, type MatchCondition } from "./match-conditions.ts"
import type { WebhookAuthorizerOptions } from "./webhook.ts"

interface WebhookConfig {
  readonly authorizedTTL?: string
  readonly cacheAuthorizedRequests?: boolean
  readonly unauthorizedTTL?: string
  readonly cacheUnauthorizedRequests?: boolean
  readonly timeout?: string
  readonly subjectAccessReviewVersion?: string
  readonly matchConditionSubjectAccessReviewVersion?: string
  readonly failurePolicy?: string
  readonly connectionInfo?: { readonly type?: string; readonly kubeConfigFile?: string }
  readonly matchConditions?: readonly { readonly expression?: string }[]
}

interface AuthorizationConfig {
  readonly authorizers?: readonly {
    readonly type?: string
    readonly name?: string
    readonly webhook?: WebhookConfig
  }[]
}

/** One authorizer of the chain, by its type. */
export interface AuthorizerSpec {
  readonly type: AuthorizerType
  readonly name: string
  readonly webhook?: WebhookAuthorizerOptions | undefined
}

export const authorizerTypes = ["ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"] as const
export type AuthorizerType = Exclude<(typeof authorizerTypes)[number], "ABAC">

const configType: ConfigType = {
  apiVersions: [
    "apiserver.config.k8s.io/v1",
    "apiserver.config.k8s.io/v1beta1",
    "apiserver.config.k8s.io/v1alpha1",
  ],
  kind: "AuthorizationConfiguration",
  packageName: "io.k8s.apiserver.pkg.apis.apiserver.v1.authorization",
  table: {
    AuthorizationConfiguration: {
      apiVersion: "string",
      kind: "string",
      authorizers: "[]AuthorizerConfiguration",
    },
    AuthorizerConfiguration: { type: "string", name: "string", webhook: "WebhookConfiguration" },
    WebhookConfiguration: {
      authorizedTTL: "string",
      cacheAuthorizedRequests: "boolean",
      unauthorizedTTL: "string",
      cacheUnauthorizedRequests: "boolean",
      timeout: "string",
      subjectAccessReviewVersion: "string",
      matchConditionSubjectAccessReviewVersion: "string",
      failurePolicy: "string",
      connectionInfo: "WebhookConnectionInfo",
      matchConditions: "[]WebhookMatchCondition",
    },
    WebhookConnectionInfo: { type: "string", kubeConfigFile: "string" },
    WebhookMatchCondition: { expression: "string" },
  },
}

/** Reads a configuration. Rejects in upstream's words. */
export async function parseAuthorization(text: string): Promise<readonly AuthorizerSpec[]> {
  const config = await parseStrictConfig<AuthorizationConfig>(text, configType)
  const errors: FieldError[] = []
  const specs: AuthorizerSpec[] = []
  const authorizers = config.authorizers ?? []
  if (authorizers.length === 0)
    errors.push(field.required("authorizers", "at least one authorization mode must be defined"))
  const types = new Set<string>()
  const names = new Set<string>()
  for (const [i, { type = "", name = "", webhook }] of authorizers.entries()) {
    const path = field.index("authorizers", i)
    if (type === "") {
      errors.push(field.required(`${path}.type`, ""))
      continue
    }
    if (!(authorizerTypes as readonly string[]).includes(type)) {
      errors.push(field.notSupported(`${path}.type`, type, authorizerTypes))
      continue
    }
    if (type === "ABAC") {
      errors.push(field.invalid(`${path}.type`, type, "policy files are not read by this server"))
      continue
    }
    if (types.has(type) && type !== "Webhook") {
      errors.push(field.duplicate(`${path}.type`, type))
      continue
    }
    types.add(type)
    const problems = isDNS1123Subdomain(name)
    if (name === "") errors.push(field.required(`${path}.name`, ""))
    else if (names.has(name)) errors.push(field.duplicate(`${path}.name`, name))
    else if (problems.length > 0)
      errors.push(field.invalid(`${path}.name`, name, `authorizer name is invalid: ${problems.join(", ")}`))
    names.add(name)
    const spec = { type: type as AuthorizerType, name }
    if (type !== "Webhook") {
      if (webhook)
        errors.push(field.invalid(`${path}.webhook`, "non-null", "may only be specified when type=Webhook"))
      specs.push(spec)
    } else if (webhook) specs.push({ ...spec, webhook: webhookOf(webhook, path, errors) })
    else errors.push(field.required(`${path}.webhook`, "required when type=Webhook"))
  }
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  return specs
}

function webhookOf(config: WebhookConfig, path: string, errors: FieldError[]): WebhookAuthorizerOptions {
  const duration = (name: "timeout" | "authorizedTTL" | "unauthorizedTTL"): number => {
    try {
      return parseGoDuration(config[name] ?? "0s")
    } catch (thrown) {
      errors.push(field.invalid(`${path}.${name}`, config[name], messageOf(thrown)))
      return NaN
    }
  }
  const timeoutMs = duration("timeout")
  if (timeoutMs === 0) errors.push(field.required(`${path}.timeout`, ""))
  else if (timeoutMs > 30_000 || timeoutMs < 0)
    errors.push(field.invalid(`${path}.timeout`, config.timeout, "must be > 0s and <= 30s"))
  const ttl = (name: "authorizedTTL" | "unauthorizedTTL", byDefault: number): number => {
    const ms = duration(name)
    if (ms < 0) errors.push(field.invalid(`${path}.${name}`, config[name], "must be > 0s"))
    return ms === 0 ? byDefault : ms
  }
  const authorizedTtlMs = ttl("authorizedTTL", 300_000)
  const unauthorizedTtlMs = ttl("unauthorizedTTL", 30_000)
  const oneOf = (name: string, value: string | undefined, allowed: readonly string[]): void => {
    if (!value) errors.push(field.required(`${path}.${name}`, ""))
    else if (!allowed.includes(value)) errors.push(field.notSupported(`${path}.${name}`, value, allowed))
  }
  oneOf("subjectAccessReviewVersion", config.subjectAccessReviewVersion, ["v1", "v1beta1"])
  const conditions = config.matchConditions ?? []
  const { matchConditionSubjectAccessReviewVersion: version = "" } = config
  const versionPath = `${path}.matchConditionSubjectAccessReviewVersion`
  if (version === "" && conditions.length > 0)
    errors.push(field.required(versionPath, "required if match conditions are specified"))
  else if (version !== "" && version !== "v1") errors.push(field.notSupported(versionPath, version, ["v1"]))
  oneOf("failurePolicy", config.failurePolicy, ["NoOpinion", "Deny"])
  const { type, kubeConfigFile = "" } = config.connectionInfo ?? {}
  const filePath = `${path}.connectionInfo.kubeConfigFile`
  if (type === "InClusterConfig")
    errors.push(field.invalid(`${path}.connectionInfo.type`, type, "this server runs in no pod"))
  else oneOf("connectionInfo.type", type, ["InClusterConfig", "KubeConfigFile"])
  if (type === "KubeConfigFile") {
    if (kubeConfigFile === "") errors.push(field.required(filePath, ""))
    else if (!isAbsolute(kubeConfigFile))
      errors.push(field.invalid(filePath, kubeConfigFile, "must be an absolute path"))
    else {
      const found = statSync(kubeConfigFile, { throwIfNoEntry: false })
      if (!found)
        errors.push(
          field.invalid(
            filePath,
            kubeConfigFile,
            `error loading file: stat ${kubeConfigFile}: no such file or directory`,
          ),
        )
      else if (!found.isFile()) errors.push(field.invalid(filePath, kubeConfigFile, "must be a regular file"))
    }
  }
  return {
    configFile: kubeConfigFile,
    version: config.subjectAccessReviewVersion === "v1beta1" ? "v1beta1" : "v1",
    timeoutMs,
    authorizedTtlMs: config.cacheAuthorizedRequests === false ? 0 : authorizedTtlMs,
    unauthorizedTtlMs: config.cacheUnauthorizedRequests === false ? 0 : unauthorizedTtlMs,
    onError: config.failurePolicy === "Deny" ? "deny" : "noOpinion",
    conditions: conditionsOf(conditions, path, errors),
  }
}

function conditionsOf(
  conditions: readonly { readonly expression?: string }[],
  path: string,
  errors: FieldError[],
): MatchCondition[] {
  if (conditions.length > 64) {
    errors.push(field.tooMany(`${path}.matchConditions`, conditions.length, 64))
    return []
  }
  const seen = new Set<string>()
  return conditions.flatMap(({ expression = "" }, i) => {
    const at = `${field.index(`${path}.matchConditions`, i)}.expression`
    if (expression.trim() === "") errors.push(field.required(at, ""))
    else if (seen.has(expression)) errors.push(field.duplicate(at, expression))
    else {
      seen.add(expression)
      const compiled = compileMatchCondition(expression)
      if (!("problem" in compiled)) return [compiled]
      errors.push(field.invalid(at, expression, compiled.problem))
    }
    return []
  })
}
