/**
 * `/openapi/v3` (an index with hashes and one document per group and version) and `/openapi/v2` (all in one).
 * Built on first demand, kept as bytes. Mirrors: kube-openapi pkg/handler3, pkg/handler
 */
import { createHash } from "node:crypto"
import type { Kind } from "@knarr/apimachinery"
import type { Exchange } from "../contract.ts"
import { respondError, respondNotFound } from "../server/respond.ts"
import { notAcceptable } from "@knarr/apimachinery"
import { encodeOpenApiV2 } from "./openapi-protobuf.ts"
import { PathWriter } from "./openapi-paths.ts"
import { nameOf, SchemaCollector, type Describe, type Json } from "./openapi-schemas.ts"
import { kubernetesVersion } from "./version.ts"

interface Document {
  readonly bytes: Buffer
  readonly hash: string
}

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1"
const info = { title: "Kubernetes", version: kubernetesVersion.split(".").slice(0, 2).join(".") }
const noText: Describe = () => undefined

export class OpenApi {
  #kinds: readonly Kind[]
  #describe: Describe
  #documents = new Map<string, Document>()

  constructor(kinds: readonly Kind[], describe: Describe = noText) {
    this.#kinds = kinds
    this.#describe = describe
  }

  /** Describes other kinds from now on. */
  replace(kinds: readonly Kind[]): void {
    this.#kinds = kinds
    this.#documents = new Map()
  }

  respondV2(exchange: Exchange): void {
    const accept = String(exchange.headers["accept"] ?? "")
    if (accept === "" || /\*\/\*|application\/\*|application\/json|\+json/.test(accept))
      return this.#send(
        exchange,
        this.#document("v2", () => this.#v2()),
      )
    if (!/com\.github\.proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/.test(accept))
      return respondError(
        exchange,
        notAcceptable(["application/json", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"]),
      )
    const bytes = this.#bytes("v2 protobuf", () => encodeOpenApiV2(this.#v2()))
    this.#send(exchange, bytes, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
  }

  respondV3(exchange: Exchange): void {
    const path = exchange.path.replace(/^\/openapi\/v3\/?/, "").replace(/\/$/, "")
    if (path === "") {
      const body = this.#document("v3", () => this.#index())
      return exchange.respond(200, "application/json", body.bytes)
    }
    const kinds = this.#groupVersions().get(path)
    if (!kinds) return respondNotFound(exchange)
    const hash = exchange.query.get("hash")
    const current = this.#hashOf(path, kinds)
    if (hash !== null && hash !== current) {
      exchange.setHeader("Location", `${exchange.path}?hash=${current}`)
      return exchange.respond(301, "", "")
    }
    if (hash !== null) {
      exchange.setHeader("Cache-Control", "public, immutable")
      exchange.setHeader("Expires", "Thu, 31 Dec 2099 23:59:59 GMT")
    }
    const { bytes } = this.#document(path, () => this.#v3(kinds))
    this.#send(exchange, { bytes, hash: current })
  }

  #send(exchange: Exchange, document: Document, type = "application/json"): void {
    const etag = `"${document.hash}"`
    exchange.setHeader("ETag", etag)
    exchange.setHeader("Vary", "Accept")
    if (exchange.headers["if-none-match"] === etag) return exchange.respond(304, "", "")
    exchange.respond(200, type, document.bytes)
  }

  #document(key: string, make: () => unknown): Document {
    return this.#bytes(key, () => Buffer.from(JSON.stringify(make())))
  }

  #bytes(key: string, make: () => Buffer): Document {
    let document = this.#documents.get(key)
    if (!document) {
      const bytes = make()
      document = { bytes, hash: createHash("sha512").update(bytes).digest("hex").toUpperCase() }
      this.#documents.set(key, document)
    }
    return document
  }

  #groupVersions(): Map<string, Kind[]> {
    const out = new Map<string, Kind[]>()
    for (const kind of this.#kinds) {
      if (kind.verbs.length === 0) continue
      const path = kind.group === "" ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`
      const list = out.get(path)
      if (list) list.push(kind)
      else out.set(path, [kind])
    }
    return out
  }

  #index(): unknown {
    const paths: Json = {}
    for (const [path, kinds] of [...this.#groupVersions()].sort(([a], [b]) => (a < b ? -1 : 1)))
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${this.#hashOf(path, kinds)}` }
    return { paths }
  }

  /** Published shapes are known by their release; only shapes made by hand need their document for a hash. */
  #hashOf(path: string, kinds: readonly Kind[]): string {
    if (kinds.some((kind) => kind.schema.name === undefined))
      return this.#document(path, () => this.#v3(kinds)).hash
    const text = `${kubernetesVersion} ${path} ${kinds.map((kind) => kind.plural).join(" ")}`
    return createHash("sha512").update(text).digest("hex").toUpperCase()
  }

  #gvks(): Map<string, Json[]> {
    const gvks = new Map<string, Json[]>()
    const groups = new Set<string>()
    for (const kind of this.#kinds) {
      groups.add(`${kind.group}/${kind.version}`)
      gvks.set(nameOf(kind), [{ group: kind.group, kind: kind.kind, version: kind.version }])
    }
    gvks.set(`${meta}.Status`, [{ group: "", kind: "Status", version: "v1" }])
    gvks.set(
      `${meta}.DeleteOptions`,
      [...groups].sort().map((key) => {
        const [group, version] = key.split("/")
        return { group, kind: "DeleteOptions", version }
      }),
    )
    return gvks
  }

  #v3(kinds: readonly Kind[]): unknown {
    const schemas = new SchemaCollector(3, this.#gvks(), this.#describe)
    const writer = new PathWriter(3, schemas, this.#kinds)
    for (const kind of kinds) writer.add(kind)
    return {
      openapi: "3.0.0",
      info,
      paths: writer.paths,
      components: {
        schemas: schemas.definitions(),
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
    const schemas = new SchemaCollector(2, this.#gvks(), this.#describe)
    const writer = new PathWriter(2, schemas, this.#kinds)
    for (const kind of this.#kinds) if (kind.verbs.length > 0) writer.add(kind)
    return {
      swagger: "2.0",
      info,
      paths: writer.paths,
      definitions: schemas.definitions(),
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
  }
}
