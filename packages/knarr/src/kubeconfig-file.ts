/** Writing kubeconfig files: the cluster's own, and its context in the user's. */
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { dirname } from "node:path"
import { stringifyYaml } from "@knarr/apimachinery"
import type { Clock } from "@knarr/base"
import { emptyKubeconfig, readKubeconfig, type Kubeconfig } from "@knarr/client"
import { UsageError, writeAtomically } from "./cluster-home.ts"
import { holdFile } from "./pid-file.ts"
import type { ClusterPki } from "./pki.ts"

const lockLimitMs = 10_000
const lockPollMs = 20

export function adminKubeconfig(
  contextName: string,
  server: string,
  pki: Pick<ClusterPki, "ca" | "admin">,
): Kubeconfig {
  const base64 = (text: string): string => Buffer.from(text).toString("base64")
  return {
    apiVersion: "v1",
    kind: "Config",
    preferences: {},
    clusters: [{ name: contextName, cluster: { "certificate-authority-data": base64(pki.ca.cert), server } }],
    contexts: [{ name: contextName, context: { cluster: contextName, user: contextName } }],
    users: [
      {
        name: contextName,
        user: { "client-certificate-data": base64(pki.admin.cert), "client-key-data": base64(pki.admin.key) },
      },
    ],
    "current-context": contextName,
  }
}

export function writeKubeconfig(file: string, config: Kubeconfig): void {
  const text = stringifyYaml(config)
  if (existsSync(file) && readFileSync(file, "utf8") === text) return
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeAtomically(file, text)
}

interface Waiting {
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Several clusters that start or end at one moment change the file one after the other. */
async function lock(file: string, { clock, signal }: Waiting): Promise<Disposable> {
  for (const begun = clock.monotonic(); ;) {
    try {
      return holdFile(`${file}.knarr-lock`, `${file} is being changed`)
    } catch (thrown) {
      if (!(thrown instanceof UsageError) || clock.monotonic() - begun > lockLimitMs) throw thrown
    }
    await clock.sleep(lockPollMs, signal)
  }
}

/** Under this name the context keeps which one was current before it. */
const extensionName = "knarr"

/**
 * Puts the context into the user's file and makes it the current one; it remembers which one was before. A file that
 * cannot be read is left alone: throws.
 */
export async function mergeIntoKubeconfig(file: string, addition: Kubeconfig, ctx: Waiting): Promise<void> {
  using _lock = await lock(file, ctx)
  const config = existsSync(file) ? await readKubeconfig(file) : { ...emptyKubeconfig }
  const name = addition["current-context"]
  const current = config["current-context"]
  const before = current === name ? previousOf(config, name) : current
  const merged: Kubeconfig = { ...config, "current-context": name }
  for (const list of ["clusters", "contexts", "users"] as const) {
    const added = addition[list] as { name: string }[]
    const kept = (config[list] as { name: string }[]).filter(
      (entry) => !added.some((other) => other.name === entry.name),
    )
    ;(merged[list] as { name: string }[]) = [...kept, ...added]
  }
  writeKubeconfig(file, withPrevious(merged, name, before))
}

/**
 * Takes the cluster's entries out again. Where its context is the current one, the one before it becomes that. Entries
 * of the same name that belong to a cluster with another CA are left alone.
 */
export async function removeFromKubeconfig(
  file: string,
  contextName: string,
  ca: string,
  ctx: Waiting,
): Promise<void> {
  if (!existsSync(file)) return
  using _lock = await lock(file, ctx)
  let config = await readKubeconfig(file)
  const ours = config.clusters.find(({ name }) => name === contextName)
  const data = ours?.cluster["certificate-authority-data"]
  if (data !== Buffer.from(ca).toString("base64")) return
  const before = previousOf(config, contextName)
  // Whoever came after us gives back what was before us.
  for (const { name } of config.contexts)
    if (previousOf(config, name) === contextName) config = withPrevious(config, name, before)
  const without = <E extends { name: string }>(entries: E[]): E[] =>
    entries.filter((entry) => entry.name !== contextName)
  const contexts = without(config.contexts)
  const isThere = contexts.some(({ name }) => name === before)
  const current =
    config["current-context"] === contextName ? (isThere ? before : "") : config["current-context"]
  writeKubeconfig(file, {
    ...config,
    contexts,
    clusters: without(config.clusters),
    users: without(config.users),
    "current-context": current,
  })
}

/** The context that was current before this one became it; "" when none was. */
function previousOf(config: Kubeconfig, contextName: string): string {
  const { extensions = [] } = config.contexts.find(({ name }) => name === contextName)?.context ?? {}
  const value = extensions.find(({ name }) => name === extensionName)?.extension?.["previousContext"]
  return typeof value === "string" ? value : ""
}

function withPrevious(config: Kubeconfig, contextName: string, previousContext: string): Kubeconfig {
  const contexts = config.contexts.map((entry) => {
    if (entry.name !== contextName) return entry
    const others = (entry.context.extensions ?? []).filter(({ name }) => name !== extensionName)
    const extensions = [...others, { name: extensionName, extension: { previousContext } }]
    return { ...entry, context: { ...entry.context, extensions } }
  })
  return { ...config, contexts }
}
