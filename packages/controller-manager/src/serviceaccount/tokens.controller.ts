/**
 * Fills Secrets of the type `kubernetes.io/service-account-token`, and deletes them with their service accounts.
 * Mirrors: pkg/controller/serviceaccount/tokens_controller.go
 */
import { secret, serviceAccount, type Secret, type ServiceAccount } from "@knarr/api"
import { isConflict, isNotFound } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"
import { allow, defineController, type Controller } from "@knarr/controller-kit"

const tokenType = "kubernetes.io/service-account-token"
const nameAnnotation = "kubernetes.io/service-account.name"
const uidAnnotation = "kubernetes.io/service-account.uid"

export interface TokensOptions {
  /** Signs the claims of a token. */
  readonly sign: (claims: Readonly<Record<string, unknown>>) => string
  /** PEM for `ca.crt`; absent or empty: none is written. */
  readonly rootCA?: string | undefined
}

export function createTokensController(options: TokensOptions): Controller {
  const { sign, rootCA } = options
  return defineController<Secret>({
    name: "serviceaccount-token-controller",
    queueName: "serviceaccount_tokens_service",
    aliases: ["serviceaccount-token"],
    serviceAccount: "tokens-controller",
    rbac: [
      allow("", "secrets", "get list watch create update delete"),
      allow("", "serviceaccounts", "get list watch update"),
    ],
    for: secret,
    watches: [
      {
        kind: serviceAccount,
        map: ({ metadata }: ServiceAccount, cache) =>
          cache
            .list(secret, { namespace: metadata.namespace })
            .filter((one) => one.type === tokenType && accountOf(one).name === metadata.name)
            .map((one) => ({ namespace: one.metadata.namespace, name: one.metadata.name })),
      },
    ],
    async reconcile({ namespace, name }, { cache, client, signal }) {
      const found = cache.get(secret, { namespace, name })
      if (!found) {
        const accounts = cache.list(serviceAccount, { namespace })
        for (const account of accounts) await removeReference(client, account, name, signal)
        return
      }
      if (found.type !== tokenType || found.metadata.deletionTimestamp) return
      try {
        const account = await accountFor(found, cache.get(serviceAccount, refOf(found)), client, signal)
        if (!account) {
          const { uid } = found.metadata
          await client.delete(secret, { namespace, name }, { preconditions: { uid }, signal })
          return
        }
        const filled = fill(found, account)
        if (filled) await client.update(secret, filled, { signal })
      } catch (thrown) {
        // Somebody else was quicker: the change that he made brings the Secret here again.
        if (!isConflict(thrown) && !isNotFound(thrown)) throw thrown
      }
    },
  })

  /** The Secret with what it lacks; undefined when it lacks nothing. */
  function fill(found: Secret, account: ServiceAccount): Secret | undefined {
    const data = { ...found.data }
    const { namespace, name } = found.metadata
    if (rootCA) data["ca.crt"] = base64(rootCA)
    data["namespace"] ||= base64(namespace!)
    data["token"] ||= base64(sign(claimsOf(account, name)))
    const keys = ["ca.crt", "namespace", "token"]
    if (keys.every((key) => data[key] === found.data?.[key])) return undefined
    const annotations = {
      ...found.metadata.annotations,
      [nameAnnotation]: account.metadata.name,
      [uidAnnotation]: account.metadata.uid,
    }
    return { ...found, data, metadata: { ...found.metadata, annotations } }
  }
}

function accountOf({ metadata }: Secret): { name: string; uid: string } {
  return {
    name: metadata.annotations?.[nameAnnotation] ?? "",
    uid: metadata.annotations?.[uidAnnotation] ?? "",
  }
}

function refOf(found: Secret): { namespace: string | undefined; name: string } {
  return { namespace: found.metadata.namespace, name: accountOf(found).name }
}

/** The account that a Secret names: the server is asked before it is taken for gone. */
async function accountFor(
  found: Secret,
  cached: ServiceAccount | undefined,
  client: Client,
  signal: AbortSignal,
): Promise<ServiceAccount | undefined> {
  const { name, uid } = accountOf(found)
  const isIt = (account: ServiceAccount): boolean => uid === "" || account.metadata.uid === uid
  if (cached && isIt(cached)) return cached
  if (name === "") return undefined
  try {
    const asked = await client.get(serviceAccount, refOf(found), { signal })
    return isIt(asked) ? asked : undefined
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined
    throw thrown
  }
}

async function removeReference(
  client: Client,
  account: ServiceAccount,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  if (!account.secrets?.some((reference) => reference.name === name)) return
  const secrets = account.secrets.filter((reference) => reference.name !== name)
  try {
    await client.update(serviceAccount, { ...account, secrets }, { signal })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}

/** Mirrors: pkg/serviceaccount/legacy.go (LegacyClaims) */
function claimsOf({ metadata }: ServiceAccount, secretName: string): Readonly<Record<string, string>> {
  const { namespace, name, uid } = metadata
  return {
    iss: "kubernetes/serviceaccount",
    "kubernetes.io/serviceaccount/namespace": namespace!,
    "kubernetes.io/serviceaccount/secret.name": secretName,
    "kubernetes.io/serviceaccount/service-account.name": name,
    "kubernetes.io/serviceaccount/service-account.uid": uid,
    sub: `system:serviceaccount:${namespace}:${name}`,
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64")
}
