/** Deletes bootstrap tokens when their time is over. Mirrors: pkg/controller/bootstrap/tokencleaner.go */
import { isBootstrapExpired, readBootstrapSecret, secret, type Secret } from "@knarr/api"
import { isConflict, isNotFound } from "@knarr/apimachinery"
import { defineController, type Controller } from "@knarr/controller-kit"

export const tokenCleanerController: Controller = defineController<Secret>({
  name: "token-cleaner-controller",
  queueName: "token_cleaner",
  aliases: ["tokencleaner"],
  serviceAccount: "token-cleaner",
  // Its rights are a role's in kube-system.
  rbac: [],
  for: secret,
  workers: 1,
  async reconcile(ref, { cache, client, clock, signal }) {
    const found = cache.get(secret, ref)
    const token = found && readBootstrapSecret(found)
    if (!token) return undefined
    const now = clock.now()
    if (!isBootstrapExpired(token, now))
      return token.expiresMs === undefined ? undefined : { afterMs: token.expiresMs - now + 1 }
    try {
      await client.delete(secret, ref, { preconditions: { uid: found.metadata.uid }, signal })
    } catch (thrown) {
      if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown
    }
    return undefined
  },
})
