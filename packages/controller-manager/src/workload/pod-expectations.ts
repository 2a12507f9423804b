/** Lowers a controller's expectations as its pods come and go. */
import { pod, type Pod } from "@knarr/api"
import { controllerOf, refKey, type Kind } from "@knarr/apimachinery"
import { refersToKind, untilAborted, type Controller, type Expectations } from "@knarr/controller-kit"

export type RunContext = Parameters<NonNullable<Controller["run"]>>[0]

/** Observes pods controlled by objects of `kind` until the signal is aborted. Deletions are known by uid. */
export async function observePods(ctx: RunContext, kind: Kind, expectations: Expectations): Promise<void> {
  const ownerKey = (obj: Pod): string | undefined => {
    const owner = controllerOf(obj)
    return owner && refersToKind(owner, kind)
      ? refKey({ namespace: obj.metadata.namespace, name: owner.name })
      : undefined
  }
  const gone = (obj: Pod): void => {
    const key = ownerKey(obj)
    if (key) expectations.deletionObserved(key, obj.metadata.uid)
  }
  using _subscription = ctx.informer(pod).subscribe({
    added(obj) {
      const key = ownerKey(obj)
      if (!key) return
      if (obj.metadata.deletionTimestamp) expectations.deletionObserved(key, obj.metadata.uid)
      expectations.creationObserved(key)
    },
    updated(obj, old) {
      if (obj.metadata.deletionTimestamp && !old.metadata.deletionTimestamp) gone(obj)
    },
    deleted: gone,
  })
  await untilAborted(ctx.signal)
}
