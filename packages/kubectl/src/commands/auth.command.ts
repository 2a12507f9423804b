/** `kubectl auth can-i|whoami`. Mirrors: kubectl pkg/cmd/auth */
import { defineKubectlCommand, type CommandContext, type KubectlCommand } from "../command.ts"
import { ExitError } from "../errors.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { objectPrinter, outputForm } from "../printers/printer.ts"
import { TabWriter, tableTabs } from "../printers/tab-writer.ts"
import { goSlice } from "../describe/writer.ts"
import { simpleRules } from "../describe/rbac.ts"
import { allNamespacesFlag, printFlags } from "../shared-flags.ts"

const canI: KubectlCommand = {
  name: "can-i",
  summary: "Check whether an action is allowed",
  usage: "VERB [TYPE | TYPE/NAME | NONRESOURCEURL]",
  flags: [
    allNamespacesFlag,
    flag.bool("list", "If true, prints all allowed actions."),
    flag.bool("no-headers", "If true, prints allowed actions without headers"),
    flag.bool("quiet", { short: "q", help: "If true, suppress output and just return the exit code." }),
    flag.text("subresource", "SubResource such as pod/log or deployment/scale"),
  ],
  run: async (ctx) => (ctx.flags.bool("list") ? listRules(ctx) : check(ctx)),
}

const pathVerbs: ReadonlySet<string> = new Set([
  "*",
  "delete",
  "get",
  "head",
  "options",
  "patch",
  "post",
  "put",
])

const resourceVerbs: ReadonlySet<string> = new Set(
  "* approve attest bind create delete deletecollection escalate get impersonate list patch sign update use watch".split(
    " ",
  ),
)

async function check(ctx: CommandContext): Promise<void> {
  const { args, flags } = ctx
  if (args.length < 2 || args.length > 3) {
    throw new Error(
      "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
    )
  }
  const [verb, target] = args as [string, string]
  const { namespace } = await ctx.factory.namespace()
  const scope = flags.bool("all-namespaces") ? "" : namespace
  const api = await ctx.factory.api()
  let spec: Obj
  if (target.startsWith("/")) {
    if (flags.text("subresource")) throw new Error("--subresource can not be used with NonResourceURL")
    if (!pathVerbs.has(verb)) ctx.err(`Warning: verb '${verb}' is not a known verb\n\n`)
    spec = { nonResourceAttributes: { path: target, verb } }
  } else {
    const [type, ...rest] = target.split("/")
    const name = args[2] ?? rest.join("/")
    const found = await (await ctx.factory.mapper()).find(type!)
    const known = ["*", ""].includes(type!)
    if (!found && !known) {
      ctx.err(`Warning: the server doesn't have a resource type '${type!.split(".")[0]}'\n\n`)
    } else if (found && !found.namespaced && scope !== "") {
      const where = found.group ? ` in group '${found.group}'` : ""
      ctx.err(`Warning: resource '${found.plural}' is not namespace scoped${where}\n\n`)
    }
    if (type !== "" && scope !== "" && !resourceVerbs.has(verb))
      ctx.err(`Warning: verb '${verb}' is not a known verb\n\n`)
    spec = {
      resourceAttributes: {
        namespace: scope,
        verb,
        group: found?.group ?? type!.split(".").slice(1).join("."),
        resource: found?.plural ?? type!.split(".")[0],
        subresource: flags.text("subresource"),
        name,
      },
    }
  }
  const review = await api.json("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec },
  })
  const status = (review["status"] ?? {}) as Obj
  if (status["allowed"] === true) {
    if (!flags.bool("quiet")) ctx.out("yes\n")
    return
  }
  if (!flags.bool("quiet")) {
    const reason = status["reason"] ? ` - ${status["reason"]}` : ""
    const problem = status["evaluationError"] ? ` - ${status["evaluationError"]}` : ""
    ctx.out(`no${reason}${problem}\n`)
  }
  throw new ExitError(1)
}

async function listRules(ctx: CommandContext): Promise<void> {
  const { namespace } = await ctx.factory.namespace()
  const api = await ctx.factory.api()
  const review = await api.json("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
    body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } },
  })
  const status = (review["status"] ?? {}) as Obj
  const writer = new TabWriter(tableTabs, ctx.out)
  if (!ctx.flags.bool("no-headers")) writer.write("Resources\tNon-Resource URLs\tResource Names\tVerbs\n")
  const rules = [
    ...((status["resourceRules"] ?? []) as Obj[]),
    ...((status["nonResourceRules"] ?? []) as Obj[]),
  ]
  for (const rule of simpleRules(rules)) {
    writer.write(`${rule.resource}\t${goSlice(rule.urls)}\t${goSlice(rule.names)}\t${goSlice(rule.verbs)}\n`)
  }
  writer.flush()
}

const whoami: KubectlCommand = {
  name: "whoami",
  summary: "Experimental: Check self subject attributes",
  flags: printFlags,
  run: async (ctx) => {
    const api = await ctx.factory.api()
    const review = await api.json("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
    })
    const { form, template } = outputForm(ctx)
    if (form !== "") return ctx.out((await objectPrinter(ctx, form, template))(review))
    const user = (at(review, "status", "userInfo") ?? {}) as Obj
    const writer = new TabWriter(tableTabs, ctx.out)
    writer.write("ATTRIBUTE\tVALUE\n")
    if (user["username"]) writer.write(`Username\t${user["username"]}\n`)
    if (user["uid"]) writer.write(`UID\t${user["uid"]}\n`)
    if (user["groups"]?.length) writer.write(`Groups\t${goSlice(user["groups"])}\n`)
    const extra = (user["extra"] ?? {}) as Record<string, string[]>
    for (const key of Object.keys(extra).sort()) writer.write(`Extra: ${key}\t${goSlice(extra[key])}\n`)
    writer.flush()
  },
}

export const auth = defineKubectlCommand({
  name: "auth",
  summary: "Inspect authorization",
  usage: "[flags]",
  subcommands: [canI, whoami],
})
