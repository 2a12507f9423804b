/** Keeps an object, and lets it go. */
import type { KubeObject } from "@knarr/apimachinery"

/** A copy without the finalizer. */
export function withoutFinalizer<T extends KubeObject>(obj: Readonly<T>, finalizer: string): T {
  const finalizers = obj.metadata.finalizers?.filter((name) => name !== finalizer)
  return { ...obj, metadata: { ...obj.metadata, finalizers } }
}

/** A copy with the finalizer, of an object from before admission gave it one. */
export function withFinalizer<T extends KubeObject>(obj: Readonly<T>, finalizer: string): T {
  return {
    ...obj,
    metadata: { ...obj.metadata, finalizers: [...(obj.metadata.finalizers ?? []), finalizer] },
  }
}
