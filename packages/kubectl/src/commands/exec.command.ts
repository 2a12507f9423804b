/** `kubectl exec`. Mirrors: kubectl pkg/cmd/exec/exec.go */
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { UsageError } from "../errors.ts"
import { infosOf, readManifests } from "../files/manifests.ts"
import { flag } from "../flags.ts"
import { at } from "../object.ts"
import { attachablePod, chooseContainer, podPath } from "../pods.ts"
import { fetchObject, singleTarget } from "../resources.ts"
import type { Info } from "../info.ts"
import { fileFlags } from "../shared-flags.ts"
import { runRemote, type RemoteStreams } from "../stream/remote-command.ts"

export const exec = defineKubectlCommand({
  name: "exec",
  summary: "Execute a command in a container",
  usage: "(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
  flags: [
    ...fileFlags.slice(0, 1),
    flag.text("container", {
      short: "c",
      help: "Container name. If omitted, use the kubectl.kubernetes.io/default-container annotation for selecting the container to be attached or the first container in the pod will be chosen",
    }),
    flag.duration("pod-running-timeout", {
      default: "1m0s",
      help: "The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    }),
    flag.bool("quiet", { short: "q", help: "Only print output from the remote session" }),
    flag.bool("stdin", { short: "i", help: "Pass stdin to the container" }),
    flag.bool("tty", { short: "t", help: "Stdin is a TTY" }),
  ],
  run: runExec,
})

async function runExec(ctx: CommandContext): Promise<void> {
  const { flags, args, dashAt } = ctx
  const fromFile = flags.list("filename").length > 0
  if (args.length > 0 && dashAt === -1 && (args.length > 1 || fromFile)) {
    throw new Error("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead")
  }
  if ((args.length === 0 || dashAt === 0) && !fromFile) {
    throw new UsageError(ctx.path, "pod, type/name or --filename must be specified")
  }
  const command = dashAt >= 0 ? args.slice(dashAt) : args.slice(1)
  if (command.length === 0) throw new Error("you must specify at least one command for the container")
  const info = fromFile ? await fromManifest(ctx) : await singleTarget(ctx, args.slice(0, dashAt))
  const pod = await attachablePod(ctx, info, flags.duration("pod-running-timeout"))
  const phase = at(pod, "status", "phase") as string
  if (phase === "Succeeded" || phase === "Failed") {
    throw new Error(`cannot exec into a container in a completed pod; current phase is ${phase}`)
  }
  const container = chooseContainer(ctx, pod, flags.text("container"), flags.bool("quiet"))
  await runInContainer(ctx, {
    path: await podPath(ctx, pod, "exec"),
    container,
    command,
    stdin: flags.bool("stdin"),
    tty: flags.bool("tty"),
  })
}

async function fromManifest(ctx: CommandContext): Promise<Info> {
  const [info] = await infosOf(ctx, await readManifests(ctx))
  if (!info) throw new Error("no objects passed to exec")
  return { ...info, object: await fetchObject(await ctx.factory.api(), info) }
}

export interface Session {
  readonly path: string
  readonly container: string
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly tty: boolean
}

/** Whether a terminal can be used; says so when it cannot. */
export function usableTerminal(ctx: CommandContext, stdin: boolean, tty: boolean): boolean {
  if (!tty) return false
  if (stdin && ctx.io.isTTY?.stdin !== true) {
    ctx.err("Unable to use a TTY - input is not a terminal or the right kind of file\n")
    return false
  }
  return true
}

/** Joins the user's streams to a process in a container until it ends. Resolves with the bytes of output. */
export async function runInContainer(ctx: CommandContext, session: Session): Promise<number> {
  const { io } = ctx
  const tty = usableTerminal(ctx, session.stdin, session.tty)
  const query = new URLSearchParams()
  for (const word of session.command) query.append("command", word)
  query.set("container", session.container)
  if (session.stdin) query.set("stdin", "true")
  query.set("stdout", "true")
  if (tty) query.set("tty", "true")
  else query.set("stderr", "true")
  const api = await ctx.factory.api()
  const raw = tty && session.stdin
  if (raw) io.setRawMode?.(true)
  let heard = 0
  const passOn =
    (stream: NodeJS.WritableStream) =>
    (data: Buffer): void | Promise<void> => {
      heard += data.length
      return writeTo(stream, data)
    }
  try {
    const streams: RemoteStreams = {
      stdin: session.stdin ? io.stdin : undefined,
      stdout: passOn(io.stdout),
      stderr: passOn(io.stderr),
      terminal: tty ? io : undefined,
    }
    await runRemote(api, io, `${session.path}?${query}`, streams)
    return heard
  } finally {
    if (raw) io.setRawMode?.(false)
  }
}

/** Writes, and waits while the reader is slower. */
export function writeTo(stream: NodeJS.WritableStream, data: Buffer): void | Promise<void> {
  if (stream.write(data)) return undefined
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done)
      stream.off("close", done)
      resolve()
    }
    stream.on("drain", done)
    stream.on("close", done)
  })
}
