/**
 * Image archives: what `docker save` and OCI tools write (plain or gzip). Reads which images are inside and
 * sends to a registry only the content that it does not have.
 */
import { createHash } from "node:crypto"
import { createReadStream, openSync, readSync, closeSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { posix } from "node:path"
import { PassThrough, Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGunzip } from "node:zlib"
import { deferred, parseJson } from "@knarr/base"
import { extract } from "tar-stream"

export interface LoadResult {
  /** Full names, for example `docker.io/library/hello:1`. */
  readonly images: readonly string[]
  readonly blobsSent: number
  readonly blobsKept: number
}

export interface LoadOptions {
  readonly file: string
  /** For example `http://127.0.0.1:5000`. */
  readonly registry: string
  /** The registry's. */
  readonly secret: string
  /** Completes a name: `busybox` → `docker.io/library/busybox:latest`. */
  readonly normalizeName: (name: string) => string
  readonly signal: AbortSignal
}

interface Descriptor {
  readonly mediaType: string | undefined
  readonly digest: string
  /** What the index calls the image. */
  readonly imageName: string | undefined
}
interface Entry {
  readonly digest: string
  readonly size: number
  readonly gzip: boolean
  /** The content of small files, which may be JSON. */
  readonly text: Buffer | undefined
}
interface Image {
  readonly name: string
  readonly mediaType: string
  readonly manifest: Buffer
}

const maxJsonBytes = 4 << 20
const ociManifest = "application/vnd.oci.image.manifest.v1+json"

/** Loads every named image of an archive. Throws with what is wrong when the file is not one, leaving the registry as it was but for unnamed blobs. */
export async function loadImageArchive(options: LoadOptions): Promise<LoadResult> {
  const { file, signal } = options
  const entries = await scan(file, signal)
  const { images, wanted } = describe(file, entries, options.normalizeName)
  const missing = new Set<string>()
  for (const digest of wanted) if (!(await hasBlob(options, digest))) missing.add(digest)
  let sent = 0
  if (missing.size > 0) {
    await forEachEntry(file, signal, async (name, size, open) => {
      const entry = entries.get(name)
      if (!entry || !missing.delete(entry.digest)) return
      await put(
        options,
        `/v2/load/blobs/uploads/?digest=${entry.digest}`,
        "POST",
        "application/octet-stream",
        open(),
        size,
      )
      sent++
    })
  }
  if (missing.size > 0) throw new Error(`Cannot load "${file}": it does not hold the blob ${[...missing][0]}`)
  for (const image of images) {
    const { host, path, reference } = splitName(image.name)
    await put(
      options,
      `/v2/${path}/manifests/${reference}?ns=${encodeURIComponent(host)}`,
      "PUT",
      image.mediaType,
      Readable.from([image.manifest]),
      image.manifest.length,
    )
  }
  return { images: images.map((image) => image.name), blobsSent: sent, blobsKept: wanted.size - sent }
}

/** Which images, and the digests of all that they need. Nothing about what an archive says is trusted. */
function describe(
  file: string,
  entries: ReadonlyMap<string, Entry>,
  normalizeName: (name: string) => string,
): { images: Image[]; wanted: Set<string> } {
  const images: Image[] = []
  const wanted = new Set<string>()
  const fail = (why: string): never => {
    throw new Error(`Cannot load "${file}": ${why}`)
  }
  const entryOf = (name: string): Entry => entries.get(name) ?? fail(`it does not hold "${name}"`)
  const contentOf = (name: string): Buffer =>
    entryOf(name).text ?? fail(`"${name}" is larger than ${maxJsonBytes} bytes`)
  const parse = (name: string, content: Buffer): unknown => {
    try {
      return parseJson(content.toString("utf8"))
    } catch (thrown) {
      return fail(`"${name}" is no JSON: ${(thrown as Error).message}`)
    }
  }
  if (entries.has("index.json") && entries.has("oci-layout")) {
    const seen = new Set<string>()
    const visit = (descriptor: Descriptor, name: string | undefined): void => {
      const { digest } = descriptor
      if (seen.has(digest) && name === undefined) return
      seen.add(digest)
      const place = blobName(digest)
      const entry = entries.get(place) ?? fail(`it does not hold the blob ${digest}`)
      const content = entry.text ?? fail(`"${place}" is larger than ${maxJsonBytes} bytes`)
      // A file with another content under the name of its digest could lead to itself.
      if (entry.digest !== digest) fail(`the blob ${digest} has the digest ${entry.digest}`)
      const value = fieldsOf(parse(place, content))
      for (const child of descriptorsOf(value["manifests"])) {
        // An index may list platforms whose content the archive leaves out.
        if (entries.has(blobName(child.digest))) visit(child, undefined)
      }
      for (const part of descriptorsOf([value["config"] ?? [], value["layers"] ?? []].flat()))
        wanted.add(part.digest)
      wanted.add(digest)
      const mediaType = descriptor.mediaType ?? textOf(value["mediaType"]) ?? ociManifest
      if (name) images.push({ name, mediaType, manifest: content })
    }
    const index = fieldsOf(parse("index.json", contentOf("index.json")))
    for (const descriptor of descriptorsOf(index["manifests"]))
      visit(descriptor, descriptor.imageName === undefined ? undefined : normalizeName(descriptor.imageName))
  }
  if (images.length === 0 && entries.has("manifest.json")) {
    const descriptor = (name: string, mediaType: string): object => {
      const { digest, size } = entryOf(name)
      wanted.add(digest)
      return { mediaType, digest, size }
    }
    for (const item of listOf(parse("manifest.json", contentOf("manifest.json"))).map(fieldsOf)) {
      const layers = textsOf(item["Layers"])
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: ociManifest,
          config: descriptor(textOf(item["Config"]) ?? "", "application/vnd.oci.image.config.v1+json"),
          layers: layers.map((layer) =>
            descriptor(
              layer,
              `application/vnd.oci.image.layer.v1.tar${entries.get(layer)?.gzip ? "+gzip" : ""}`,
            ),
          ),
        }),
      )
      for (const name of textsOf(item["RepoTags"]))
        images.push({ name: normalizeName(name), mediaType: ociManifest, manifest })
    }
  }
  if (images.length === 0) fail("it is no docker or OCI image archive, or names no image")
  return { images, wanted }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function textsOf(value: unknown): string[] {
  return listOf(value).filter((item) => typeof item === "string")
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
}

/** The descriptors in a list. Throws for what is none. */
function descriptorsOf(value: unknown): Descriptor[] {
  return listOf(value).map((item) => {
    const fields = fieldsOf(item)
    const digest = textOf(fields["digest"])
    if (digest === undefined || !/^sha256:[a-f0-9]{64}$/.test(digest))
      throw new Error(`Cannot load the image: a part has no SHA-256 digest: ${JSON.stringify(item)}`)
    const annotations = fieldsOf(fields["annotations"])
    const imageName =
      textOf(annotations["io.containerd.image.name"]) ??
      textOf(annotations["org.opencontainers.image.ref.name"])
    return { digest, mediaType: textOf(fields["mediaType"]), imageName: imageName || undefined }
  })
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`
}

async function scan(file: string, signal: AbortSignal): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  const links = new Map<string, string>()
  await forEachEntry(
    file,
    signal,
    async (name, size, open) => {
      const hash = createHash("sha256")
      const kept: Buffer[] = []
      let gzip = false
      let first = true
      for await (const chunk of open() as AsyncIterable<Buffer>) {
        if (first) gzip = chunk[0] === 0x1f && chunk[1] === 0x8b
        first = false
        hash.update(chunk)
        if (size <= maxJsonBytes) kept.push(chunk)
      }
      entries.set(name, {
        digest: `sha256:${hash.digest("hex")}`,
        size,
        gzip,
        text: size <= maxJsonBytes ? Buffer.concat(kept) : undefined,
      })
    },
    (name, target) => links.set(name, target),
  )
  // Old docker archives link layers that occur twice.
  for (const [name, target] of links) {
    const entry = entries.get(posix.join(posix.dirname(name), target)) ?? entries.get(target)
    if (entry) entries.set(name, entry)
  }
  return entries
}

async function forEachEntry(
  file: string,
  signal: AbortSignal,
  visit: (name: string, size: number, open: () => Readable) => Promise<void>,
  link?: (name: string, target: string) => void,
): Promise<void> {
  const unpack = extract()
  const source = createReadStream(file, { highWaterMark: 1 << 20, signal })
  const tar = isGzip(file) ? source.pipe(createGunzip()) : source
  source.on("error", (error) => unpack.destroy(error))
  tar.on("error", (error) => unpack.destroy(error))
  tar.pipe(unpack)
  try {
    for await (const entry of unpack) {
      const { name, size, type, linkname } = entry.header
      if (type === "file")
        await visit(name.replace(/^\.\//, ""), size ?? 0, () => entry.pipe(new PassThrough()))
      else if ((type === "symlink" || type === "link") && linkname)
        link?.(name.replace(/^\.\//, ""), linkname)
      entry.resume()
    }
  } catch (thrown) {
    if (signal.aborted) throw signal.reason
    throw new Error(`Cannot read "${file}" as an image archive: ${(thrown as Error).message}`, {
      cause: thrown,
    })
  } finally {
    // Whoever gives up half-way leaves the file unread.
    source.destroy()
  }
}

function isGzip(file: string): boolean {
  const fd = openSync(file, "r")
  try {
    const magic = Buffer.alloc(2)
    readSync(fd, magic, 0, 2, 0)
    return magic[0] === 0x1f && magic[1] === 0x8b
  } finally {
    closeSync(fd)
  }
}

function splitName(name: string): { host: string; path: string; reference: string } {
  const slash = name.indexOf("/")
  const rest = name.slice(slash + 1)
  const at = rest.indexOf("@")
  const colon = rest.lastIndexOf(":")
  const cut = at >= 0 ? at : colon
  return { host: name.slice(0, slash), path: rest.slice(0, cut), reference: rest.slice(cut + 1) }
}

type Target = Pick<LoadOptions, "registry" | "secret">

async function hasBlob(to: Target, digest: string): Promise<boolean> {
  const { status } = await http(to, `/v2/load/blobs/${digest}`, "HEAD")
  if (status !== 200 && status !== 404)
    throw new Error(`Cannot ask for a blob: the registry answered ${status}`)
  return status === 200
}

async function put(
  to: Target,
  path: string,
  method: string,
  type: string,
  body: Readable,
  size: number,
): Promise<void> {
  const { status, text } = await http(to, path, method, { type, body, size })
  if (status >= 300) throw new Error(`Cannot store the image: the registry answered ${status} ${text}`)
}

async function http(
  { registry, secret }: Target,
  path: string,
  method: string,
  content?: { type: string; body: Readable; size: number },
): Promise<{ status: number; text: string }> {
  const done = deferred<{ status: number; text: string }>()
  const headers = {
    authorization: `Bearer ${secret}`,
    ...(content ? { "content-type": content.type, "content-length": content.size } : {}),
  }
  const request = httpRequest(new URL(path, registry), { method, headers }, (response) => {
    const chunks: Buffer[] = []
    response.on("data", (chunk: Buffer) => chunks.push(chunk))
    response.on("error", done.reject)
    response.on("end", () =>
      done.resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
    )
  })
  request.on("error", done.reject)
  // What goes wrong with the body ends the request, and the other way around.
  if (content) pipeline(content.body, request).catch(done.reject)
  else request.end()
  return done.promise
}
