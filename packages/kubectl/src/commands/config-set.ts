/** `kubectl config set-cluster|set-context|set-credentials`. Mirrors: kubectl pkg/cmd/config */
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import type { CommandContext, KubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"
import { userPath } from "../files/sources.ts"
import { flag, type FlagSpec } from "../flags.ts"
import { changeKubeconfig, findEntry, type EntryList } from "../kubeconfig-edit.ts"
import type { Obj } from "../object.ts"

interface Setter {
  readonly name: string
  readonly summary: string
  readonly list: EntryList
  readonly field: string
  readonly title: string
  readonly flags: readonly FlagSpec[]
  /** What the flags say. */
  values(ctx: CommandContext): Promise<Obj> | Obj
}

function setter(spec: Setter): KubectlCommand {
  return {
    name: spec.name,
    summary: spec.summary,
    usage: "NAME",
    flags: spec.flags,
    run: async (ctx) => {
      const current = spec.list === "contexts" && ctx.flags.bool("current")
      if (ctx.args.length !== (current ? 0 : 1))
        throw new UsageError(ctx.path, `unexpected args: [${ctx.args.join(" ")}]`)
      const name = current ? (await ctx.factory.kubeconfig())["current-context"] : ctx.args[0]!
      if (!name) throw new Error("no current context is set")
      const values = await spec.values(ctx)
      let existed = false
      await changeKubeconfig(ctx, { list: spec.list, name }, (config) => {
        const entry = findEntry(config, spec.list, name)
        existed = entry !== undefined
        if (entry) entry[spec.field] = { ...entry[spec.field], ...values }
        else config[spec.list].push({ name, [spec.field]: values })
      })
      const done =
        spec.list === "contexts" && existed ? "modified" : spec.list === "contexts" ? "created" : "set"
      ctx.out(`${spec.title} "${name}" ${done}.\n`)
    },
  }
}

function given(ctx: CommandContext, fields: Readonly<Record<string, string>>): Obj {
  const out: Obj = {}
  for (const [name, field] of Object.entries(fields))
    if (ctx.flags.changed(name)) out[field] = ctx.flags.text(name)
  return out
}

/** A file by its path, or with `--embed-certs` by its content. */
async function file(ctx: CommandContext, name: string): Promise<Obj> {
  if (!ctx.flags.changed(name)) return {}
  const path = userPath(ctx, ctx.flags.text(name))
  if (!ctx.flags.bool("embed-certs")) return { [name]: resolve(path) }
  return { [`${name}-data`]: (await readFile(path)).toString("base64") }
}

const embed = flag.bool("embed-certs", "Embed certificates in the kubeconfig")

export const setCluster: KubectlCommand = setter({
  name: "set-cluster",
  summary: "Set a cluster entry in kubeconfig",
  list: "clusters",
  field: "cluster",
  title: "Cluster",
  flags: [
    embed,
    flag.text("server", { short: "s", help: "server for the cluster entry in kubeconfig" }),
    flag.text(
      "certificate-authority",
      "Path to certificate-authority file for the cluster entry in kubeconfig",
    ),
    flag.bool("insecure-skip-tls-verify", "insecure-skip-tls-verify for the cluster entry in kubeconfig"),
    flag.text("tls-server-name", "tls-server-name for the cluster entry in kubeconfig"),
    flag.text("proxy-url", "proxy-url for the cluster entry in kubeconfig"),
  ],
  values: async (ctx) => ({
    ...given(ctx, { server: "server", "tls-server-name": "tls-server-name", "proxy-url": "proxy-url" }),
    ...(await file(ctx, "certificate-authority")),
    ...(ctx.flags.changed("insecure-skip-tls-verify")
      ? { "insecure-skip-tls-verify": ctx.flags.bool("insecure-skip-tls-verify") }
      : {}),
  }),
})

export const setContext: KubectlCommand = setter({
  name: "set-context",
  summary: "Set a context entry in kubeconfig",
  list: "contexts",
  field: "context",
  title: "Context",
  flags: [
    flag.bool("current", "Modify the current context"),
    flag.text("cluster", "cluster for the context entry in kubeconfig"),
    flag.text("user", "user for the context entry in kubeconfig"),
    flag.text("namespace", { short: "n", help: "namespace for the context entry in kubeconfig" }),
  ],
  values: (ctx) => given(ctx, { cluster: "cluster", user: "user", namespace: "namespace" }),
})

export const setCredentials: KubectlCommand = setter({
  name: "set-credentials",
  summary: "Set a user entry in kubeconfig",
  list: "users",
  field: "user",
  title: "User",
  flags: [
    embed,
    flag.text("client-certificate", "Path to client-certificate file for the user entry in kubeconfig"),
    flag.text("client-key", "Path to client-key file for the user entry in kubeconfig"),
    flag.text("token", "token for the user entry in kubeconfig"),
    flag.text("username", "username for the user entry in kubeconfig"),
    flag.text("password", "password for the user entry in kubeconfig"),
  ],
  values: async (ctx) => ({
    ...given(ctx, { token: "token", username: "username", password: "password" }),
    ...(await file(ctx, "client-certificate")),
    ...(await file(ctx, "client-key")),
  }),
})
