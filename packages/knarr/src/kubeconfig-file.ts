/** Writing kubeconfig files: the cluster's own, and its context in the user's. */
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { dirname } from "node:path"
import { stringifyYaml } from "@knarr/apimachinery"
import { emptyKubeconfig, readKubeconfig, type Kubeconfig } from "@knarr/client"
import { writeAtomically } from "./cluster-home.ts"
import type { ClusterPki } from "./pki.ts"

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

/** Puts the context into the user's file and makes it the current one. A file that cannot be read is left alone: throws. */
export async function mergeIntoKubeconfig(file: string, addition: Kubeconfig): Promise<void> {
  const config = existsSync(file) ? await readKubeconfig(file) : { ...emptyKubeconfig }
  const merged: Kubeconfig = { ...config, "current-context": addition["current-context"] }
  for (const list of ["clusters", "contexts", "users"] as const) {
    const added = addition[list] as { name: string }[]
    const kept = (config[list] as { name: string }[]).filter(
      (entry) => !added.some((other) => other.name === entry.name),
    )
    ;(merged[list] as { name: string }[]) = [...kept, ...added]
  }
  writeKubeconfig(file, merged)
}

/** Takes the context out again. */
export async function removeFromKubeconfig(file: string, contextName: string): Promise<void> {
  if (!existsSync(file)) return
  const config = await readKubeconfig(file)
  const without = <E extends { name: string }>(entries: E[]): E[] =>
    entries.filter((entry) => entry.name !== contextName)
  if (without(config.contexts).length === config.contexts.length) return
  const current = config["current-context"] === contextName ? "" : config["current-context"]
  writeKubeconfig(file, {
    ...config,
    clusters: without(config.clusters),
    contexts: without(config.contexts),
    users: without(config.users),
    "current-context": current,
  })
}
