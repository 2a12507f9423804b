/**
 * Views of images' files, out of the services that containerd has beside the CRI on its socket. 1.6 mounts no image by
 * the CRI itself, and 2.1 none of its sub-paths.
 */
import { parseJson } from "@knarr/base"
import type { Env } from "@knarr/base"
import { formatTime } from "@knarr/apimachinery"
import { createCodec, createGrpcClient, GrpcError, grpcCodes } from "@knarr/grpc"
import type { ImageSnapshots, SnapshotMount } from "@knarr/volume"
import { createHash } from "node:crypto"
import type { ContainerRuntime } from "./container-runtime.ts"

interface Messages {
  ReadContentRequest: { digest: string }
  ReadContentResponse: { offset: number; data: Uint8Array }
  ViewSnapshotRequest: { snapshotter: string; key: string; parent: string; labels: Record<string, string> }
  /** MountsRequest and RemoveSnapshotRequest, too. */
  SnapshotRequest: { snapshotter: string; key: string }
  MountsResponse: { mounts: { type: string; source: string; options: string[] }[] }
  Mount: { type: string; source: string; options: string[] }
}

const codec = createCodec<Messages>(
  {
    ReadContentRequest: "digest:1:string",
    ReadContentResponse: "offset:1:int64 data:2:bytes",
    ViewSnapshotRequest: "snapshotter:1:string key:2:string parent:3:string labels:4:{string,string}",
    SnapshotRequest: "snapshotter:1:string key:2:string",
    MountsResponse: "mounts:1:[]Mount",
    Mount: "type:1:string source:2:string options:4:[]string",
  },
  {},
)

const snapshots = "/containerd.services.snapshots.v1.Snapshots"
const headers = { "containerd-namespace": "k8s.io" }
/** containerd's collector keeps what bears this, and what it is made of. */
const rootLabel = "containerd.io/gc.root"
/** An image's configuration has a few kilobytes. */
const maxConfigBytes = 4 * 1024 * 1024

export interface ContainerdSnapshots extends ImageSnapshots {
  close(): void
}

/** Of the containerd that listens at `socket`. Nothing is opened before the first call. */
export function createContainerdSnapshots(options: {
  readonly socket: string
  readonly env: Env
  readonly runtime: ContainerRuntime
}): ContainerdSnapshots {
  const { socket, env, runtime } = options
  const client = createGrpcClient({ socket, clock: env.clock })
  let known: string | undefined
  const snapshotterOf = async (signal: AbortSignal): Promise<string> => {
    if (known === undefined) {
      const { imageFilesystems } = await runtime.imageFsInfo({}, { signal })
      // Its folder is called after the plugin, and that after the snapshotter.
      const path = imageFilesystems[0]?.fsId?.mountpoint ?? ""
      known = /\/io\.containerd\.snapshotter\.v1\.([^/]+)\/?$/.exec(path)?.[1]
      if (known === undefined) throw new Error(`the runtime keeps images in "${path}", not in a snapshotter`)
    }
    return known
  }
  const configOf = async (digest: string, signal: AbortSignal): Promise<string> => {
    const request = codec.encode("ReadContentRequest", { digest })
    const stream = client.stream("/containerd.services.content.v1.Content/Read", request, { signal, headers })
    const parts: Uint8Array[] = []
    let size = 0
    for (let bytes = await stream.next(signal); bytes; bytes = await stream.next(signal)) {
      const { data } = codec.decode("ReadContentResponse", bytes)
      size += data.length
      if (size > maxConfigBytes) {
        const error = new Error(`the configuration of image ${digest} is larger than ${maxConfigBytes} bytes`)
        stream.fail(error)
        throw error
      }
      parts.push(data)
    }
    return Buffer.concat(parts).toString()
  }
  const mountsOf = async (
    method: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<SnapshotMount[]> =>
    codec.decode("MountsResponse", await client.unary(`${snapshots}/${method}`, request, { signal, headers }))
      .mounts
  return {
    async view(imageId, key, signal) {
      const snapshotter = await snapshotterOf(signal)
      const parent = chainOf(await configOf(imageId, signal), imageId)
      const labels = { [rootLabel]: formatTime(env.clock.now()) }
      try {
        return await mountsOf(
          "View",
          codec.encode("ViewSnapshotRequest", { snapshotter, key, parent, labels }),
          signal,
        )
      } catch (thrown) {
        if (!(thrown instanceof GrpcError) || thrown.code !== grpcCodes.alreadyExists) throw thrown
        return mountsOf("Mounts", codec.encode("SnapshotRequest", { snapshotter, key }), signal)
      }
    },
    async remove(key, signal) {
      const snapshotter = await snapshotterOf(signal)
      try {
        const request = codec.encode("SnapshotRequest", { snapshotter, key })
        await client.unary(`${snapshots}/Remove`, request, { signal, headers })
      } catch (thrown) {
        if (!(thrown instanceof GrpcError) || thrown.code !== grpcCodes.notFound) throw thrown
      }
    },
    close: () => client.close(),
  }
}

/**
 * The name of the snapshot that all layers of an image make, from its configuration. Throws for what is none.
 * Mirrors: github.com/opencontainers/image-spec/identity/chainid.go
 */
function chainOf(config: string, imageId: string): string {
  const layers = (parseJson(config) as { rootfs?: { diff_ids?: unknown } }).rootfs?.diff_ids
  if (!Array.isArray(layers) || layers.length === 0)
    throw new Error(`image ${imageId} has no layers that could be mounted`)
  return (layers as string[]).reduce(
    (chain, layer) => `sha256:${createHash("sha256").update(`${chain} ${layer}`).digest("hex")}`,
  )
}
