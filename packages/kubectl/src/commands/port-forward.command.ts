/** `kubectl port-forward`: one WebSocket (v4.channel.k8s.io) for each connection. Mirrors: kubectl pkg/cmd/portforward */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { Scope, deferred } from "@knarr/base"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { attachablePod, podPath } from "../pods.ts"
import { singleTarget } from "../resources.ts"
import { openWebSocket, type WebSocketConnection } from "../stream/websocket.ts"
import { writeTo } from "./exec.command.ts"

const protocol = "v4.channel.k8s.io"
const headerBytes = 2

export const portForward = defineKubectlCommand({
  name: "port-forward",
  summary: "Forward one or more local ports to a pod",
  usage: "TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
  flags: [
    flag.csv(
      "address",
      "Addresses to listen on (comma separated). Only accepts IP addresses or localhost as a value.",
    ),
    flag.duration("pod-running-timeout", {
      default: "1m0s",
      help: "The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    }),
  ],
  run: runPortForward,
})

interface Forward {
  readonly local: number
  readonly remote: number
}

async function runPortForward(ctx: CommandContext): Promise<void> {
  const { args, flags } = ctx
  if (args.length < 2)
    throw new UsageError(ctx.path, "TYPE/NAME and list of ports are required for port-forward")
  const info = await singleTarget(ctx, args.slice(0, 1))
  const pod = await attachablePod(ctx, info, flags.duration("pod-running-timeout"))
  const phase = at(pod, "status", "phase") as string
  if (phase !== "Running")
    throw new Error(`unable to forward port because pod is not running. Current status=${phase}`)
  const forwards = args.slice(1).map((text) => parseForward(text, info.object, pod))
  const path = await podPath(ctx, pod, "portforward")
  await using scope = new Scope("port-forward")
  const given = flags.list("address")
  const addresses = given.length > 0 ? given : ["localhost"]
  for (const forward of forwards) {
    let port = forward.local
    let listening = 0
    for (const host of addresses.flatMap((one) => (one === "localhost" ? ["127.0.0.1", "::1"] : [one]))) {
      const shown = host.includes(":") ? `[${host}]` : host
      try {
        const server = await listen(host, port, (socket) =>
          scope.run(
            "connection",
            (signal) => serve(ctx, signal, { path, remote: forward.remote, local: port }, socket),
            { contained: true },
          ),
        )
        server.on("error", (error) => ctx.err(`error: ${error.message}\n`))
        scope.defer(() => void server.close())
        port = (server.address() as AddressInfo).port
        ctx.out(`Forwarding from ${shown}:${port} -> ${forward.remote}\n`)
        listening++
      } catch (thrown) {
        if (host === "::1") continue
        const reason =
          (thrown as NodeJS.ErrnoException).code === "EADDRINUSE"
            ? "bind: address already in use"
            : (thrown as Error).message
        ctx.err(
          `Unable to listen on port ${port}: Listeners failed to create with the following errors: [unable to create listener: Error listen tcp${host.includes(":") ? "6" : "4"} ${shown}:${port}: ${reason}]\n`,
        )
      }
    }
    if (listening === 0) {
      throw new Error(
        `unable to listen on any of the requested ports: [{${forward.local} ${forward.remote}}]`,
      )
    }
  }
  const stopped = deferred()
  const onAbort = (): void => stopped.resolve()
  ctx.signal.addEventListener("abort", onAbort, { once: true })
  if (ctx.signal.aborted) stopped.resolve()
  await stopped.promise
}

function listen(host: string, port: number, onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, onConnection)
    server.once("error", reject)
    server.listen(port, host, () => resolve(server))
  })
}

/** `8080:80`, `80`, `:http`; a service's ports become those of its pods. Throws with upstream's message. */
function parseForward(text: string, owner: Obj, pod: Obj): Forward {
  const [first, second, ...more] = text.split(":")
  if (more.length > 0) throw new Error(`invalid port format '${text}'`)
  const remoteText = second ?? first!
  const remote = remotePort(remoteText, owner, pod)
  const local =
    second === undefined ? (/^\d+$/.test(first!) ? Number(first) : remote) : first === "" ? 0 : Number(first)
  if (!Number.isInteger(local) || local < 0 || local > 65_535)
    throw new Error(
      `error parsing local port '${first}': strconv.ParseUint: parsing "${first}": invalid syntax`,
    )
  return { local, remote }
}

function remotePort(text: string, owner: Obj, pod: Obj): number {
  const containers = (at(pod, "spec", "containers") ?? []) as Obj[]
  const named = (name: string): number | undefined =>
    containers.flatMap((one) => (one["ports"] ?? []) as Obj[]).find((port) => port["name"] === name)?.[
      "containerPort"
    ] as number | undefined
  if (owner["kind"] === "Service") {
    const ports = (at(owner, "spec", "ports") ?? []) as Obj[]
    const port = ports.find((one) => String(one["port"]) === text || one["name"] === text)
    if (!port) throw new Error(`Service ${owner["metadata"].name} does not have a service port ${text}`)
    const target = port["targetPort"] as number | string
    if (typeof target === "number") return target
    const found = named(target)
    if (found === undefined)
      throw new Error(`Pod '${pod["metadata"].name}' does not have a named port '${target}'`)
    return found
  }
  if (/^\d+$/.test(text)) {
    if (Number(text) === 0) throw new Error("remote port must be > 0")
    return Number(text)
  }
  const found = named(text)
  if (found === undefined)
    throw new Error(`Pod '${pod["metadata"].name}' does not have a named port '${text}'`)
  return found
}

interface Connection {
  readonly path: string
  readonly remote: number
  readonly local: number
}

/** How long the other side may be silent after the local side has said its last. */
const lastWordsMs = 1000

/** Carries one connection's bytes both ways. Channel 0 is data, channel 1 errors; each begins with the port. */
async function serve(
  ctx: CommandContext,
  signal: AbortSignal,
  { path, remote, local }: Connection,
  socket: Socket,
): Promise<void> {
  ctx.out(`Handling connection for ${local}\n`)
  // The local side may end at any moment, before the channel to the pod is open, too.
  let remoteSide: WebSocketConnection | undefined
  socket.on("error", () => remoteSide?.close())
  socket.on("close", () => remoteSide?.close())
  try {
    const api = await ctx.factory.api()
    const opened = await openWebSocket(api, `${path}?ports=${remote}`, [protocol])
    remoteSide = opened
    if (socket.destroyed) return opened.close()
    socket.on("data", (chunk: Buffer) => {
      socket.pause()
      void opened.send(Buffer.concat([Buffer.from([0]), chunk])).then(() => void socket.resume())
    })
    let heard = 0
    const closeWhenSilent = (seen: number): void => {
      ctx.io.clock.timer(lastWordsMs, () => (heard === seen ? opened.close() : closeWhenSilent(heard)))
    }
    const onAbort = (): void => {
      opened.close()
      socket.destroy()
    }
    signal.addEventListener("abort", onAbort, { once: true })
    if (signal.aborted) onAbort()
    // This protocol has no half-closed state: the answer to a client that has said its last is waited for.
    socket.on("end", () => closeWhenSilent(heard))
    const skipped = [headerBytes, headerBytes]
    for await (const message of opened.messages()) {
      heard++
      const channel = message[0] === 0 ? 0 : 1
      const skip = Math.min(skipped[channel]!, message.length - 1)
      skipped[channel]! -= skip
      const data = message.subarray(1 + skip)
      if (data.length === 0) continue
      if (channel === 0) await writeTo(socket, data)
      else ctx.err(`error: an error occurred forwarding ${local} -> ${remote}: ${data.toString("utf8")}\n`)
    }
    socket.end()
  } catch (thrown) {
    ctx.err(
      `error: error creating forwarding stream for port ${local} -> ${remote}: ${(thrown as Error).message}\n`,
    )
    socket.destroy()
  }
}
