/** What a client may hand to `create`. */
import type { KubeObject, ObjectMeta } from "@knarr/apimachinery"

/**
 * `T` without what the server fills in: `apiVersion` and `kind` follow from the kind, metadata may be partial
 * and status may be absent.
 */
export type Creatable<T extends KubeObject> = Omit<T, "apiVersion" | "kind" | "metadata" | "status"> & {
  apiVersion?: T["apiVersion"] | undefined
  kind?: T["kind"] | undefined
  metadata: Partial<ObjectMeta>
} & (T extends { status: infer S }
    ? { status?: S | undefined }
    : T extends { status?: infer S }
      ? { status?: S }
      : unknown)
