/** An APIService that another server answers for, as the proxy and the documents need it. */
import type { APIService } from "@knarr/api"
import { isTrueCondition } from "./conditions.ts"

export interface RemoteService {
  /** Of the APIService: `<version>.<group>`. */
  readonly name: string
  readonly group: string
  readonly version: string
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number }
  /** PEM; undefined: the machine's authorities. */
  readonly caBundle: string | undefined
  readonly insecure: boolean
  readonly groupPriority: number
  readonly versionPriority: number
  readonly isAvailable: boolean
}

/** Undefined for one that this server answers for. */
export function remoteOf(object: Readonly<APIService>): RemoteService | undefined {
  const { spec, metadata } = object
  const { service } = spec
  if (!service) return undefined
  return {
    name: metadata.name,
    group: spec.group ?? "",
    version: spec.version ?? "",
    service: { namespace: service.namespace ?? "", name: service.name ?? "", port: service.port ?? 443 },
    caBundle: spec.caBundle ? Buffer.from(spec.caBundle, "base64").toString() : undefined,
    insecure: spec.insecureSkipTLSVerify ?? false,
    groupPriority: spec.groupPriorityMinimum,
    versionPriority: spec.versionPriority,
    isAvailable: isTrueCondition(object),
  }
}

/** The path of its documents: `/apis/<group>/<version>`. */
export function pathOf({ group, version }: Pick<RemoteService, "group" | "version">): string {
  return group === "" ? `/api/${version}` : `/apis/${group}/${version}`
}
