/** `kubectl run`. Mirrors: kubectl pkg/cmd/run/run.go */
import { parseJson } from "@knarr/base"
import {
  applyMergePatch,
  applyJSONPatch,
  applyStrategicMergePatch,
  goQuote,
  isEnvVarName,
  type JsonObject,
} from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { deleteObject, watchObject } from "../deletion.ts"
import { ExitError, UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { podPath } from "../pods.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { typedFields } from "../printers/typed-json.ts"
import { dryRunFlag, fieldManagerFlag, printFlags } from "../shared-flags.ts"
import { createObject } from "../writes.ts"
import { attachToPod } from "./attach.command.ts"
import { writeTo } from "./exec.command.ts"

export const run = defineKubectlCommand({
  name: "run",
  summary: "Run a particular image on the cluster",
  long: "Create and run a particular image in a pod.",
  usage:
    'NAME --image=image [--env="key=value"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] -- [COMMAND] [args...]',
  flags: [
    ...printFlags,
    dryRunFlag,
    fieldManagerFlag("kubectl-run"),
    flag.array("annotations", "Annotations to apply to the pod."),
    flag.bool(
      "attach",
      "If true, wait for the Pod to start running, and then attach to the Pod as if 'kubectl attach ...' were called.",
    ),
    flag.bool(
      "command",
      "If true and extra arguments are present, use them as the 'command' field in the container, rather than the 'args' field which is the default.",
    ),
    flag.array("env", "Environment variables to set in the container."),
    flag.bool("expose", "If true, create a ClusterIP service associated with the pod.  Requires `--port`."),
    flag.bool("force", "If true, immediately remove resources from API and bypass graceful deletion."),
    flag.int("grace-period", {
      default: "-1",
      help: "Period of time in seconds given to the resource to terminate gracefully.",
    }),
    flag.text("image", "The image for the container to run."),
    flag.text("image-pull-policy", "The image pull policy for the container."),
    flag.text("labels", {
      short: "l",
      help: "Comma separated labels to apply to the pod. Will override previous values.",
    }),
    flag.bool(
      "leave-stdin-open",
      "If the pod is started in interactive mode or with stdin, leave stdin open after the first attach completes.",
    ),
    flag.text("override-type", {
      default: "merge",
      help: "The method used to override the generated object: json, merge, or strategic.",
    }),
    flag.text("overrides", "An inline JSON override for the generated object."),
    flag.duration("pod-running-timeout", {
      default: "1m0s",
      help: "The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    }),
    flag.text("port", "The port that this container exposes."),
    flag.bool("privileged", "If true, run the container in privileged mode."),
    flag.bool("quiet", { short: "q", help: "If true, suppress prompt messages." }),
    flag.text("restart", {
      default: "Always",
      help: "The restart policy for this Pod.  Legal values [Always, OnFailure, Never].",
    }),
    flag.bool(
      "rm",
      "If true, delete the pod after it exits.  Only valid when attaching to the container, e.g. with '--attach' or with '-i/--stdin'.",
    ),
    flag.bool("stdin", {
      short: "i",
      help: "Keep stdin open on the container in the pod, even if nothing is attached.",
    }),
    flag.bool("tty", { short: "t", help: "Allocate a TTY for the container in the pod." }),
  ],
  run: runRun,
})

async function podFor(ctx: CommandContext, name: string, words: readonly string[]): Promise<Obj> {
  const { flags } = ctx
  const env = flags.list("env").map((text) => {
    const equals = text.indexOf("=")
    const key = text.slice(0, equals)
    if (equals <= 0 || isEnvVarName(key).length > 0) throw new Error(`invalid env: ${text}`)
    return { name: key, value: text.slice(equals + 1) }
  })
  const labels = flags.text("labels")
    ? Object.fromEntries(
        flags
          .text("labels")
          .split(",")
          .map((pair) => pair.split("=") as [string, string]),
      )
    : { run: name }
  const annotations = Object.fromEntries(
    flags.list("annotations").map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]),
  )
  const stdin = flags.bool("stdin")
  const once = stdin && !flags.bool("leave-stdin-open")
  const pod: Obj = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: {
      containers: [
        {
          name,
          image: flags.text("image"),
          ...(words.length > 0 ? { [flags.bool("command") ? "command" : "args"]: words } : {}),
          ...(env.length > 0 ? { env } : {}),
          ...(flags.text("port") ? { ports: [{ containerPort: Number(flags.text("port")) }] } : {}),
          ...(flags.text("image-pull-policy") ? { imagePullPolicy: flags.text("image-pull-policy") } : {}),
          ...(flags.bool("privileged") ? { securityContext: { privileged: true } } : {}),
          ...(stdin ? { stdin: true } : {}),
          ...(once ? { stdinOnce: true } : {}),
          ...(flags.bool("tty") ? { tty: true } : {}),
          resources: {},
        },
      ],
      restartPolicy: flags.text("restart"),
      dnsPolicy: "ClusterFirst",
    },
    status: {},
  }
  const overrides = flags.text("overrides")
  if (!overrides) return pod
  const body = parseJson(overrides) as JsonObject
  if (flags.text("override-type") === "json") return applyJSONPatch(pod, body) as Obj
  if (flags.text("override-type") === "merge") return applyMergePatch(pod, body)
  const { builtinKind } = await import("../builtin-kinds.ts")
  return applyStrategicMergePatch(builtinKind(pod)!.schema, pod, body)
}

async function runRun(ctx: CommandContext): Promise<number | void> {
  const { args, flags } = ctx
  if (!flags.changed("image")) throw new Error('required flag(s) "image" not set')
  const name = args[0]
  if (!name || ctx.dashAt === 0) throw new UsageError(ctx.path, "NAME is required for run")
  if (!flags.text("image")) throw new Error("--image is required")
  const restart = flags.text("restart")
  if (!["Always", "OnFailure", "Never"].includes(restart))
    throw new UsageError(ctx.path, `invalid restart policy: ${restart}`)
  const interactive = flags.bool("stdin") || flags.bool("tty")
  const attaching = flags.changed("attach") ? flags.bool("attach") : interactive
  if (flags.bool("tty") && !flags.bool("stdin"))
    throw new UsageError(ctx.path, "-i/--stdin is required for containers with -t/--tty=true")
  if (flags.bool("expose") && !flags.text("port"))
    throw new UsageError(ctx.path, "--port must be set when exposing a service")
  if (flags.bool("rm") && !attaching) throw new Error("--rm should only be used for attached containers")
  const dryRun = dryRunOf(ctx)
  if (attaching && dryRun !== "none")
    throw new UsageError(
      ctx.path,
      "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)",
    )
  const { namespace, explicit } = await ctx.factory.namespace()
  const made = await podFor(ctx, name, args.slice(1))
  const pod = explicit ? { ...made, metadata: { ...made["metadata"], namespace } } : made
  const printer = await changePrinter(ctx, "created", dryRun)
  const fieldManager = flags.text("field-manager")
  const send = async (type: string, object: Obj): Promise<Obj> => {
    if (dryRun === "client") return object
    const resource = await (await ctx.factory.mapper()).resource(type)
    return createObject(await ctx.factory.api(), { resource, namespace }, object, { dryRun, fieldManager })
  }
  const created = await send("pods", pod)
  let extra: Obj | undefined
  if (flags.bool("expose")) {
    const port = Number(flags.text("port"))
    const service = await send("services", {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        ...(flags.text("labels") ? { labels: pod["metadata"].labels as Obj } : {}),
        name,
        ...(explicit ? { namespace } : {}),
      },
      spec: { ports: [{ protocol: "TCP", port, targetPort: port }], selector: pod["metadata"].labels as Obj },
      status: { loadBalancer: {} },
    })
    extra = service
  }
  if (!attaching) {
    ctx.out(printer(flags.text("output") === "json" ? await typedFields(created) : created))
    if (extra) ctx.out(printer(extra))
    return
  }
  try {
    await attachAndFinish(ctx, created)
  } finally {
    if (flags.bool("rm")) await removePod(ctx, created)
  }
}

async function attachAndFinish(ctx: CommandContext, created: Obj): Promise<void> {
  const { flags } = ctx
  const api = await ctx.factory.api()
  const resource = await (await ctx.factory.mapper()).resource("pods")
  const { name, namespace } = created["metadata"] as { name: string; namespace: string }
  const place = { resource, namespace, name }
  const timeoutMs = flags.duration("pod-running-timeout")
  let last = created
  const limits = { clock: ctx.io.clock, signal: ctx.signal, timeoutMs }
  await watchObject(api, place, limits, (obj) => {
    if (!obj) throw new Error(`pod ${name} was deleted`)
    last = obj
    return ["Running", "Succeeded", "Failed"].includes(at(obj, "status", "phase") as string)
  })
  const showLogs = async (follow: boolean): Promise<void> => {
    const path = `${await podPath(ctx, last, "log")}${follow ? "?follow=true" : ""}`
    const logs = await api.send("GET", path, { accept: "application/json, */*" })
    for await (const chunk of logs.body) await writeTo(ctx.io.stdout, chunk)
  }
  let isSilent = false
  if (at(last, "status", "phase") === "Running") {
    const options = {
      container: at(last, "spec", "containers", "0", "name") as string,
      stdin: flags.bool("stdin"),
      tty: flags.bool("tty"),
      quiet: flags.bool("quiet"),
    }
    try {
      isSilent = (await attachToPod(ctx, last, options)) === 0
    } catch (thrown) {
      // The container may have ended before the attach.
      ctx.signal.throwIfAborted()
      ctx.err(
        `warning: couldn't attach to pod/${name}, falling back to streaming logs: ${(thrown as Error).message}\n`,
      )
      await showLogs(true)
    }
  } else await showLogs(false)
  if (flags.text("restart") === "Always" || flags.bool("leave-stdin-open")) return
  await watchObject(api, place, limits, (obj) => {
    last = obj ?? last
    return !obj || ["Succeeded", "Failed"].includes(at(obj, "status", "phase") as string)
  })
  // Whoever attaches hears nothing of what was said before.
  if (isSilent) await showLogs(false)
  if (at(last, "status", "phase") !== "Failed") return
  const statuses = (at(last, "status", "containerStatuses") ?? []) as Obj[]
  const code = at(statuses[0], "state", "terminated", "exitCode") as number | undefined
  if (!code) throw new Error(`pod ${namespace}/${name} failed with unknown exit code`)
  throw new ExitError(
    code,
    `pod ${namespace}/${name} terminated (${at(statuses[0], "state", "terminated", "reason")})`,
  )
}

async function removePod(ctx: CommandContext, pod: Obj): Promise<void> {
  const api = await ctx.factory.api()
  const resource = await (await ctx.factory.mapper()).resource("pods")
  const { name, namespace } = pod["metadata"] as { name: string; namespace: string }
  const gracePeriod = ctx.flags.int("grace-period")
  await deleteObject(
    api,
    { resource, namespace, name },
    { gracePeriod, cascade: "Background", dryRun: "none" },
  )
  if (!ctx.flags.bool("quiet")) ctx.out(`pod ${goQuote(name)} deleted from ${namespace} namespace\n`)
}
