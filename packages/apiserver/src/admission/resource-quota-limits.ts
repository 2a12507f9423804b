/**
 * What the operator lets nobody use without a quota that covers it.
 * Mirrors: apiserver pkg/admission/plugin/resourcequota/{config.go,controller.go limitedByDefault,apis}
 */
import type { ResourceQuota } from "@knarr/api"
import { aggregateMessage, field, type Kind, type KubeObject } from "@knarr/apimachinery"
import { isInScope, quotaScopes, type QuotaScope, type QuotaUsage } from "@knarr/pod-rules"
import { decodeConfig, type ConfigType } from "@knarr/client"

export interface LimitedResource {
  readonly apiGroup?: string
  readonly resource?: string
  /** Parts of names of what may be used. */
  readonly matchContains?: readonly string[]
  readonly matchScopes?: readonly QuotaScope[]
}

const table: ConfigType["table"] = {
  ScopedResourceSelectorRequirement: { operator: "string", scopeName: "string", values: "[]string" },
  LimitedResource: {
    apiGroup: "string",
    matchContains: "[]string",
    matchScopes: "[]ScopedResourceSelectorRequirement",
    resource: "string",
  },
}
const fields = { apiVersion: "string", kind: "string", limitedResources: "[]LimitedResource" }

const type: ConfigType = {
  apiVersions: ["apiserver.config.k8s.io/v1"],
  kind: "ResourceQuotaConfiguration",
  packageName: "io.k8s.apiserver.pkg.admission.plugin.resourcequota.v1",
  table: { ...table, ResourceQuotaConfiguration: fields },
}

/** As it was called before. */
const olderType: ConfigType = {
  apiVersions: ["resourcequota.admission.k8s.io/v1beta1", "resourcequota.admission.k8s.io/v1alpha1"],
  kind: "Configuration",
  packageName: "io.k8s.apiserver.pkg.admission.plugin.resourcequota.v1beta1",
  table: { ...table, Configuration: fields },
}

/** Throws for what is wrong. */
export function readLimitedResources(configuration: unknown): readonly LimitedResource[] {
  if (configuration === undefined) return []
  const isOlder = (configuration as { readonly kind?: string } | null)?.kind === olderType.kind
  const { limitedResources = [] } = decodeConfig<{ limitedResources?: readonly LimitedResource[] }>(
    configuration,
    isOlder ? olderType : type,
  )
  const errors = limitedResources.flatMap(({ resource }, at) =>
    resource ? [] : [field.required(`limitedResources[${at}].resource`, "")],
  )
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  return limitedResources
}

/** Names of what is used and must be covered, and is not; sorted. */
export function uncoveredNames(
  limited: readonly LimitedResource[],
  { group, plural }: Kind,
  usage: QuotaUsage,
  covered: ReadonlySet<string>,
): string[] {
  const parts = limited
    .filter(({ apiGroup = "", resource }) => apiGroup === group && resource === plural)
    .flatMap(({ matchContains = [] }) => matchContains)
  const used = [...usage].filter(([, amount]) => amount.sign() > 0).map(([name]) => name)
  return used.filter((name) => !covered.has(name) && parts.some((part) => name.includes(part))).sort()
}

/** Scopes that the object is in and that no quota is about, as Go prints them. */
export function uncoveredScopes(
  limited: readonly LimitedResource[],
  kind: Kind,
  obj: KubeObject,
  quotas: Iterable<Readonly<ResourceQuota>>,
): string[] {
  const isIn = (scope: QuotaScope): boolean => isInScope(scope, kind, obj)
  const asked = limited.flatMap(({ matchScopes = [] }) => matchScopes).filter(isIn)
  if (asked.length === 0) return []
  const covered = new Set(
    [...quotas]
      .flatMap(quotaScopes)
      .filter(isIn)
      .map(({ scopeName }) => scopeName),
  )
  return asked
    .filter(({ scopeName }) => !covered.has(scopeName))
    .map(({ scopeName, operator, values = [] }) => `{${scopeName} ${operator} [${values.join(" ")}]}`)
}
