/** A command's streams over a WebSocket: stdin, stdout, stderr, its end, the terminal's size. Mirrors: client-go remotecommand/websocket.go */
import type { Readable } from "node:stream"
import { StatusError, type Status } from "@knarr/apimachinery"
import { parseJson, Scope } from "@knarr/base"
import type { ApiClient } from "../api-client.ts"
import { ExitError } from "../errors.ts"
import type { KubectlIo } from "../io.ts"
import { openWebSocket, type WebSocketConnection } from "./websocket.ts"

const stdinChannel = 0
const stdoutChannel = 1
const stderrChannel = 2
const errorChannel = 3
const resizeChannel = 4
const closeSignal = 255
const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]

export interface RemoteStreams {
  readonly stdin?: Readable | undefined
  /** May return a promise to slow the other side down. */
  stdout?(data: Buffer): void | Promise<void>
  stderr?(data: Buffer): void | Promise<void>
  /** The terminal whose size is passed on. */
  readonly terminal?: KubectlIo | undefined
}

/** Runs until the other side ends. Throws {@link ExitError} when the command ended with another code than 0. */
export async function runRemote(
  api: ApiClient,
  io: KubectlIo,
  path: string,
  streams: RemoteStreams,
): Promise<void> {
  const socket = await openWebSocket(api, path, protocols)
  await using scope = new Scope("remote")
  const onAbort = (): void => socket.close()
  io.signal.addEventListener("abort", onAbort, { once: true })
  scope.defer(() => io.signal.removeEventListener("abort", onAbort))
  scope.defer(() => socket.close())
  if (streams.terminal) sendSizes(socket, streams.terminal, scope)
  if (streams.stdin) sendInput(socket, streams.stdin, scope)
  const errors: Buffer[] = []
  for await (const message of socket.messages()) {
    const data = message.subarray(1)
    switch (message[0]) {
      case stdoutChannel:
        await streams.stdout?.(data)
        break
      case stderrChannel:
        await streams.stderr?.(data)
        break
      case errorChannel:
        errors.push(data)
        break
    }
  }
  io.signal.throwIfAborted()
  throwEnd(Buffer.concat(errors).toString("utf8"))
}

function throwEnd(text: string): void {
  if (text === "") return
  let status: Status
  try {
    status = parseJson(text) as Status
  } catch {
    throw new Error(`error stream protocol error: unknown error: ${JSON.stringify(text)}`)
  }
  if (status.status === "Success") return
  if (status.reason === "NonZeroExitCode") {
    const code = Number(status.details?.causes?.find((one) => one.reason === "ExitCode")?.message ?? "1")
    throw new ExitError(code, `command terminated with exit code ${code}`)
  }
  if (status.reason) throw new StatusError(status)
  throw new Error(status.message ?? "unknown error")
}

function sendSizes(socket: WebSocketConnection, terminal: KubectlIo, scope: Scope): void {
  const send = (): void => {
    const size = terminal.terminalSize?.()
    if (!size) return
    const text = JSON.stringify({ Width: size.columns, Height: size.rows })
    void socket.send(Buffer.concat([Buffer.from([resizeChannel]), Buffer.from(text)]))
  }
  send()
  const subscription = terminal.onResize?.(send)
  if (subscription) scope.use(subscription)
}

function sendInput(socket: WebSocketConnection, stdin: Readable, scope: Scope): void {
  let tail = Promise.resolve()
  const onData = (chunk: Buffer | string): void => {
    stdin.pause()
    const data = Buffer.concat([Buffer.from([stdinChannel]), Buffer.from(chunk as Buffer)])
    tail = tail.then(() => socket.send(data)).then(() => void stdin.resume())
  }
  const onEnd = (): void => {
    const last = socket.protocol.startsWith("v5")
      ? Buffer.from([closeSignal, stdinChannel])
      : Buffer.from([stdinChannel])
    tail = tail.then(() => socket.send(last))
  }
  stdin.on("data", onData)
  stdin.on("end", onEnd)
  stdin.resume()
  scope.defer(() => {
    stdin.off("data", onData)
    stdin.off("end", onEnd)
    stdin.pause()
    // A process ends only when nothing holds its standard input open.
    ;(stdin as Readable & { unref?: () => void }).unref?.()
  })
}
