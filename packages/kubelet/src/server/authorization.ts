/** Who asks the kubelet, and for what. Mirrors: pkg/kubelet/server/auth.go */
import type { TLSSocket } from "node:tls"
import { tableOf } from "@knarr/base"

export interface KubeletUser {
  readonly name: string
  readonly groups: readonly string[]
  readonly uid?: string
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** What the request must be allowed to do: `verb` on `nodes/<subresource>` for one of the subresources. */
export interface KubeletAccess {
  readonly user: KubeletUser
  readonly verb: string
  /** In the order in which they are to be asked; the first that is allowed is enough. */
  readonly subresources: readonly string[]
  readonly path: string
}

/** The user in the client's certificate, when the cluster's CA signed it. */
export function certificateUser(socket: TLSSocket): KubeletUser | undefined {
  if (!socket.authorized) return undefined
  return subjectUser(socket.getPeerCertificate().subject ?? {})
}

/** The user that a subject names: of several common names the last one counts, as to Go and so to the API server. */
export function subjectUser(subject: {
  readonly CN?: unknown
  readonly O?: unknown
}): KubeletUser | undefined {
  const valuesOf = (value: unknown): string[] => (value === undefined ? [] : [value].flat().map(String))
  const name = valuesOf(subject.CN).at(-1)
  return name ? { name, groups: [...valuesOf(subject.O), "system:authenticated"] } : undefined
}

const verbs: Readonly<Record<string, string>> = tableOf({
  POST: "create",
  GET: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
})

const fine: readonly (readonly [path: string, subresource: string])[] = [
  ["/pods", "pods"],
  ["/runningpods", "pods"],
  ["/healthz", "healthz"],
  ["/configz", "configz"],
]

const coarse: readonly (readonly [path: string, subresource: string])[] = [
  ["/stats", "stats"],
  ["/metrics", "metrics"],
  ["/logs", "log"],
  ["/checkpoint", "checkpoint"],
  ["/statusz", "statusz"],
  ["/flagz", "flagz"],
]

export function accessOf(user: KubeletUser, method: string, path: string): KubeletAccess {
  const under = ([prefix]: readonly [string, string]): boolean =>
    path === prefix || path.startsWith(`${prefix}/`)
  const subresources = fine.filter(under).map(([, subresource]) => subresource)
  subresources.push(coarse.find(under)?.[1] ?? "proxy")
  return { user, verb: verbs[method] ?? "", subresources, path }
}
