/** `knarr image load`: puts the images of an archive into the cluster's registry. */
import { existsSync } from "node:fs"
import { normalizeImageName } from "@knarr/apimachinery"
import { loadImageArchive } from "@knarr/image-registry"
import { UsageError } from "../cluster-home.ts"
import { runningPid } from "../pid-file.ts"
import { readRegistrySecret } from "../registry-secret.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const imageLoad = defineCommand({
  name: "image load",
  usage: "[--name NAME] [--home DIR] FILE",
  summary: "Load a docker or OCI image archive; every node can then pull its images",
  flags: clusterFlags,
  positionals: ["FILE"],
  async run({ flags, positionals: [file] }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    if (runningPid(cluster.pidFile("server")) === undefined)
      throw new UsageError(`the cluster "${cluster.name}" is not running`)
    if (!existsSync(file!)) throw new UsageError(`open ${file}: no such file or directory`)
    const registry = `http://127.0.0.1:${config.registryPort}`
    const result = await loadImageArchive({
      file: file!,
      registry,
      secret: readRegistrySecret(cluster),
      normalizeName: normalizeImageName,
      signal: ctx.signal,
    })
    for (const image of result.images) ctx.print(`${image}\n`)
    ctx.print(`${result.blobsSent} blobs sent, ${result.blobsKept} were there\n`)
    return 0
  },
})
