/** The annotation that client-side apply remembers its configuration in. Mirrors: kubectl pkg/util/apply.go */
import { parseJson } from "@knarr/base"
import { lastAppliedAnnotation } from "@knarr/apimachinery"
import type { Obj } from "./object.ts"
import { compactJson } from "./printers/json.ts"

/** The object with its own configuration in the annotation. */
export function withLastApplied(object: Obj): Obj {
  const plain = withoutLastApplied(object)
  const metadata = plain["metadata"] as Obj
  const annotations = {
    ...(metadata["annotations"] as Obj),
    [lastAppliedAnnotation]: `${compactJson(plain)}\n`,
  }
  return { ...plain, metadata: { ...metadata, annotations } }
}

/** The configuration as the annotation has it: with annotations, even when there are none, and without itself. */
export function withoutLastApplied(object: Obj): Obj {
  const metadata = (object["metadata"] ?? {}) as Obj
  const { [lastAppliedAnnotation]: _, ...annotations } = (metadata["annotations"] ?? {}) as Obj
  return { ...object, metadata: { ...metadata, annotations } }
}

/** The configuration that was applied last; undefined when there is none. */
export function lastApplied(object: Obj): Obj | undefined {
  const text = object["metadata"]?.annotations?.[lastAppliedAnnotation] as string | undefined
  return text ? (parseJson(text) as Obj) : undefined
}

/** Renews the annotation when the object has one already. */
export function renewLastApplied(before: Obj, after: Obj): Obj {
  return lastApplied(before) ? withLastApplied(after) : after
}
