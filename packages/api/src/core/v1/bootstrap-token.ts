/**
 * Secrets of the type `bootstrap.kubernetes.io/token`: who has none of the cluster's certificates yet asks with what is in one.
 * Mirrors: cluster-bootstrap token/{api,util}, util/secrets
 */
import type { Secret } from "./types.gen.ts"

export const bootstrapTokenType = "bootstrap.kubernetes.io/token"
export const bootstrapTokenNamespace = "kube-system"
const namePrefix = "bootstrap-token-"
const defaultGroup = "system:bootstrappers"
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

export interface BootstrapToken {
  readonly id: string
  readonly secret: string
}

/** `<id>.<secret>`; undefined for a text that is none. */
export function parseBootstrapToken(text: string): BootstrapToken | undefined {
  const parts = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text)
  return parts ? { id: parts[1]!, secret: parts[2]! } : undefined
}

export function bootstrapSecretName(id: string): string {
  return namePrefix + id
}

/** What a Secret says about its token. */
export interface BootstrapSecret extends BootstrapToken {
  /** When it ends, in ms; undefined: never. NaN for what cannot be read. */
  readonly expiresMs: number | undefined
  readonly forAuthentication: boolean
  readonly forSigning: boolean
  /** Sorted; undefined when one of them may not be given. */
  readonly groups: readonly string[] | undefined
}

/** Undefined for a Secret of another type, another namespace or another token's name. */
export function readBootstrapSecret(object: Readonly<Secret>): BootstrapSecret | undefined {
  const { name, namespace } = object.metadata
  if (object.type !== bootstrapTokenType || namespace !== bootstrapTokenNamespace) return undefined
  const text = (key: string): string => Buffer.from(object.data?.[key] ?? "", "base64").toString("utf8")
  const id = text("token-id")
  if (id === "" || name !== bootstrapSecretName(id)) return undefined
  const expiration = text("expiration")
  const extra = text("auth-extra-groups")
  const further = extra === "" ? [] : extra.split(",").map((group) => group.trim())
  return {
    id,
    secret: text("token-secret"),
    expiresMs: expiration === "" ? undefined : Date.parse(expiration),
    forAuthentication: text("usage-bootstrap-authentication") === "true",
    forSigning: text("usage-bootstrap-signing") === "true",
    groups: further.every((group) => groupForm.test(group))
      ? [...new Set([defaultGroup, ...further])].sort()
      : undefined,
  }
}

/** What cannot be read has ended. */
export function isBootstrapExpired({ expiresMs }: BootstrapSecret, nowMs: number): boolean {
  return expiresMs !== undefined && !(nowMs <= expiresMs)
}
