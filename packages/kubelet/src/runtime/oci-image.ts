/**
 * Puts files into an OCI image, as one uncompressed tar that containerd imports: for the sandbox image, and for
 * images made on the spot. The same input gives the same bytes.
 */
import { createHash } from "node:crypto"

export interface ImageFile {
  /** Without a leading slash. A name that ends in a slash is a folder. */
  readonly path: string
  readonly mode: number
  /** Of a file. */
  readonly data?: Uint8Array
  /** The target of a symbolic link. */
  readonly link?: string
}

export interface ImageSpecification {
  /** The full reference, with its tag. */
  readonly name: string
  readonly architecture: "amd64" | "arm64"
  readonly files: readonly ImageFile[]
  /** The image's `config`: Entrypoint, Cmd, Env, User, … */
  readonly config: Readonly<Record<string, unknown>>
}

/** The image as an OCI layout in a tar. */
export function createImageTar(image: ImageSpecification): Buffer {
  const layer = createTar(image.files)
  const config = json({
    architecture: image.architecture,
    os: "linux",
    config: image.config,
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "knarr" }],
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
  })
  const index = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
        platform: { os: "linux", architecture: image.architecture },
        annotations: {
          "io.containerd.image.name": image.name,
          "org.opencontainers.image.ref.name": image.name.slice(image.name.lastIndexOf(":") + 1),
        },
      },
    ],
  })
  const blob = (data: Buffer): ImageFile => ({
    path: `blobs/sha256/${digestOf(data).slice("sha256:".length)}`,
    mode: 0o644,
    data,
  })
  return createTar([
    { path: "oci-layout", mode: 0o644, data: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", mode: 0o644, data: index },
    blob(manifest),
    blob(config),
    blob(layer),
  ])
}

/** The folder of images' architectures on this machine. */
export function hostArchitecture(): "amd64" | "arm64" {
  return process.arch === "arm64" ? "arm64" : "amd64"
}

function descriptor(mediaType: string, data: Buffer): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digestOf(data), size: data.length }
}

function digestOf(data: Buffer): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** A ustar archive owned by root at the epoch. Paths are at most 100 bytes long. */
function createTar(files: readonly ImageFile[]): Buffer {
  const parts: Buffer[] = []
  for (const file of files) {
    const data = file.data ?? new Uint8Array(0)
    const header = Buffer.alloc(512)
    if (Buffer.byteLength(file.path) > 100)
      throw new Error(`Cannot pack "${file.path}": the path is too long`)
    const octal = (value: number, at: number, length: number): void => {
      header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at)
    }
    header.write(file.path, 0)
    octal(file.mode, 100, 8)
    octal(0, 108, 8)
    octal(0, 116, 8)
    octal(data.length, 124, 12)
    octal(0, 136, 12)
    header.write("        ", 148)
    header.write(file.link !== undefined ? "2" : file.path.endsWith("/") ? "5" : "0", 156)
    if (file.link !== undefined) header.write(file.link, 157)
    header.write("ustar\0" + "00", 257)
    let sum = 0
    for (const byte of header) sum += byte
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148)
    parts.push(header, Buffer.from(data), Buffer.alloc((512 - (data.length % 512)) % 512))
  }
  parts.push(Buffer.alloc(1024))
  return Buffer.concat(parts)
}
