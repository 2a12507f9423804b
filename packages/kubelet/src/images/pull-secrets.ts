/**
 * Credentials for registries, from the pod's pull secrets.
 * Mirrors: pkg/credentialprovider/{config,keyring}.go
 */
import type { Pod, Secret } from "@knarr/api"
import { parseImageName } from "@knarr/apimachinery"
import { parseJson, trimEndOf } from "@knarr/base"
import type { ObjectReader } from "../contract.ts"

export interface RegistryCredential {
  readonly username: string
  readonly password: string
}

interface Entry {
  /** Host (with `*` for a label), port and path, as in the secret's key. */
  readonly host: string
  readonly port: string
  readonly path: string
  readonly credential: RegistryCredential
}

/** The pull secrets of the pod that are there; those that are not are named in `missing`. */
export async function readPullSecrets(
  pod: Readonly<Pod>,
  objects: ObjectReader,
  signal: AbortSignal,
): Promise<{ secrets: Readonly<Secret>[]; missing: string[] }> {
  const secrets: Readonly<Secret>[] = []
  const missing: string[] = []
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    if (!name) continue
    const found = await objects.secret(pod.metadata.namespace!, name, signal)
    if (found) secrets.push(found)
    else missing.push(name)
  }
  return { secrets, missing }
}

/** The credentials that the secrets have for the image, the most exactly fitting first. */
export function credentialsFor(image: string, secrets: readonly Readonly<Secret>[]): RegistryCredential[] {
  const { domain, path } = parseImageName(image)
  const [host, port] = splitPort(domain)
  const entries = secrets.flatMap(entriesOf)
  entries.sort((a, b) => b.path.length - a.path.length || (a.host < b.host ? 1 : -1))
  return entries
    .filter((entry) => hostMatches(entry.host, host) && (entry.port === port || isDockerHub(entry.host)))
    .filter((entry) => entry.path === "" || path === entry.path || path.startsWith(`${entry.path}/`))
    .map(({ credential }) => credential)
}

function entriesOf(secret: Readonly<Secret>): Entry[] {
  const text = (key: string): string | undefined => {
    const value = secret.data?.[key]
    return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8")
  }
  try {
    if (secret.type === "kubernetes.io/dockerconfigjson") {
      const config = parseJson(text(".dockerconfigjson") ?? "{}") as { auths?: Record<string, unknown> }
      return parseAuths(config.auths ?? {})
    }
    if (secret.type === "kubernetes.io/dockercfg")
      return parseAuths(parseJson(text(".dockercfg") ?? "{}") as Record<string, unknown>)
  } catch {
    // A secret that cannot be read gives no credentials; the pull then says what it lacks.
  }
  return []
}

function parseAuths(auths: Record<string, unknown>): Entry[] {
  const out: Entry[] = []
  for (const [key, value] of Object.entries(auths)) {
    const { username, password, auth } = value as { username?: string; password?: string; auth?: string }
    let credential: RegistryCredential = { username: username ?? "", password: password ?? "" }
    if (auth) {
      const decoded = Buffer.from(auth, "base64").toString("utf8")
      const colon = decoded.indexOf(":")
      if (colon >= 0)
        credential = {
          username: decoded.slice(0, colon),
          password: trimEndOf(decoded.slice(colon + 1), "\r\n\0"),
        }
    }
    const address = key.replace(/^https?:\/\//, "")
    const slash = address.indexOf("/")
    const [host, port] = splitPort(slash < 0 ? address : address.slice(0, slash))
    const rest = slash < 0 ? "" : trimEndOf(address.slice(slash + 1), "/")
    // `/v1/` and `/v2/` only name the registry's own API.
    const path = /^v[12]$/.test(rest) ? "" : rest.replace(/^v[12]\//, "")
    out.push({ host: isDockerHub(host) ? "docker.io" : host, port, path, credential })
  }
  return out
}

function isDockerHub(host: string): boolean {
  return host === "docker.io" || host === "index.docker.io" || host === "registry-1.docker.io"
}

function splitPort(domain: string): [host: string, port: string] {
  const colon = domain.lastIndexOf(":")
  return colon < 0 || domain.endsWith("]") ? [domain, ""] : [domain.slice(0, colon), domain.slice(colon + 1)]
}

function hostMatches(pattern: string, host: string): boolean {
  const wanted = pattern.split(".")
  const labels = host.split(".")
  return (
    wanted.length === labels.length &&
    wanted.every((part, i) => {
      if (!part.includes("*")) return part === labels[i]
      const expression = part.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")
      return new RegExp(`^${expression}$`).test(labels[i]!)
    })
  )
}
