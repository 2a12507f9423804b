/**
 * The groups and versions that are served, in the order in which documents list them.
 * Mirrors: apiserver pkg/endpoints/discovery/aggregated/handler.go, kube-aggregator pkg/apis/apiregistration/v1/helper
 */
import type { Kind } from "@knarr/apimachinery"
import type { RemoteVersion } from "../aggregator/aggregator.ts"
import { builtInApiServices } from "../bootstrap/bootstrap.ts"

export interface Group {
  readonly name: string
  /** Preferred first. */
  readonly versions: ReadonlyMap<string, { readonly kinds: readonly Kind[] } | RemoteVersion>
}

interface Version {
  readonly group: string
  readonly version: string
  readonly groupPriority: number
  readonly versionPriority: number
  readonly served: { readonly kinds: Kind[] } | RemoteVersion
}

/** The group of the APIs of API services stands before all others, and has no API service itself. */
const registration = { groupPriority: 20_000, versionPriority: 0 }
/** Of custom resources, as they are registered. */
const custom = { groupPriority: 1000, versionPriority: 100 }

/** Another server answers for what it is registered for, whatever this one has. */
export function groupVersions(kinds: readonly Kind[], remote: readonly RemoteVersion[] = []): Group[] {
  const own = new Map<string, Version>()
  const priorities = new Map(
    builtInApiServices(kinds).map(({ metadata: { name }, spec }) => [
      name,
      { groupPriority: spec.groupPriorityMinimum, versionPriority: spec.versionPriority },
    ]),
  )
  for (const kind of kinds) {
    if (kind.verbs.length === 0) continue
    const { group, version } = kind
    const key = `${version}.${group}`
    const present = own.get(key)
    if (present && "kinds" in present.served) {
      present.served.kinds.push(kind)
      continue
    }
    const builtIn = group === "apiregistration.k8s.io" ? registration : custom
    own.set(key, { group, version, ...(priorities.get(key) ?? builtIn), served: { kinds: [kind] } })
  }
  for (const one of remote) own.set(`${one.version}.${one.group}`, { ...one, served: one })

  const groups = new Map<string, Version[]>()
  for (const one of own.values()) {
    if ("kinds" in one.served) one.served.kinds.sort((a, b) => (a.plural < b.plural ? -1 : 1))
    const list = groups.get(one.group)
    if (list) list.push(one)
    else groups.set(one.group, [one])
  }
  const priorityOf = (versions: readonly Version[]): number =>
    Math.max(...versions.map(({ groupPriority }) => groupPriority))
  return [...groups]
    .sort(
      ([a, x], [b, y]) =>
        Number(b === "") - Number(a === "") || priorityOf(y) - priorityOf(x) || (a < b ? -1 : 1),
    )
    .map(([name, versions]) => ({
      name,
      versions: new Map(
        versions
          .sort((a, b) => b.versionPriority - a.versionPriority || compareVersions(b.version, a.version))
          .map(({ version, served }) => [version, served]),
      ),
    }))
}

/** Versions by maturity, then by number: v2 above v1 above v1beta2. Mirrors: apimachinery pkg/version/helpers.go */
export function compareVersions(a: string, b: string): number {
  const x = parseVersion(a)
  const y = parseVersion(b)
  for (let i = 0; i < 3; i++) if (x[i]! !== y[i]!) return x[i]! - y[i]!
  return x[0] === 0 ? (a < b ? 1 : a > b ? -1 : 0) : 0
}

function parseVersion(version: string): readonly [stability: number, major: number, minor: number] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  if (!match) return [0, 0, 0]
  const stability = match[2] === undefined ? 3 : match[2] === "beta" ? 2 : 1
  return [stability, Number(match[1]), Number(match[3] ?? 0)]
}
