/**
 * `/openapi/v3` (an index with hashes and one document per group and version) and `/openapi/v2` (all in one).
 * Built on first demand, kept as compressed bytes. Mirrors: kube-openapi pkg/handler3, pkg/handler
 */
import { createHash } from "node:crypto"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import { kubernetesVersion } from "@knarr/api"
import { notAcceptable, type Kind } from "@knarr/apimachinery"
import type { Aggregator } from "../aggregator/aggregator.ts"
import { mergeOpenApi } from "../aggregator/merge-openapi.ts"
import type { Exchange, RequestContext } from "../contract.ts"
import type { ServerExchange } from "../server/exchange.ts"
import { respondError } from "../server/respond.ts"
import { DocumentCache, type CachedDocument } from "./openapi-cache.ts"
import type { OpenApiDocs } from "./openapi-docs.ts"
import { customInfo } from "./openapi-custom.ts"
import { encodeOpenApiV2 } from "./openapi-protobuf.ts"
import { definitionKinds } from "./openapi-kinds.ts"
import { PathWriter } from "./openapi-paths.ts"
import { groupVersionOf, openApiDocuments, type OpenApiDocument } from "./openapi-roots.ts"
import { SchemaCollector, type Describe, type Json } from "./openapi-schemas.ts"
import { takesGzip } from "./verbs/answer.ts"

const info = { title: "Kubernetes", version: kubernetesVersion.split(".").slice(0, 2).join(".") }
const protobufV2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
const noText: Describe = () => undefined
const unpack = promisify(gunzip)

export class OpenApi {
  #kinds: readonly Kind[]
  readonly #docs: () => OpenApiDocs | undefined
  readonly #aggregator: Aggregator | undefined
  /** How often other servers' parts of version 2 have changed: its document is of one of these. */
  #merges = 0
  #docsVersion: string | undefined
  #documents = new DocumentCache()

  /** `docs`: the texts of types and fields; asked for whenever a document is made, and not before. */
  constructor(
    kinds: readonly Kind[],
    docs: () => OpenApiDocs | undefined = () => undefined,
    aggregator?: Aggregator,
  ) {
    this.#kinds = kinds
    this.#docs = docs
    this.#aggregator = aggregator
  }

  /** Describes other kinds from now on. */
  replace(kinds: readonly Kind[]): void {
    this.#kinds = kinds
    this.#documents = new DocumentCache()
  }

  /** Other servers serve something else now. */
  forgetMerged(): void {
    this.#merges++
  }

  async respondV2(exchange: Exchange): Promise<void> {
    const merge = this.#merges
    if (takesJson(exchange))
      return this.#send(exchange, await this.#documents.get(`v2 ${merge}`, () => json(this.#v2())))
    const accept = String(exchange.headers["accept"] ?? "")
    if (!/com\.github\.proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/.test(accept))
      return respondError(exchange, notAcceptable(["application/json", protobufV2]))
    const document = await this.#documents.get(`v2 protobuf ${merge}`, () => encodeOpenApiV2(this.#v2()))
    return this.#send(exchange, document, protobufV2)
  }

  async respondV3(exchange: ServerExchange, ctx: RequestContext): Promise<void> {
    const path = exchange.path.replace(/^\/openapi\/v3\/?/, "").replace(/\/$/, "")
    // The published server names no type for its index, which Go then takes for text.
    if (exchange.path === "/openapi/v3")
      return exchange.respond(200, "text/plain; charset=utf-8", json(await this.#index()))
    const document = openApiDocuments(this.#kinds).get(path)
    const elsewhere = this.#aggregator?.openApiV3().get(path)
    if (elsewhere && (elsewhere.isOwn || !document))
      return this.#aggregator!.proxy(elsewhere.remote, exchange, ctx)
    if (!document) return exchange.respond(404, "", "")
    const wanted = exchange.query.get("hash")
    const hash = await this.#hashOf(path, document)
    if (wanted !== null && wanted !== hash) {
      exchange.setHeader("Location", `${exchange.path}?hash=${hash}`)
      return exchange.respond(301, "", "")
    }
    if (!takesJson(exchange)) {
      exchange.setHeader("Vary", "Accept")
      return exchange.respond(406, "", "")
    }
    if (wanted !== null) {
      exchange.setHeader("Cache-Control", "public, immutable")
      exchange.setHeader("Expires", "Thu, 31 Dec 2099 23:59:59 GMT")
    }
    const { packed } = await this.#documents.get(path, () => json(this.#v3(document)))
    return this.#send(exchange, { packed, hash })
  }

  async #send(exchange: Exchange, document: CachedDocument, type = "application/json"): Promise<void> {
    const etag = `"${document.hash}"`
    exchange.setHeader("ETag", etag)
    exchange.setHeader("Vary", "Accept-Encoding, Accept")
    if (exchange.headers["if-none-match"] === etag) return exchange.respond(304, "", "")
    if (!takesGzip(exchange)) return exchange.respond(200, type, await unpack(document.packed))
    exchange.setHeader("Content-Encoding", "gzip")
    exchange.respond(200, type, document.packed)
  }

  async #index(): Promise<unknown> {
    const urls = new Map<string, string>()
    for (const [path, document] of openApiDocuments(this.#kinds))
      urls.set(path, `/openapi/v3/${path}?hash=${await this.#hashOf(path, document)}`)
    for (const [path, { url, isOwn }] of this.#aggregator?.openApiV3() ?? [])
      if (isOwn || !urls.has(path)) urls.set(path, url)
    const paths: Json = {}
    for (const path of [...urls.keys()].sort()) paths[path] = { serverRelativeURL: urls.get(path)! }
    return { paths }
  }

  /** Published shapes are known by their release; only shapes made by hand need their document for a hash. */
  async #hashOf(path: string, document: OpenApiDocument): Promise<string> {
    const { kinds } = document
    if (kinds.some((kind) => kind.rules === "structural"))
      return this.#documents.hash(path, () => json(this.#v3(document)))
    this.#docsVersion ??= this.#docs()?.version ?? ""
    const text = `${kubernetesVersion} ${this.#docsVersion} ${path} ${kinds.map((kind) => kind.plural).join(" ")}`
    return createHash("sha512").update(text).digest("hex").toUpperCase()
  }

  #describe(): Describe {
    return this.#docs()?.unpack() ?? noText
  }

  #v3(document: OpenApiDocument): unknown {
    const schemas = new SchemaCollector(
      3,
      definitionKinds(this.#kinds, groupVersionOf(document)),
      this.#describe(),
    )
    const writer = new PathWriter(3, schemas, this.#kinds)
    document.write(writer)
    const definitions = schemas.definitions()
    const { kinds } = document
    if (kinds.length > 0 && kinds.every(({ rules }) => rules === "structural"))
      return {
        openapi: "3.0.0",
        info: customInfo,
        paths: writer.paths,
        components: { schemas: definitions },
      }
    return {
      openapi: "3.0.0",
      info,
      paths: writer.paths,
      components: {
        ...(Object.keys(definitions).length > 0 ? { schemas: definitions } : {}),
        securitySchemes: {
          BearerToken: {
            type: "apiKey",
            description: "Bearer Token authentication",
            name: "authorization",
            in: "header",
          },
        },
      },
    }
  }

  #v2(): Json {
    const schemas = new SchemaCollector(2, definitionKinds(this.#kinds), this.#describe())
    const writer = new PathWriter(2, schemas, this.#kinds)
    for (const document of openApiDocuments(this.#kinds).values()) document.write(writer)
    const merged: Json = {
      swagger: "2.0",
      info,
      paths: writer.paths,
      definitions: schemas.definitions(),
      parameters: writer.parameters,
      securityDefinitions: {
        BearerToken: {
          description: "Bearer Token authentication",
          type: "apiKey",
          name: "authorization",
          in: "header",
        },
      },
      security: [{ BearerToken: [] }],
    }
    for (const { document } of this.#aggregator?.openApiV2() ?? []) mergeOpenApi(merged, document)
    return merged
  }
}

function takesJson(exchange: Exchange): boolean {
  const accept = String(exchange.headers["accept"] ?? "")
  return accept === "" || /\*\/\*|application\/\*|application\/json|\+json/.test(accept)
}

function json(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document))
}
