/** The unmodified kubectls of this machine, of any release: whatever they do must work. */
import { existsSync, globSync, realpathSync } from "node:fs"
import { join } from "node:path"
import { runProgram } from "./knarr-command.ts"

export interface KubectlProgram {
  readonly path: string
  /** For example `1.33`. */
  readonly release: string
}

/** One for each release, oldest first: on the PATH, and where the reference control plane is built. */
export async function findKubectls(): Promise<KubectlProgram[]> {
  const folders = (process.env["PATH"] ?? "").split(":").filter(Boolean)
  const references = [join(process.env["HOME"] ?? "", ".cache/knarr-reference/bin")]
  const gcloud = "/usr/lib/google-cloud-sdk/bin"
  const paths = [...folders, ...references, gcloud].flatMap((dir) => globSync(join(dir, "kubectl{,.1.*}")))
  const byRelease = new Map<string, KubectlProgram>()
  for (const path of new Set(paths.filter((one) => existsSync(one)).map((one) => realpathSync(one)))) {
    const { code, stdout } = await runProgram(path, ["version", "--client", "-o", "json"])
    const release = code === 0 ? /"gitVersion": "v(\d+\.\d+)\./.exec(stdout)?.[1] : undefined
    if (release !== undefined && !byRelease.has(release)) byRelease.set(release, { path, release })
  }
  return [...byRelease.values()].sort((a, b) => minor(a) - minor(b))
}

function minor({ release }: KubectlProgram): number {
  return Number(release.split(".")[1])
}
