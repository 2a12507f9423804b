/** `kubectl logs`. Mirrors: kubectl pkg/cmd/logs/logs.go, polymorphichelpers/logsforobject.go */
import { goQuote, isNotFound, parseTime } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { lines } from "@knarr/client"
import type { Query } from "../api-client.ts"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { attachablePod, chooseContainer, containersOf, podPath, podsBySelector, podsOf } from "../pods.ts"
import { singleTarget } from "../resources.ts"
import { selectorFlag } from "../shared-flags.ts"
import { writeTo } from "./exec.command.ts"

const usageText =
  "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command"
const selectorTail = 10

export const logs = defineKubectlCommand({
  name: "logs",
  aliases: ["log"],
  summary: "Print the logs for a container in a pod",
  long: "Print the logs for a container in a pod or specified resource. If the pod has only one container, the container name is optional.",
  usage: "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]",
  flags: [
    selectorFlag,
    flag.bool("all-containers", "Get all containers' logs in the pod(s)."),
    flag.bool("all-pods", "Get logs from all pod(s). Sets prefix to true."),
    flag.text("container", { short: "c", help: "Print the logs of this container" }),
    flag.bool("follow", { short: "f", help: "Specify if the logs should be streamed." }),
    flag.bool(
      "ignore-errors",
      "If watching / following pod logs, allow for any errors that occur to be non-fatal",
    ),
    flag.bool(
      "insecure-skip-tls-verify-backend",
      "Skip verifying the identity of the kubelet that logs are requested from.",
    ),
    flag.int("limit-bytes", "Maximum bytes of logs to return. Defaults to no limit."),
    flag.int("max-log-requests", {
      default: "5",
      help: "Specify maximum number of concurrent logs to follow when using by a selector. Defaults to 5.",
    }),
    flag.duration("pod-running-timeout", {
      default: "20s",
      help: "The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    }),
    flag.bool("prefix", "Prefix each log line with the log source (pod name and container name)"),
    flag.bool("previous", {
      short: "p",
      help: "If true, print the logs for the previous instance of the container in a pod if it exists.",
    }),
    flag.duration(
      "since",
      "Only return logs newer than a relative duration like 5s, 2m, or 3h. Defaults to all logs. Only one of since-time / since may be used.",
    ),
    flag.text(
      "since-time",
      "Only return logs after a specific date (RFC3339). Defaults to all logs. Only one of since-time / since may be used.",
    ),
    flag.int("tail", {
      default: "-1",
      help: "Lines of recent log file to display. Defaults to -1 with no selector, showing all log lines otherwise 10, if a selector is provided.",
    }),
    flag.bool("timestamps", "Include timestamps on each line in the log output"),
  ],
  run: runLogs,
})

interface LogStream {
  readonly path: string
  readonly container: string
  readonly pod: string
}

async function runLogs(ctx: CommandContext): Promise<void> {
  const { flags, args } = ctx
  const selector = flags.text("selector")
  if (args.length === 0 && selector === "") throw new UsageError(ctx.path, usageText)
  if (args.length > 0 && selector !== "")
    throw new UsageError(ctx.path, "only a selector (-l) or a POD name is allowed")
  if (args.length > 2) throw new UsageError(ctx.path, usageText)
  const named = args.length === 2 && !flags.changed("container") ? args[1]! : flags.text("container")
  const legacyPair = args.length === 2 && !args[0]!.includes("/")
  const query = logQuery(ctx, selector !== "")
  const all = flags.bool("all-containers") || flags.bool("all-pods")
  if (flags.bool("all-containers") && named !== "")
    throw new Error("--all-containers=true should not be specified with container name " + named)
  const { pods, container } = await podsFor(
    ctx,
    selector,
    legacyPair ? [args[0]!] : args.slice(0, 1),
    legacyPair ? args[1]! : named,
  )
  const streams: LogStream[] = []
  for (const pod of pods) {
    const path = await podPath(ctx, pod, "log")
    const name = pod["metadata"].name as string
    if (flags.bool("all-containers") || (all && container === "")) {
      const ordered = containersOf(pod)
      const names = [
        ...ordered.filter((one) => one.type === "init"),
        ...ordered.filter((one) => one.type === ""),
        ...ordered.filter((one) => one.type === "ephem"),
      ]
      for (const one of names) streams.push({ path, container: one.name, pod: name })
    } else
      streams.push({
        path,
        container: container === "" ? defaultContainer(ctx, pod) : checkedContainer(pod, container),
        pod: name,
      })
  }
  if (streams.length === 0) {
    ctx.err(`No resources found in ${(await ctx.factory.namespace()).namespace} namespace.\n`)
    return
  }
  const limit = flags.int("max-log-requests")
  const follow = flags.bool("follow")
  if (follow && streams.length > limit) {
    throw new Error(
      `you are attempting to follow ${streams.length} log streams, but maximum allowed concurrency is ${limit}, use --max-log-requests to increase the limit`,
    )
  }
  const prefixed = flags.bool("prefix") || flags.bool("all-pods")
  if (follow && streams.length > 1) {
    await Promise.all(streams.map((stream) => printStream(ctx, stream, query, prefixed)))
  } else for (const stream of streams) await printStream(ctx, stream, query, prefixed)
}

async function podsFor(
  ctx: CommandContext,
  selector: string,
  args: readonly string[],
  container: string,
): Promise<{ pods: Obj[]; container: string }> {
  const { flags } = ctx
  const api = await ctx.factory.api()
  if (selector !== "") {
    const { namespace } = await ctx.factory.namespace()
    return { pods: await podsBySelector(api, namespace, selector), container }
  }
  const { namespace } = await ctx.factory.namespace()
  const info = await singleTarget(ctx, args).catch((thrown: unknown) => {
    if (!isNotFound(thrown)) throw thrown
    const message = `error from server (NotFound): ${messageOf(thrown)} in namespace ${goQuote(namespace)}`
    throw new Error(message, { cause: thrown })
  })
  if (info.object["kind"] === "Pod") return { pods: [info.object], container }
  if (flags.bool("all-pods")) return { pods: await podsOf(api, info.object), container }
  const pods = await podsOf(api, info.object)
  const pod = await attachablePod(ctx, info, flags.duration("pod-running-timeout"))
  if (pods.length > 1) ctx.err(`Found ${pods.length} pods, using pod/${pod["metadata"].name}\n`)
  return { pods: [pod], container }
}

function defaultContainer(ctx: CommandContext, pod: Obj): string {
  return chooseContainer(ctx, pod, "", false)
}

function checkedContainer(pod: Obj, container: string): string {
  if (containersOf(pod).some((one) => one.name === container)) return container
  throw new Error(`container ${container} is not valid for pod ${at(pod, "metadata", "name")}`)
}

function logQuery(ctx: CommandContext, selecting: boolean): Query {
  const { flags } = ctx
  const sinceTime = flags.text("since-time")
  if (sinceTime && flags.changed("since"))
    throw new UsageError(ctx.path, "at most one of `sinceTime` or `sinceSeconds` may be specified")
  if (sinceTime && Number.isNaN(parseTime(sinceTime))) {
    throw new Error(
      `parsing time ${goQuote(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse ${goQuote(sinceTime)} as "2006"`,
    )
  }
  const tail = flags.changed("tail") || !selecting ? flags.int("tail") : selectorTail
  if (tail < -1) throw new Error("--tail must be greater than or equal to -1")
  if (flags.changed("limit-bytes") && flags.int("limit-bytes") < 1)
    throw new Error("--limit-bytes must be greater than 0")
  if (flags.changed("since") && flags.duration("since") <= 0)
    throw new Error("--since must be greater than 0")
  const since = flags.duration("since")
  return {
    follow: flags.bool("follow"),
    insecureSkipTLSVerifyBackend: flags.bool("insecure-skip-tls-verify-backend"),
    limitBytes: flags.int("limit-bytes") || undefined,
    previous: flags.bool("previous"),
    sinceSeconds: since > 0 ? Math.ceil(since / 1000) : undefined,
    sinceTime,
    tailLines: tail >= 0 ? tail : undefined,
    timestamps: flags.bool("timestamps"),
  }
}

async function printStream(
  ctx: CommandContext,
  stream: LogStream,
  query: Query,
  prefixed: boolean,
): Promise<void> {
  const api = await ctx.factory.api()
  try {
    const response = await api.send("GET", stream.path, {
      query: { container: stream.container, ...query },
      accept: "application/json, */*",
      unlimited: query["follow"] === true,
    })
    if (!prefixed) {
      for await (const chunk of response.body) await writeTo(ctx.io.stdout, chunk)
      return
    }
    for await (const line of lines(response.body))
      ctx.out(`[pod/${stream.pod}/${stream.container}] ${line}\n`)
  } catch (thrown) {
    if (!ctx.flags.bool("ignore-errors")) throw thrown
    ctx.out(`error: ${(thrown as Error).message}\n`)
  }
}
