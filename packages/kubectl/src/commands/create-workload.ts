/** `kubectl create deployment|job|cronjob`. Mirrors: kubectl pkg/cmd/create/create_deployment.go, create_job.go */
import type { CommandContext, KubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"
import { fetchObject } from "../resources.ts"
import { generator } from "./create-object.ts"

function commandOf(ctx: CommandContext): string[] {
  return ctx.dashAt >= 0 ? ctx.args.slice(ctx.dashAt) : ctx.args.slice(1)
}

/** The container name that an image suggests. */
function nameFromImage(image: string): string {
  const last = image.split("/").at(-1)!
  return last
    .split("@")[0]!
    .split(":")[0]!
    .replaceAll(/[^a-z0-9-]/g, "-")
}

export const createDeployment: KubectlCommand = generator({
  name: "deployment",
  failure: "failed to create deployment: ",
  aliases: ["deploy"],
  summary: "Create a deployment with the specified name",
  usage: "NAME --image=image -- [COMMAND] [args...]",
  moreArgs: true,
  flags: [
    flag.csv(
      "image",
      "Image names to run. A deployment can have multiple images set for multi-container pod.",
    ),
    flag.int("port", { default: "-1", help: "The containerPort that this deployment exposes." }),
    flag.int("replicas", { short: "r", default: "1", help: "Number of replicas to create. Default is 1." }),
  ],
  make: (ctx, name) => {
    const images = ctx.flags.list("image")
    const command = commandOf(ctx)
    if (images.length === 0) throw new Error('required flag(s) "image" not set')
    if (ctx.flags.int("replicas") < 0) throw new Error(`required flag(s) "replicas" must be >= 0`)
    if (images.length > 1 && command.length > 0) {
      throw new UsageError(ctx.path, "cannot specify multiple --image options and command")
    }
    const port = ctx.flags.int("port")
    const containers = images.map((image) => ({
      name: nameFromImage(image),
      image,
      ...(command.length > 0 ? { command } : {}),
      ...(port >= 0 ? { ports: [{ containerPort: port }] } : {}),
      resources: {},
    }))
    const labels = { app: name }
    return {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, labels },
      spec: {
        replicas: ctx.flags.int("replicas"),
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers } },
        strategy: {},
      },
      status: {},
    }
  },
})

export const createJob: KubectlCommand = generator({
  name: "job",
  failure: "failed to create job: ",
  summary: "Create a job with the specified name",
  usage: "NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]",
  moreArgs: true,
  flags: [
    flag.text("image", "Image name to run."),
    flag.text("from", "The name of the resource to create a Job from (only cronjob is supported)."),
  ],
  make: async (ctx, name) => {
    const image = ctx.flags.text("image")
    const from = ctx.flags.text("from")
    if ((image === "") === (from === "")) throw new Error("either --image or --from must be specified")
    const command = commandOf(ctx)
    if (from !== "" && command.length > 0) throw new Error("cannot specify --from and command")
    if (from !== "") return jobFrom(ctx, name, from)
    return {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name },
      spec: {
        template: {
          metadata: {},
          spec: {
            containers: [{ name, image, ...(command.length > 0 ? { command } : {}), resources: {} }],
            restartPolicy: "Never",
          },
        },
      },
      status: {},
    }
  },
})

async function jobFrom(ctx: CommandContext, name: string, from: string): Promise<Obj> {
  const [type, cronName] = from.includes("/") ? (from.split("/") as [string, string]) : ["cronjob", from]
  const resource = await (await ctx.factory.mapper()).resource(type)
  if (resource.kind !== "CronJob") throw new Error("from must be an existing cronjob")
  const { namespace } = await ctx.factory.namespace()
  const cron = await fetchObject(await ctx.factory.api(), { resource, namespace, name: cronName })
  const template = cron["spec"].jobTemplate as Obj
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      annotations: { "cronjob.kubernetes.io/instantiate": "manual", ...template["metadata"]?.annotations },
      ...(template["metadata"]?.labels ? { labels: template["metadata"].labels } : {}),
      ownerReferences: [
        {
          apiVersion: "batch/v1",
          kind: "CronJob",
          name: cron["metadata"].name,
          uid: cron["metadata"].uid,
          controller: true,
        },
      ],
    },
    spec: template["spec"],
    status: {},
  }
}

export const createCronJob: KubectlCommand = generator({
  name: "cronjob",
  failure: "failed to create cronjob: ",
  aliases: ["cj"],
  summary: "Create a cron job with the specified name",
  usage: "NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [flags]",
  moreArgs: true,
  flags: [
    flag.text("image", "Image name to run."),
    flag.text("schedule", "A schedule in the Cron format the job should be run with."),
    flag.text("restart", "job's restart policy. supported values: OnFailure, Never"),
  ],
  make: (ctx, name) => {
    const { flags } = ctx
    if (flags.text("image") === "") throw new Error('required flag(s) "image" not set')
    if (flags.text("schedule") === "") throw new Error('required flag(s) "schedule" not set')
    const command = commandOf(ctx)
    return {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name },
      spec: {
        schedule: flags.text("schedule"),
        jobTemplate: {
          metadata: { name },
          spec: {
            template: {
              metadata: {},
              spec: {
                containers: [
                  {
                    name,
                    image: flags.text("image"),
                    ...(command.length > 0 ? { command } : {}),
                    resources: {},
                  },
                ],
                restartPolicy: flags.text("restart") || "OnFailure",
              },
            },
          },
        },
      },
      status: {},
    }
  },
})
