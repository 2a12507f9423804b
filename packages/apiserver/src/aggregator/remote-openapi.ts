/**
 * OpenAPI documents of another server: version 3 stays there and only its index is known here; version 2 is read whole,
 * and what belongs to the server's own group and version is merged. Mirrors: kube-aggregator pkg/controllers/openapi{,v3}/aggregator
 */
import { createHash } from "node:crypto"
import { parseJson } from "@knarr/base"
import type { Json } from "../endpoints/openapi-schemas.ts"
import { filterPaths, isDocument } from "./merge-openapi.ts"
import type { Get } from "../outbound/read-bounded.ts"

/** The longest documents that are read. */
const maxIndexBytes = 1024 * 1024
const maxV2Bytes = 16 * 1024 * 1024

/** Paths below `/openapi/v3` that the server has, with where each is told to be. */
export type RemoteIndex = ReadonlyMap<string, string>

/** Undefined when the server has no version 3. */
export async function fetchV3Index(get: Get): Promise<RemoteIndex | undefined> {
  const answer = await get("/openapi/v3", { accept: "application/json" }, maxIndexBytes)
  if (answer.status === 404) return undefined
  if (answer.status !== 200) throw new Error(`failed to retrieve openAPI spec, http error: ${answer.status}`)
  const index = parseJson(answer.body.toString()) as {
    paths?: Record<string, { serverRelativeURL?: unknown }>
  }
  const out = new Map<string, string>()
  for (const [path, { serverRelativeURL }] of Object.entries(index.paths ?? {}))
    if (typeof serverRelativeURL === "string" && serverRelativeURL.startsWith("/openapi/v3/"))
      out.set(path, serverRelativeURL)
  return out
}

export interface RemoteV2 {
  /** What of it is below the paths of the group and version. */
  readonly document: Json
  readonly etag: string
}

/** Undefined when the server has none. `known` is given back when nothing changed. */
export async function fetchV2(
  get: Get,
  path: string,
  known: RemoteV2 | undefined,
): Promise<RemoteV2 | undefined> {
  const asked = { accept: "application/json", ...(known ? { "if-none-match": known.etag } : {}) }
  const answer = await get("/openapi/v2", asked, maxV2Bytes)
  if (answer.status === 304 && known) return known
  if (answer.status === 404) return undefined
  if (answer.status !== 200) throw new Error(`failed to retrieve openAPI spec, http error: ${answer.status}`)
  const own = `"${createHash("sha512").update(answer.body).digest("hex").toUpperCase()}"`
  const etag = String(answer.headers.etag ?? own)
  if (known?.etag === etag) return known
  const document = parseJson(answer.body.toString()) as unknown
  if (!isDocument(document)) throw new Error("its openAPI spec is no document")
  return { document: filterPaths(document, (one) => one.startsWith(`${path}/`)), etag }
}
