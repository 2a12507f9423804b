/**
 * The cluster's own image registry: the OCI distribution protocol over HTTP. Every node's containerd asks it
 * first, for any host name (`?ns=docker.io`). Anyone who can reach it may pull; only this machine's loopback
 * may push. Mirrors: opencontainers/distribution-spec v1.1
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { asError, deferred, type Env, type Scope } from "@knarr/base"
import { BlobStore, DigestError, isDigest, isRepositoryName, isTag } from "./blob-store.ts"

export interface ImageRegistryOptions {
  /** Where blobs are kept. */
  readonly dir: string
  readonly env: Env
  readonly scope: Scope
  /** Loopback addresses take pushes too. */
  readonly addresses: readonly string[]
  /** 0 for any free one. */
  readonly port: number
}

export interface ImageRegistry {
  readonly port: number
}

const maxManifestBytes = 4 << 20
const maxUploads = 64

/** Starts serving; the scope's end stops it. Throws when an address is taken. */
export async function startImageRegistry(options: ImageRegistryOptions): Promise<ImageRegistry> {
  const { env, scope } = options
  const blobs = new BlobStore(options.dir)
  const handler = createHandler(blobs, scope.signal)
  let port = options.port
  for (const address of options.addresses) {
    const server = createServer((request, response) => {
      handler(request, response).catch((thrown: unknown) => {
        if (response.headersSent) return void response.destroy(asError(thrown))
        if (thrown instanceof DigestError) return sendError(response, 400, "DIGEST_INVALID", thrown.message)
        env.log.error("Image registry request failed", thrown, { path: request.url })
        sendError(response, 500, "UNKNOWN", asError(thrown).message)
      })
    })
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
  signal: AbortSignal,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const uploads = new Map<string, string>()

  return async (request, response) => {
    const url = new URL(request.url ?? "/", "http://registry")
    const method = request.method ?? "GET"
    response.setHeader("Docker-Distribution-Api-Version", "registry/2.0")
    if (url.pathname === "/v2/" || url.pathname === "/v2")
      return send(response, 200, "application/json", "{}")
    const isRead = method === "GET" || method === "HEAD"
    if (!isRead && !isLoopback(request))
      return sendError(response, 403, "DENIED", "pushing is possible from this machine's loopback only")
    if (url.pathname === "/v2/_catalog") return sendJson(response, { repositories: blobs.repositories() })

    const match = /^\/v2\/(.+?)\/(manifests|blobs|tags)\/(.*)$/.exec(decodeURIComponent(url.pathname))
    if (!match) return sendError(response, 404, "NOT_FOUND", "no such endpoint")
    const [, path, type, rest] = match as unknown as [string, string, string, string]
    const host = url.searchParams.get("ns")
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
      return upload(request, response, method, path, url, rest.slice("uploads/".length))
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
      const content = await readAll(request, maxManifestBytes)
      const missing = missingBlobs(blobs, content)
      if (missing) return sendError(response, 404, "MANIFEST_BLOB_UNKNOWN", missing)
      const digest = blobs.putManifest(
        name,
        reference,
        request.headers["content-type"] ?? mediaTypeOf(content),
        content,
      )
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
    url: URL,
    id: string,
  ): Promise<void> {
    const digest = url.searchParams.get("digest") ?? undefined
    if (digest !== undefined && !isDigest(digest))
      return sendError(response, 400, "DIGEST_INVALID", `invalid digest "${digest}"`)
    const created = (stored: string): void => {
      response.setHeader("Docker-Content-Digest", stored)
      response.setHeader("Location", `/v2/${path}/blobs/${stored}`)
      send(response, 201, "text/plain", "")
    }
    if (method === "POST") {
      const mount = url.searchParams.get("mount")
      if (mount && blobs.has(mount)) return created(mount)
      if (digest) return created(await blobs.write(request, digest, signal))
      if (uploads.size >= maxUploads)
        return sendError(response, 429, "TOOMANYREQUESTS", "too many uploads at a time")
      const file = blobs.newUpload()
      const name = file.slice(file.lastIndexOf("/") + 1)
      uploads.set(name, file)
      response.setHeader("Location", `/v2/${path}/blobs/uploads/${name}`)
      response.setHeader("Range", "0-0")
      return send(response, 202, "text/plain", "")
    }
    const file = uploads.get(id)
    if (!file) return sendError(response, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
    if (method === "PATCH" || method === "PUT") await blobs.append(file, request, signal)
    if (method === "PUT") {
      uploads.delete(id)
      if (!digest) return sendError(response, 400, "DIGEST_INVALID", "the digest is missing")
      return created(await blobs.finish(file, digest))
    }
    response.setHeader("Location", `/v2/${path}/blobs/uploads/${id}`)
    send(response, 202, "text/plain", "")
  }
}

function isLoopback(request: IncomingMessage): boolean {
  const address = request.socket.localAddress ?? ""
  return address === "::1" || /^(::ffff:)?127\./.test(address)
}

interface Manifest {
  readonly mediaType?: string
  readonly config?: { readonly digest: string }
  readonly layers?: readonly { readonly digest: string }[]
}

/** Why a manifest cannot be taken: malformed, or content that it names is not here. */
function missingBlobs(blobs: BlobStore, content: Buffer): string | undefined {
  const manifest = JSON.parse(content.toString("utf8")) as Manifest
  const digests = [manifest.config, ...(manifest.layers ?? [])].flatMap((part) => (part ? [part.digest] : []))
  const missing = digests.filter((digest) => !blobs.has(digest))
  return missing.length > 0 ? `blob "${missing[0]}" is not known` : undefined
}

function mediaTypeOf(content: Buffer): string {
  return (
    (JSON.parse(content.toString("utf8")) as Manifest).mediaType ??
    "application/vnd.oci.image.manifest.v1+json"
  )
}

async function readAll(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > limit) throw new Error(`Cannot take the manifest: it is larger than ${limit} bytes`)
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
