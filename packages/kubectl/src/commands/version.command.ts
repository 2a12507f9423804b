/** `kubectl version`. Mirrors: kubectl pkg/cmd/version/version.go */
import { kubernetesVersion } from "@knarr/api"
import { stringifyYaml } from "@knarr/apimachinery"
import { defineKubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"

const clientVersion = {
  major: kubernetesVersion.split(".")[0]!,
  minor: kubernetesVersion.split(".")[1]!,
  gitVersion: `v${kubernetesVersion}`,
  gitCommit: "",
  gitTreeState: "",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "node",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
}
const kustomizeVersion = "v5.8.1"

export const version = defineKubectlCommand({
  name: "version",
  summary: "Print the client and server version information",
  flags: [
    flag.bool("client", "If true, shows client version only (no server required)."),
    flag.text("output", { short: "o", help: "One of 'yaml' or 'json'." }),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    const output = flags.text("output")
    if (output !== "" && output !== "json" && output !== "yaml") {
      throw new UsageError(ctx.path, "--output must be 'yaml' or 'json'")
    }
    const info: Obj = { clientVersion, kustomizeVersion }
    let failed: Error | undefined
    if (!flags.bool("client")) {
      try {
        info["serverVersion"] = await (await ctx.factory.api()).get("/version")
      } catch (thrown) {
        failed = thrown as Error
      }
    }
    const server = info["serverVersion"] as Obj | undefined
    if (output === "json") ctx.out(`${JSON.stringify(info, null, 2)}\n`)
    else if (output === "yaml") ctx.out(stringifyYaml(info))
    else {
      ctx.out(`Client Version: ${clientVersion.gitVersion}\nKustomize Version: ${kustomizeVersion}\n`)
      if (server) ctx.out(`Server Version: ${server["gitVersion"]}\n`)
    }
    if (failed) throw failed
    const minor = Number.parseInt(String(server?.["minor"] ?? clientVersion.minor), 10)
    const skew = Math.abs(minor - Number(clientVersion.minor))
    if (server && skew > 1) {
      ctx.err(
        `Warning: version difference between client (${clientVersion.major}.${clientVersion.minor}) and server (${server["major"]}.${minor}) exceeds the supported minor version skew of +/-1\n`,
      )
    }
  },
})
