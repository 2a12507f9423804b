/** Kubeconfig files: reading, merging and turning a context into a transport. Mirrors: client-go tools/clientcmd */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, isAbsolute, join } from "node:path"
import { isObject, loadYaml } from "@knarr/apimachinery"
import { parseJson, systemClock } from "@knarr/base"
import { renewed } from "./renewed.ts"
import type { TransportOptions } from "./transport.ts"

export interface KubeconfigCluster {
  server?: string
  "certificate-authority"?: string
  "certificate-authority-data"?: string
  "insecure-skip-tls-verify"?: boolean
  "tls-server-name"?: string
}
export interface KubeconfigUser {
  "client-certificate"?: string
  "client-certificate-data"?: string
  "client-key"?: string
  "client-key-data"?: string
  token?: string
  tokenFile?: string
  username?: string
  password?: string
  as?: string
  exec?: { command: string; args?: string[]; env?: { name: string; value: string }[]; apiVersion?: string }
}
export interface KubeconfigContext {
  cluster: string
  user: string
  namespace?: string
  /** Of programs, by their names. */
  extensions?: { name: string; extension?: Record<string, unknown> | null }[]
}
export interface Kubeconfig {
  apiVersion?: string
  kind?: string
  preferences?: Record<string, unknown>
  clusters: { name: string; cluster: KubeconfigCluster }[]
  contexts: { name: string; context: KubeconfigContext }[]
  users: { name: string; user: KubeconfigUser }[]
  "current-context": string
}

export const emptyKubeconfig: Readonly<Kubeconfig> = {
  apiVersion: "v1",
  kind: "Config",
  preferences: {},
  clusters: [],
  contexts: [],
  users: [],
  "current-context": "",
}

/** The files that are read without `--kubeconfig`: `$KUBECONFIG`'s, else `~/.kube/config`. */
export function defaultKubeconfigFiles(env: Readonly<Record<string, string | undefined>>): string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(":").filter(Boolean)
  return listed.length > 0 ? listed : [join(env["HOME"] ?? homedir(), ".kube", "config")]
}

const textFields: ReadonlySet<string> = new Set([
  ...["server", "certificate-authority", "certificate-authority-data", "tls-server-name", "proxy-url"],
  ...["client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile"],
  ...["username", "password", "cluster", "user", "namespace"],
])

/** The content of a kubeconfig, with the lists that it leaves out. Throws, naming `file`, when it is malformed. */
export async function parseKubeconfig(file: string, text: string): Promise<Omit<Kubeconfig, "preferences">> {
  const { parse } = await loadYaml()
  const value: unknown = parse(text) ?? {}
  const malformed = (what: string): Error => new Error(`error loading config file "${file}": ${what}`)
  if (!isObject(value)) throw malformed("it is no object")
  /** The entries of a list, each with a name and what it names; what it names may be left out. */
  const entriesOf = <T>(list: string, key: string): T[] => {
    const entries: unknown = value[list] ?? []
    if (!Array.isArray(entries)) throw malformed(`"${list}" is no list`)
    return entries.map((entry: unknown) => {
      if (!isObject(entry)) throw malformed(`an entry of "${list}" is no object`)
      const content = entry[key] ?? {}
      if (typeof (entry["name"] ?? "") !== "string" || !isObject(content))
        throw malformed(`an entry of "${list}" has no name, or "${key}" is no object`)
      for (const [field, text] of Object.entries(content))
        if (textFields.has(field) && typeof text !== "string" && text !== null)
          throw malformed(`"${field}" of "${String(entry["name"])}" is no text`)
      return { ...entry, [key]: content } as T
    })
  }
  const current = value["current-context"] ?? ""
  if (typeof current !== "string") throw malformed('"current-context" is no text')
  return {
    apiVersion: "v1",
    kind: "Config",
    ...value,
    "current-context": current,
    clusters: entriesOf("clusters", "cluster"),
    contexts: entriesOf("contexts", "context"),
    users: entriesOf("users", "user"),
  }
}

/** Reads one file; paths in it become absolute. Throws when it is missing or malformed. */
export async function readKubeconfig(file: string): Promise<Kubeconfig> {
  const config = { ...emptyKubeconfig, ...(await parseKubeconfig(file, readFileSync(file, "utf8"))) }
  const absolute = <O extends object>(holder: O, key: keyof O & string): void => {
    const path = holder[key]
    if (typeof path === "string" && path !== "" && !isAbsolute(path))
      (holder as Record<string, unknown>)[key] = join(dirname(file), path)
  }
  for (const { cluster } of config.clusters) absolute(cluster, "certificate-authority")
  for (const { user } of config.users)
    for (const key of ["client-certificate", "client-key", "tokenFile"] as const) absolute(user, key)
  return config
}

/** Merges the files as kubectl does: the first to say something wins; missing files are passed over. */
export async function loadKubeconfig(files: readonly string[]): Promise<Kubeconfig> {
  const merged: Kubeconfig = { ...emptyKubeconfig, clusters: [], contexts: [], users: [] }
  for (const file of files) {
    if (!existsSync(file)) continue
    const config = await readKubeconfig(file)
    merged["current-context"] ||= config["current-context"]
    for (const list of ["clusters", "contexts", "users"] as const) {
      const into = merged[list] as { name: string }[]
      for (const entry of config[list] ?? [])
        if (!into.some((known) => known.name === entry.name)) into.push(entry)
    }
  }
  return merged
}

/** What one context of a kubeconfig says. */
export interface ResolvedContext {
  readonly context: string
  readonly namespace: string
  readonly cluster: KubeconfigCluster
  readonly user: KubeconfigUser
  readonly transport: TransportOptions
}

/** Resolves a context (default: the current one). Throws with kubectl's words when something it names is missing. */
export function resolveContext(
  config: Kubeconfig,
  overrides: {
    context?: string | undefined
    cluster?: string | undefined
    user?: string | undefined
    server?: string | undefined
    token?: string | undefined
    insecure?: boolean | undefined
    userAgent?: string | undefined
  } = {},
): ResolvedContext {
  const name = overrides.context || config["current-context"]
  const context = config.contexts.find((entry) => entry.name === name)?.context
  if (name && !context) throw new Error(`context "${name}" does not exist`)
  const clusterName = overrides.cluster ?? context?.cluster ?? ""
  const userName = overrides.user ?? context?.user ?? ""
  const cluster = config.clusters.find((entry) => entry.name === clusterName)?.cluster ?? {}
  const user = config.users.find((entry) => entry.name === userName)?.user ?? {}
  if (overrides.user && !config.users.some((entry) => entry.name === userName))
    throw new Error(`auth info "${userName}" does not exist`)
  const server = overrides.server ?? cluster.server ?? "http://localhost:8080"
  const pem = (data: string | undefined, file: string | undefined): string | undefined =>
    data ? Buffer.from(data, "base64").toString("utf8") : file ? readFileSync(file, "utf8") : undefined
  const { tokenFile } = user
  const given = overrides.token ?? user.token
  const fromFile =
    given === undefined && tokenFile
      ? renewed(systemClock, () => readFileSync(tokenFile, "utf8").trim())
      : undefined
  const bearer = given ?? (fromFile ? undefined : execToken(user))
  const headers: Record<string, string> = {}
  if (overrides.userAgent) headers["user-agent"] = overrides.userAgent
  if (bearer) headers["authorization"] = `Bearer ${bearer}`
  else if (user.username && !fromFile)
    headers["authorization"] =
      `Basic ${Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64")}`
  if (user.as) headers["impersonate-user"] = user.as
  return {
    context: name,
    namespace: context?.namespace || "default",
    cluster,
    user,
    transport: {
      server: /^https?:\/\//.test(server) ? server : `https://${server}`,
      headers: () => (fromFile ? { ...headers, authorization: `Bearer ${fromFile()}` } : headers),
      tls: renewed(systemClock, () => ({
        ca: pem(cluster["certificate-authority-data"], cluster["certificate-authority"]),
        cert: pem(user["client-certificate-data"], user["client-certificate"]),
        key: pem(user["client-key-data"], user["client-key"]),
        servername: cluster["tls-server-name"],
        rejectUnauthorized: !(overrides.insecure ?? cluster["insecure-skip-tls-verify"] ?? false),
      })),
    },
  }
}

/** Asks the user's credential program for a token. */
function execToken(user: KubeconfigUser): string | undefined {
  if (!user.exec) return undefined
  const { command, args = [], env = [], apiVersion = "client.authentication.k8s.io/v1" } = user.exec
  const info = JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { interactive: false } })
  const extra = Object.fromEntries(env.map(({ name, value }) => [name, value]))
  const out = execFileSync(command, args, {
    env: { ...process.env, ...extra, KUBERNETES_EXEC_INFO: info },
    stdio: ["ignore", "pipe", "inherit"],
  })
  return (parseJson(out.toString("utf8")) as { status?: { token?: string } }).status?.token
}
