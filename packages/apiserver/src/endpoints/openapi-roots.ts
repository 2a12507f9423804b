/**
 * The documents that there are: one per group and version, and those of what tells of the server itself.
 * Mirrors: apiserver pkg/endpoints/discovery, pkg/server/routes/version.go, kubernetes pkg/routes/openidmetadata.go
 */
import type { Kind } from "@knarr/apimachinery"
import { tagOf, title } from "./openapi-names.ts"
import type { PathWriter } from "./openapi-paths.ts"

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1"

export interface OpenApiDocument {
  /** Those whose paths are in it. */
  readonly kinds: readonly Kind[]
  write(writer: PathWriter): void
}

/** By their paths below `/openapi/v3`. */
export function openApiDocuments(kinds: readonly Kind[]): Map<string, OpenApiDocument> {
  const documents = new Map<string, OpenApiDocument>()
  const root = (name: string, write: (writer: PathWriter) => void): void =>
    void documents.set(name, { kinds: [], write })
  root(".well-known/openid-configuration", (writer) =>
    writer.addRoot(
      "/.well-known/openid-configuration/",
      "getServiceAccountIssuerOpenIDConfiguration",
      "WellKnown",
      undefined,
      { produces: ["application/json"] },
    ),
  )
  root("openid/v1/jwks", (writer) =>
    writer.addRoot("/openid/v1/jwks/", "getServiceAccountIssuerOpenIDKeyset", "openid", undefined, {
      produces: ["application/jwk-set+json"],
    }),
  )
  root("version", (writer) =>
    writer.addRoot("/version/", "getCodeVersion", "version", "io.k8s.apimachinery.pkg.version.Info", {
      consumes: ["application/json"],
      produces: ["application/json"],
    }),
  )
  root("api", (writer) => writer.addRoot("/api/", "getCoreAPIVersions", "core", `${meta}.APIVersions`))
  root("apis", (writer) => writer.addRoot("/apis/", "getAPIVersions", "apis", `${meta}.APIGroupList`))
  for (const [path, list] of byVersion(kinds)) {
    const { group, version } = list[0]!
    const tag = tagOf(group)
    const isNative = list.some(({ rules }) => rules === "native")
    if (group !== "" && isNative && !documents.has(`apis/${group}`))
      root(`apis/${group}`, (writer) =>
        writer.addRoot(`/apis/${group}/`, `get${title(tag)}APIGroup`, tag, `${meta}.APIGroup`),
      )
    documents.set(path, {
      kinds: list,
      write(writer) {
        const id = `get${title(tag)}${title(version)}APIResources`
        if (isNative) writer.addRoot(`/${path}/`, id, tagOf(group, version), `${meta}.APIResourceList`)
        for (const kind of list) writer.add(kind)
      },
    })
  }
  return documents
}

function byVersion(kinds: readonly Kind[]): Map<string, Kind[]> {
  const out = new Map<string, Kind[]>()
  for (const kind of kinds) {
    if (kind.verbs.length === 0) continue
    const path = kind.group === "" ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`
    const list = out.get(path)
    if (list) list.push(kind)
    else out.set(path, [kind])
  }
  return out
}

/** The group and version of a document's kinds; those of the core group when it has none. */
export function groupVersionOf({ kinds: [first] }: OpenApiDocument): {
  readonly group: string
  readonly version: string
} {
  return first ?? { group: "", version: "v1" }
}
