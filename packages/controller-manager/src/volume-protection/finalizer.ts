/** Lets an object go. */
import type { KubeObject } from "@knarr/apimachinery"

/** A copy without the finalizer. */
export function withoutFinalizer<T extends KubeObject>(obj: Readonly<T>, finalizer: string): T {
  const finalizers = obj.metadata.finalizers?.filter((name) => name !== finalizer)
  return { ...obj, metadata: { ...obj.metadata, finalizers } }
}
