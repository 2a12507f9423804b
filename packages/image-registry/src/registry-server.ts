/**
 * The cluster's own image registry: the OCI distribution protocol over HTTP. Every node's containerd asks it
 * first, for any host name (`?ns=docker.io`). Nodes pull; whoever pushes or lists must know the cluster's secret.
 * Mirrors: opencontainers/distribution-spec v1.1
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { asError, deferred, messageOf, type Env, type Scope } from "@knarr/base"
import {
  BlobStore,
  DigestError,
  TooLargeError,
  isDigest,
  isRepositoryName,
  isTag,
  parseManifest,
  partsOf,
} from "./blob-store.ts"
import { RegistryAccess } from "./registry-access.ts"
import { BusyError, Uploads, type UploadLimits } from "./uploads.ts"

export interface ImageRegistryOptions {
  /** Where blobs are kept. */
  readonly dir: string
  readonly env: Env
  readonly scope: Scope
  readonly addresses: readonly string[]
  /** 0 for any free one. */
  readonly port: number
  /** What whoever pushes must know. */
  readonly secret: string
  /** IPv4 networks of the nodes, who pull without it. */
  readonly nodeNetworks: readonly string[]
  readonly limits?: Partial<UploadLimits> | undefined
}

export interface ImageRegistry {
  readonly port: number
}

const maxManifestBytes = 4 << 20
const defaultLimits: UploadLimits = { count: 64, bytes: 16 * 1024 ** 3, idleMs: 10 * 60_000 }

/** Starts serving; the scope's end stops it. Throws when an address is taken. */
export async function startImageRegistry(options: ImageRegistryOptions): Promise<ImageRegistry> {
  const { env, scope } = options
  const blobs = new BlobStore(options.dir)
  const uploads = scope.use(new Uploads(blobs, env.clock, { ...defaultLimits, ...options.limits }))
  const handler = createHandler(blobs, uploads, new RegistryAccess(options), scope.signal)
  let port = options.port
  for (const address of options.addresses) {
    const server = createServer(
      {
        headersTimeout: 30_000,
        // A blob of many gigabytes over a slow line.
        requestTimeout: 60 * 60_000,
        keepAliveTimeout: 60_000,
        maxHeaderSize: 16 * 1024,
      },
      (request, response) => {
        handler(request, response).catch((thrown: unknown) => {
          if (response.destroyed || response.headersSent) return void response.destroy(asError(thrown))
          if (thrown instanceof DigestError) return sendError(response, 400, "DIGEST_INVALID", thrown.message)
          if (thrown instanceof TooLargeError) return refuse(response, 413, "SIZE_INVALID", thrown.message)
          if (thrown instanceof BusyError) return refuse(response, 409, "BLOB_UPLOAD_INVALID", thrown.message)
          env.log.error("Image registry request failed", thrown, { path: request.url })
          sendError(response, 500, "UNKNOWN", asError(thrown).message)
        })
      },
    )
    server.maxConnections = 1024
    // A peer that takes nothing and sends nothing.
    server.setTimeout(120_000)
    await listen(server, address, port)
    const bound = server.address()
    if (typeof bound === "object" && bound) port = bound.port
    scope.defer(() => close(server))
  }
  return { port }
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  const ready = deferred()
  server.once("error", ready.reject)
  server.listen(port, address, () => ready.resolve())
  await ready.promise
}

async function close(server: Server): Promise<void> {
  const closed = deferred()
  server.close(() => closed.resolve())
  server.closeAllConnections()
  await closed.promise
}

function createHandler(
  blobs: BlobStore,
  uploads: Uploads,
  access: RegistryAccess,
  signal: AbortSignal,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    response.setHeader("Docker-Distribution-Api-Version", "registry/2.0")
    if (!access.isForUs(request)) return refuse(response, 421, "DENIED", "the request is for another host")
    const url = parseUrl(request.url ?? "")
    if (!url) return refuse(response, 400, "NAME_INVALID", "the path cannot be read")
    const method = request.method ?? "GET"
    const isRead = method === "GET" || method === "HEAD"
    const isPull = isRead && /\/(manifests|blobs)\//.test(url.path)
    if (!access.knowsSecret(request) && !(isPull && access.isNode(request))) {
      response.setHeader("WWW-Authenticate", 'Basic realm="knarr"')
      return refuse(response, 401, "UNAUTHORIZED", "the cluster's registry secret is needed")
    }
    if (url.path === "/v2/" || url.path === "/v2") return send(response, 200, "application/json", "{}")
    if (url.path === "/v2/_catalog") return sendJson(response, { repositories: blobs.repositories() })

    const match = /^\/v2\/(.+?)\/(manifests|blobs|tags)\/(.*)$/.exec(url.path)
    if (!match) return sendError(response, 404, "NOT_FOUND", "no such endpoint")
    const [, path, type, rest] = match as unknown as [string, string, string, string]
    const host = url.query.get("ns")
    const name = host ? `${host}/${path}` : path
    if (!isRepositoryName(name))
      return sendError(response, 400, "NAME_INVALID", `invalid repository name "${name}"`)

    if (type === "tags" && rest === "list") {
      const tags = blobs.tags(name)
      return tags
        ? sendJson(response, { name, tags })
        : sendError(response, 404, "NAME_UNKNOWN", `repository "${name}" is not known`)
    }
    if (type === "manifests") return manifests(request, response, method, name, rest)
    if (type === "blobs" && rest.startsWith("uploads"))
      return upload(request, response, method, path, url.query, rest.slice("uploads/".length))
    if (type === "blobs" && isRead) return blob(request, response, method, rest)
    sendError(response, 405, "UNSUPPORTED", `${method} is not supported here`)
  }

  async function manifests(
    request: IncomingMessage,
    response: ServerResponse,
    method: string,
    name: string,
    reference: string,
  ): Promise<void> {
    if (!isDigest(reference) && !isTag(reference))
      return sendError(response, 400, "TAG_INVALID", `invalid reference "${reference}"`)
    if (method === "PUT") {
      if (declaredBytes(request) > maxManifestBytes) throw new TooLargeError(maxManifestBytes)
      const content = await readAll(request, maxManifestBytes)
      const problem = manifestProblem(blobs, content)
      if (problem) return sendError(response, ...problem)
      const sent = request.headers["content-type"] ?? ""
      const mediaType = mediaTypeForm.test(sent) ? sent : mediaTypeOf(content)
      if (!mediaTypeForm.test(mediaType))
        return sendError(response, 400, "MANIFEST_INVALID", "invalid media type")
      const digest = blobs.putManifest(name, reference, mediaType, content)
      response.setHeader("Docker-Content-Digest", digest)
      response.setHeader("Location", `/v2/${name}/manifests/${digest}`)
      return send(response, 201, "text/plain", "")
    }
    if (method === "DELETE") {
      const found = blobs.deleteManifest(name, reference)
      return found
        ? send(response, 202, "text/plain", "")
        : sendError(response, 404, "MANIFEST_UNKNOWN", `manifest "${reference}" is not known`)
    }
    if (method !== "GET" && method !== "HEAD")
      return refuse(response, 405, "UNSUPPORTED", `${method} is not supported here`)
    const record = blobs.manifest(name, reference)
    if (!record)
      return sendError(response, 404, "MANIFEST_UNKNOWN", `manifest "${reference}" of "${name}" is not known`)
    response.setHeader("Docker-Content-Digest", record.digest)
    response.setHeader("Content-Type", record.mediaType)
    response.setHeader("Content-Length", blobs.size(record.digest))
    if (method === "HEAD") return void response.end()
    await sendFile(blobs.read(record.digest), response)
  }

  async function blob(
    request: IncomingMessage,
    response: ServerResponse,
    method: string,
    digest: string,
  ): Promise<void> {
    if (!blobs.has(digest)) return sendError(response, 404, "BLOB_UNKNOWN", `blob "${digest}" is not known`)
    const size = blobs.size(digest)
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "")
    const start = range ? Number(range[1]) : 0
    const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1
    if (start > end && size > 0)
      return sendError(response, 416, "SIZE_INVALID", "the range is outside the blob")
    response.statusCode = range ? 206 : 200
    if (range) response.setHeader("Content-Range", `bytes ${start}-${end}/${size}`)
    response.setHeader("Docker-Content-Digest", digest)
    response.setHeader("Content-Type", "application/octet-stream")
    response.setHeader("Accept-Ranges", "bytes")
    response.setHeader("Content-Length", end - start + 1)
    if (method === "HEAD" || size === 0) return void response.end()
    await sendFile(blobs.read(digest, { start, end }), response)
  }

  async function upload(
    request: IncomingMessage,
    response: ServerResponse,
    method: string,
    path: string,
    query: URLSearchParams,
    id: string,
  ): Promise<void> {
    const digest = query.get("digest") ?? undefined
    if (digest !== undefined && !isDigest(digest))
      return sendError(response, 400, "DIGEST_INVALID", `invalid digest "${digest}"`)
    const created = (stored: string): void => {
      response.setHeader("Docker-Content-Digest", stored)
      response.setHeader("Location", `/v2/${path}/blobs/${stored}`)
      send(response, 201, "text/plain", "")
    }
    if (method === "POST") {
      const mount = query.get("mount")
      if (mount && blobs.has(mount)) return created(mount)
      if (uploads.isFull) return refuse(response, 429, "TOOMANYREQUESTS", "too many uploads at a time")
      if (digest) return created(await uploads.whole(request, declaredBytes(request), digest, signal))
      const name = uploads.begin()
      response.setHeader("Location", `/v2/${path}/blobs/uploads/${name}`)
      response.setHeader("Range", "0-0")
      return send(response, 202, "text/plain", "")
    }
    if (!uploads.has(id)) return refuse(response, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
    switch (method) {
      case "PATCH":
        await uploads.append(id, request, declaredBytes(request), signal)
        response.setHeader("Location", `/v2/${path}/blobs/uploads/${id}`)
        return send(response, 202, "text/plain", "")
      case "PUT":
        if (!digest) return refuse(response, 400, "DIGEST_INVALID", "the digest is missing")
        return created(await uploads.finish(id, request, declaredBytes(request), digest, signal))
      case "DELETE":
        uploads.remove(id)
        return send(response, 204, "text/plain", "")
      default:
        return refuse(response, 405, "UNSUPPORTED", `${method} is not supported here`)
    }
  }
}

function parseUrl(text: string): { path: string; query: URLSearchParams } | undefined {
  const mark = text.indexOf("?")
  try {
    return {
      path: decodeURIComponent(mark < 0 ? text : text.slice(0, mark)),
      query: new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1)),
    }
  } catch {
    return undefined
  }
}

const mediaTypeForm = /^[a-z0-9.+-]{1,127}\/[a-z0-9.+-]{1,127}$/

/** Why a manifest cannot be taken: it is none, or content that it names is not here. */
function manifestProblem(
  blobs: BlobStore,
  content: Buffer,
): [status: number, code: string, message: string] | undefined {
  try {
    const missing = partsOf(content).find(({ digest, isManifest }) => !isManifest && !blobs.has(digest))
    return missing && [404, "MANIFEST_BLOB_UNKNOWN", `blob "${missing.digest}" is not known`]
  } catch (thrown) {
    return [400, "MANIFEST_INVALID", `the manifest cannot be read: ${messageOf(thrown)}`]
  }
}

function mediaTypeOf(content: Buffer): string {
  return String(parseManifest(content).mediaType ?? "application/vnd.oci.image.manifest.v1+json")
}

/** What the request says about its body; 0 when it says nothing. */
function declaredBytes(request: IncomingMessage): number {
  return Number(request.headers["content-length"] ?? 0)
}

async function readAll(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > limit) throw new TooLargeError(limit)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.statusCode = status
  response.setHeader("Content-Type", type)
  response.setHeader("Content-Length", Buffer.byteLength(body))
  response.end(body)
}

function sendJson(response: ServerResponse, value: unknown): void {
  send(response, 200, "application/json", JSON.stringify(value))
}

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  send(response, status, "application/json", JSON.stringify({ errors: [{ code, message }] }))
}

/** Whoever asked may leave half-way: the file is closed all the same. */
async function sendFile(file: Readable, response: ServerResponse): Promise<void> {
  try {
    await pipeline(file, response)
  } catch {
    response.destroy()
  }
}

/** Answers before the body was read, and ends the connection: what is left of it is not wanted. */
function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.shouldKeepAlive = false
  sendError(response, status, code, message)
}
