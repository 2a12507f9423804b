/**
 * Signs what the public ConfigMap `cluster-info` says of the cluster with every bootstrap token that may: who has a token
 * knows by it that the cluster is the one meant. Mirrors: pkg/controller/bootstrap/bootstrapsigner.go, cluster-bootstrap token/jws
 */
import { createHmac } from "node:crypto"
import {
  configMap,
  isBootstrapExpired,
  readBootstrapSecret,
  secret,
  type ConfigMap,
  type Secret,
} from "@knarr/api"
import { deepClone, isConflict, isNotFound } from "@knarr/apimachinery"
import { defineController, type Controller } from "@knarr/controller-kit"

const info = Object.freeze({ namespace: "kube-public", name: "cluster-info" })
const contentKey = "kubeconfig"
const signaturePrefix = "jws-kubeconfig-"

/** A JWS without the content that it signs. */
export function detachedSignature(content: string, id: string, key: string): string {
  const header = Buffer.from(JSON.stringify({ alg: "HS256", kid: id })).toString("base64url")
  const signed = `${header}.${Buffer.from(content).toString("base64url")}`
  return `${header}..${createHmac("sha256", key).update(signed).digest("base64url")}`
}

/** The data with the signatures that it should have; undefined when it has them. */
export function signData(
  data: Readonly<Record<string, string>>,
  tokens: readonly { readonly id: string; readonly secret: string }[],
): Record<string, string> | undefined {
  const content = data[contentKey]
  if (content === undefined) return undefined
  const next = Object.fromEntries(Object.entries(data).filter(([key]) => !key.startsWith(signaturePrefix)))
  for (const token of tokens)
    next[signaturePrefix + token.id] = detachedSignature(content, token.id, token.secret)
  const keys = Object.keys(next)
  const isSame = keys.length === Object.keys(data).length && keys.every((key) => data[key] === next[key])
  return isSame ? undefined : next
}

export const bootstrapSignerController: Controller = defineController<ConfigMap>({
  name: "bootstrap-signer-controller",
  queueName: "bootstrap_signer_queue",
  aliases: ["bootstrapsigner"],
  serviceAccount: "bootstrap-signer",
  // Its rights are roles' in kube-system and kube-public.
  rbac: [],
  for: configMap,
  workers: 1,
  watches: [{ kind: secret, map: (object: Secret) => (readBootstrapSecret(object) ? [info] : []) }],
  async reconcile({ namespace, name }, { cache, client, clock, signal }) {
    if (namespace !== info.namespace || name !== info.name) return undefined
    const found = cache.get(configMap, info)
    if (!found) return undefined
    const now = clock.now()
    const tokens = cache.list(secret, { namespace: "kube-system" }).flatMap((object) => {
      const token = readBootstrapSecret(object)
      return token?.forSigning && token.secret !== "" && !isBootstrapExpired(token, now) ? [token] : []
    })
    const data = signData(found.data ?? {}, tokens)
    if (!data) return undefined
    try {
      await client.update(configMap, { ...deepClone(found), data } as ConfigMap, { signal })
    } catch (thrown) {
      // Whoever changed it meanwhile wakes us again.
      if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown
    }
    return undefined
  },
})
