/** Says on a Secret on which day its token was last used. Mirrors: pkg/serviceaccount/legacy.go */
import { secret, type Secret } from "@knarr/api"
import type { Scope } from "@knarr/base"
import type { Client } from "@knarr/client"

/** The Secrets whose label is being written: a busy token asks many times until it is. */
const writing = new WeakSet<Secret>()

/** Begins to write `label`; what goes wrong is logged, and tried again at the next use. */
export function markTokenUsed(
  { client, scope }: { readonly client: Client; readonly scope: Scope },
  holder: Secret,
  label: string,
  today: string,
): void {
  if (writing.has(holder)) return
  writing.add(holder)
  const { namespace, name, uid } = holder.metadata
  const patch = { metadata: { uid, labels: { [label]: today } } }
  scope.run(
    `last use of the token in ${namespace}/${name}`,
    async (signal) => {
      try {
        await client.patch(secret, { namespace, name }, "merge", patch, { signal })
      } finally {
        writing.delete(holder)
      }
    },
    { contained: true },
  )
}
