/** `knarr version`: what this command is, and what the server of a cluster is. */
import { kubernetesVersion } from "@knarr/api"
import { stringifyYaml } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { createTransport, loadKubeconfig, resolveContext } from "@knarr/client"
import { UsageError, type ClusterHome } from "../cluster-home.ts"
import { knarrVersion } from "../knarr-version.ts"
import { clusterFlags, clusterOf } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

const answerTimeoutMs = 5_000

interface VersionInfo {
  readonly gitVersion: string
}

export const version = defineCommand({
  name: "version",
  usage: "[--client] [--output json|yaml] [--name NAME] [--home DIR]",
  summary:
    "Print the version of this command and of a cluster's server; exits 1 when a cluster's server does not answer",
  flags: {
    ...clusterFlags,
    client: { type: "boolean", help: "Ask no server." },
    output: { type: "string", short: "o", value: "FORMAT", help: "json or yaml." },
  },
  async run({ flags }, ctx) {
    const { output } = flags
    if (output !== undefined && output !== "json" && output !== "yaml")
      throw new UsageError("--output must be 'yaml' or 'json'")
    const clientVersion = {
      gitVersion: `v${knarrVersion}`,
      kubernetesVersion: `v${kubernetesVersion}`,
      platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
      nodeVersion: process.version,
    }
    const cluster = clusterOf(flags, ctx)
    const isAsked = flags["client"] !== true && (cluster.exists || flags["name"] !== undefined)
    let serverVersion: VersionInfo | undefined
    let problem: string | undefined
    if (isAsked) {
      try {
        serverVersion = await askServer(cluster)
      } catch (thrown) {
        problem = messageOf(thrown)
      }
    }
    const info = { clientVersion, ...(serverVersion ? { serverVersion } : {}) }
    if (output === "json") ctx.print(`${JSON.stringify(info, undefined, 2)}\n`)
    else if (output === "yaml") ctx.print(stringifyYaml(info))
    else {
      ctx.print(
        `Client Version: ${clientVersion.gitVersion} (Kubernetes ${clientVersion.kubernetesVersion})\n`,
      )
      if (serverVersion) ctx.print(`Server Version: ${serverVersion.gitVersion}\n`)
    }
    if (problem === undefined) return 0
    ctx.warn(`error: the server of the cluster "${cluster.name}" does not answer: ${problem}\n`)
    return 1
  },
})

async function askServer(cluster: ClusterHome): Promise<VersionInfo> {
  if (!cluster.exists) throw new Error(`there is no such cluster in ${cluster.home}`)
  using transport = createTransport(resolveContext(await loadKubeconfig([cluster.kubeconfig])).transport)
  const signal = AbortSignal.timeout(answerTimeoutMs)
  const response = await transport.request({ method: "GET", path: "/version", signal })
  const text = (await response.buffer()).toString("utf8")
  if (response.status !== 200) throw new Error(`it answers with status ${response.status}`)
  return JSON.parse(text) as VersionInfo
}
