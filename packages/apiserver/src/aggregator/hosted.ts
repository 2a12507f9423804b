/**
 * A group and version that this server answers for although nothing of it is stored: read-only objects that are made when
 * somebody asks. An APIService that names a service takes its place, as of any other group.
 */
import { badRequest, notAcceptable, type KubeObject } from "@knarr/apimachinery"
import type { APIService, Creatable } from "@knarr/api"
import type { HttpResponse } from "@knarr/client"
import type { Exchange, RequestInfo } from "../contract.ts"
import { acceptOf, type Clause, isTransformed, negotiate, takesStream } from "../server/accept.ts"
import { methodNotAllowed, pathNotFound } from "../server/refusals.ts"
import { respondJson } from "../server/respond.ts"
import { alwaysManaged } from "./auto-register.ts"
import type { RemoteResource } from "./remote-discovery.ts"

export interface HostedTable {
  readonly columnDefinitions: readonly object[] | null
  readonly cells: readonly (readonly unknown[])[]
}

export interface HostedQuery {
  readonly resource: string
  /** "" for all, or for what is in no namespace. */
  readonly namespace: string
  readonly labelSelector: string
  readonly fieldSelector: string
}

/** What is asked rejects with StatusErrors. */
export interface HostedVersion {
  readonly group: string
  readonly version: string
  /** Of its APIService. */
  readonly groupPriority: number
  readonly versionPriority: number
  readonly resources: readonly RemoteResource[]
  get(
    ref: { readonly resource: string; readonly namespace: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<KubeObject>
  list(query: HostedQuery, signal: AbortSignal): Promise<readonly KubeObject[]>
  table(resource: string, items: readonly KubeObject[]): HostedTable
}

type HostedRequest = Pick<Exchange, "query"> & {
  readonly method: string
  readonly accept: string
  readonly signal: AbortSignal
}

const types: readonly string[] = ["application/json"]

/** Answers on the port. Rejects with StatusErrors. */
export async function respondHosted(
  version: HostedVersion,
  exchange: Exchange,
  info: RequestInfo,
): Promise<void> {
  const { query, method, signal } = exchange
  const accept = acceptOf(exchange)
  respondJson(exchange, 200, await answer(version, info, { query, method, accept, signal }))
}

/** The same for parts of this process. */
export async function hostedResponse(
  version: HostedVersion,
  info: RequestInfo,
  request: HostedRequest,
): Promise<HttpResponse> {
  const buffer = Buffer.from(JSON.stringify(await answer(version, info, request)))
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: (async function* () {
      yield buffer
    })(),
    buffer: () => Promise.resolve(buffer),
  }
}

/** The APIService that stands for it until somebody names another. */
export function hostedApiService(hosted: HostedVersion): Creatable<APIService> {
  const { group, version, groupPriority, versionPriority } = hosted
  return {
    metadata: { name: `${version}.${group}`, labels: alwaysManaged },
    spec: { group, version, groupPriorityMinimum: groupPriority, versionPriority },
  } as Creatable<APIService>
}

async function answer(version: HostedVersion, info: RequestInfo, request: HostedRequest): Promise<object> {
  const apiVersion = `${version.group}/${version.version}`
  if (!info.isResourceRequest) {
    if (request.method !== "GET") throw methodNotAllowed()
    return resourceList(version, apiVersion)
  }
  const resource = version.resources.find((one) => one.resource === info.resource)
  if (!resource || info.prefix !== "" || info.subresource !== "") throw pathNotFound()
  const isNamespaced = resource.scope === "Namespaced"
  if (info.inNamespace !== isNamespaced && (info.inNamespace || info.depth > 0)) throw pathNotFound()
  if (info.verb !== "get" && info.verb !== "list") throw methodNotAllowed()
  const form = negotiate(request.accept, takesTable, types)
  if (!form) throw notAcceptable(types)
  const { query, signal } = request
  const { namespace, name } = info
  let items: readonly KubeObject[]
  if (info.depth > 0) items = [await version.get({ resource: info.resource, namespace, name }, signal)]
  else {
    items = await version.list(
      {
        resource: info.resource,
        namespace,
        labelSelector: query.get("labelSelector") ?? "",
        fieldSelector: query.get("fieldSelector") ?? "",
      },
      signal,
    )
  }
  const tableVersion = form.clause.params.get("v")
  if (isTransformed(form.clause))
    return tableOf(version.table(info.resource, items), items, `meta.k8s.io/${tableVersion}`, query)
  if (info.depth > 0) return items[0]!
  const { kind } = resource.responseKind
  return {
    kind: `${kind}List`,
    apiVersion,
    metadata: {},
    items: items.map(({ kind: _, apiVersion: _version, ...item }) => item),
  }
}

function takesTable(clause: Clause, type: string): boolean {
  if (!takesStream(clause, type)) return false
  if (!isTransformed(clause)) return true
  const { params } = clause
  const version = params.get("v")
  return (
    params.get("as") === "Table" &&
    params.get("g") === "meta.k8s.io" &&
    (version === "v1" || version === "v1beta1")
  )
}

function tableOf(
  { columnDefinitions, cells }: HostedTable,
  items: readonly KubeObject[],
  apiVersion: string,
  query: URLSearchParams,
): object {
  const include = query.get("includeObject") || "Metadata"
  if (include !== "None" && include !== "Metadata" && include !== "Object")
    throw badRequest(`unrecognized includeObject value: ${JSON.stringify(include)}`)
  const shown = (item: KubeObject): object | null => {
    if (include === "None") return null
    if (include === "Object") return item
    return { kind: "PartialObjectMetadata", apiVersion, metadata: item.metadata }
  }
  return {
    kind: "Table",
    apiVersion,
    metadata: {},
    columnDefinitions,
    rows: items.map((item, i) => ({ cells: cells[i], object: shown(item) })),
  }
}

function resourceList(version: HostedVersion, groupVersion: string): object {
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion,
    resources: version.resources.map(({ resource, singularResource, scope, responseKind, verbs }) => ({
      name: resource,
      singularName: singularResource,
      namespaced: scope === "Namespaced",
      kind: responseKind.kind,
      verbs,
    })),
  }
}
