/** When a cluster takes pods. */
import { serviceAccount } from "@knarr/api"
import { abortable, deferred } from "@knarr/base"
import type { InformerFactory } from "@knarr/client"

/** Resolves when the default namespace has its service account: pods are refused before. */
export async function waitForDefaultServiceAccount(
  informers: InformerFactory,
  signal: AbortSignal,
): Promise<void> {
  const there = deferred()
  using _subscription = informers.informer(serviceAccount).subscribe({
    added: ({ metadata }) =>
      void (metadata.namespace === "default" && metadata.name === "default" && there.resolve()),
  })
  await abortable(there.promise, signal)
}
