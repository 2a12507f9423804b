/** A gRPC client on a unix socket: calls by path, messages as bytes. The library is loaded on the first call. */
import type { Client, ClientReadableStream, ServiceError } from "@grpc/grpc-js"
import { Channel } from "@knarr/base"
import { RuntimeError, runtimeErrorCodes } from "./container-runtime.ts"

const maxMessageBytes = 64 * 1024 * 1024

/** Streamed messages that wait for their reader; a stream that exceeds this fails. */
const streamBound = 8192

export interface GrpcClient {
  /** Rejects with a {@link RuntimeError}, or with `signal.reason` when the signal is aborted first. */
  unary(
    path: string,
    request: Uint8Array,
    options: { readonly signal: AbortSignal; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Uint8Array>
  /** The messages of a server stream; fails with a {@link RuntimeError} when the stream breaks. */
  stream(path: string, request: Uint8Array, signal: AbortSignal): Promise<Channel<Uint8Array>>
  close(): void
}

export function createGrpcClient(socket: string): GrpcClient {
  let closed = false
  let loading: Promise<{ grpc: typeof import("@grpc/grpc-js"); client: Client }> | undefined

  const load = async (): Promise<{ grpc: typeof import("@grpc/grpc-js"); client: Client }> => {
    // The names of a CommonJS module are there in Node.js, but not in a bundle.
    const { default: grpc } = await import("@grpc/grpc-js")
    const client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": maxMessageBytes,
      "grpc.initial_reconnect_backoff_ms": 20,
      "grpc.min_reconnect_backoff_ms": 20,
      "grpc.max_reconnect_backoff_ms": 1000,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      "grpc.service_config_disable_resolution": 1,
      "grpc.enable_channelz": 0,
    })
    if (closed) client.close()
    return { grpc, client }
  }
  const connection = (path: string): NonNullable<typeof loading> => {
    if (closed) throw new RuntimeError(path, runtimeErrorCodes.unavailable, "The connection is closed")
    return (loading ??= load())
  }
  return {
    async unary(path, request, { signal, headers }) {
      signal.throwIfAborted()
      const { grpc, client } = await connection(path)
      signal.throwIfAborted()
      const metadata = new grpc.Metadata()
      for (const name in headers) metadata.set(name, headers[name]!)
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          call.cancel()
          reject(signal.reason)
        }
        const call = client.makeUnaryRequest(
          path,
          asBuffer,
          asBytes,
          request,
          metadata,
          (error, response) => {
            signal.removeEventListener("abort", onAbort)
            if (error) reject(toRuntimeError(path, error))
            else resolve(response!)
          },
        )
        signal.addEventListener("abort", onAbort, { once: true })
      })
    },
    async stream(path, request, signal) {
      signal.throwIfAborted()
      const { client } = await connection(path)
      signal.throwIfAborted()
      const channel = new Channel<Uint8Array>(streamBound)
      const call: ClientReadableStream<Uint8Array> = client.makeServerStreamRequest(
        path,
        asBuffer,
        asBytes,
        request,
      )
      const onAbort = (): void => call.cancel()
      signal.addEventListener("abort", onAbort, { once: true })
      call.on("data", (message: Uint8Array) => {
        if (channel.push(message) || channel.closed) return
        channel.fail(new RuntimeError(path, runtimeErrorCodes.resourceExhausted, "The reader is too slow"))
        call.cancel()
      })
      call.on("error", (error: ServiceError) => {
        signal.removeEventListener("abort", onAbort)
        channel.fail(signal.aborted ? signal.reason : toRuntimeError(path, error))
      })
      call.on("end", () => {
        signal.removeEventListener("abort", onAbort)
        channel.close()
      })
      return channel
    },
    close() {
      closed = true
      // What could not be loaded has nothing to close; whoever waited for it was told.
      loading?.then(
        ({ client }) => client.close(),
        () => {},
      )
    },
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function asBytes(bytes: Buffer): Uint8Array {
  return bytes
}

function toRuntimeError(path: string, error: ServiceError): RuntimeError {
  return new RuntimeError(path.slice(path.lastIndexOf("/") + 1), error.code, error.details || error.message)
}
