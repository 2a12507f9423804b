/** Builds an image of one layer from files, without a builder, a registry or another image. */
import { createHash } from "node:crypto"
import { buffer } from "node:stream/consumers"
import { pack } from "tar-stream"

export interface ImageFile {
  /** Without a leading slash; a trailing slash makes a directory. */
  readonly path: string
  readonly content?: Buffer | string
  /** The target of a symbolic link. */
  readonly link?: string
  /** Default 0o644, 0o755 for directories. */
  readonly mode?: number
}

export interface ImageSpec {
  /** For example `hello:1`. */
  readonly name: string
  readonly files: readonly ImageFile[]
  readonly entrypoint?: readonly string[]
  readonly cmd?: readonly string[]
  readonly env?: readonly string[]
  readonly user?: string
  readonly workingDir?: string
  readonly ports?: readonly string[]
  /** Go's names; default `amd64`. */
  readonly architecture?: string
}

const epoch = new Date(0)

/** The archive as `docker save` writes it. The same spec gives the same bytes. */
export async function buildImageArchive(spec: ImageSpec): Promise<Buffer> {
  const layer = pack()
  for (const { path, content, link, mode } of spec.files) {
    const header = { name: path, mtime: epoch, uid: 0, gid: 0 }
    if (link !== undefined) layer.entry({ ...header, type: "symlink", linkname: link, mode: 0o777 })
    else if (path.endsWith("/")) layer.entry({ ...header, type: "directory", mode: mode ?? 0o755 })
    else layer.entry({ ...header, mode: mode ?? 0o644 }, content as Buffer)
  }
  layer.finalize()
  const layerTar = await buffer(layer)
  const config = JSON.stringify({
    architecture: spec.architecture ?? "amd64",
    os: "linux",
    created: epoch.toISOString(),
    config: {
      Entrypoint: spec.entrypoint,
      Cmd: spec.cmd,
      Env: spec.env ?? ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      User: spec.user,
      WorkingDir: spec.workingDir,
      ExposedPorts: spec.ports && Object.fromEntries(spec.ports.map((port) => [port, {}])),
    },
    rootfs: { type: "layers", diff_ids: [digest(layerTar)] },
    history: [{ created: epoch.toISOString(), created_by: "knarr" }],
  })
  const configName = `${digest(config).slice(7)}.json`
  const archive = pack()
  archive.entry({ name: configName, mtime: epoch }, config)
  archive.entry({ name: "layer.tar", mtime: epoch }, layerTar)
  archive.entry(
    { name: "manifest.json", mtime: epoch },
    JSON.stringify([{ Config: configName, RepoTags: [spec.name], Layers: ["layer.tar"] }]),
  )
  archive.finalize()
  return buffer(archive)
}

function digest(content: Buffer | string): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`
}
