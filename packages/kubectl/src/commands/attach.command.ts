/** `kubectl attach`. Mirrors: kubectl pkg/cmd/attach/attach.go */
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { attachablePod, chooseContainer, podPath } from "../pods.ts"
import { singleTarget } from "../resources.ts"
import { runInContainer } from "./exec.command.ts"

export const attach = defineKubectlCommand({
  name: "attach",
  summary: "Attach to a running container",
  usage: "(POD | TYPE/NAME) -c CONTAINER",
  flags: [
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
  run: async (ctx) => {
    const { args, flags } = ctx
    if (args.length === 0) throw new UsageError(ctx.path, "at least 1 argument is required for attach")
    if (args.length > 2)
      throw new UsageError(
        ctx.path,
        `expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw ${args.length}: [${args.join(" ")}]`,
      )
    const info = await singleTarget(ctx, args)
    const pod = await attachablePod(ctx, info, flags.duration("pod-running-timeout"))
    await attachToPod(ctx, pod, {
      container: flags.text("container"),
      stdin: flags.bool("stdin"),
      tty: flags.bool("tty"),
      quiet: flags.bool("quiet"),
    })
  },
})

/** Joins the user's streams to a container that runs. Throws when the pod has ended. */
export async function attachToPod(
  ctx: CommandContext,
  pod: Obj,
  options: { container: string; stdin: boolean; tty: boolean; quiet: boolean },
): Promise<number> {
  const phase = at(pod, "status", "phase") as string
  if (phase === "Succeeded" || phase === "Failed") {
    throw new Error(`cannot attach a container in a completed pod; current phase is ${phase}`)
  }
  const container = chooseContainer(ctx, pod, options.container, options.quiet)
  const spec = (at(pod, "spec", "containers") as Obj[]).find((one) => one["name"] === container)
  let { tty } = options
  if (tty && spec && spec["tty"] !== true) {
    tty = false
    if (!options.quiet) {
      ctx.err(`error: Unable to use a TTY - container ${container} did not allocate one\n`)
    }
  } else if (!tty && spec?.["tty"] === true && options.stdin) tty = true
  if (!options.quiet && tty && options.stdin) {
    ctx.err(
      "All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.\n",
    )
    ctx.err("If you don't see a command prompt, try pressing enter.\n")
  }
  return runInContainer(ctx, {
    path: await podPath(ctx, pod, "attach"),
    container,
    command: [],
    stdin: options.stdin,
    tty,
  })
}
